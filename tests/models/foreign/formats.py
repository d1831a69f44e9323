"""How the tests of formats write, read, build and compare: a Checkpoint by hand, the network by timm, strictly."""

import json
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file

from vitviz.models.checkpoint import Checkpoint, Network
from vitviz.models.foreign import recognise_foreign

TOLERANCE = 1e-4


def randomise(module, seed=0):
    """Give every parameter a value that matters, biases, tokens and scales too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            around = 1.0 if parameter.dim() == 1 and bool((parameter == 1).all()) else 0.0
            parameter.copy_(around + 0.15 * torch.randn(parameter.shape, generator=generator))
    return module.eval()


def checkpoint_of(tensors, *, folder=None, config=None, container="torch zip", attributes=None):
    """The Checkpoint that the reader would make of such a file, and its one network."""
    network = Network("", dict(tensors))
    checkpoint = Checkpoint(
        Path("by hand"), container, "0" * 64, (network,), config or {}, folder or {}, attributes or {}
    )
    return checkpoint, network


def recognise(tensors, **options):
    """The Recognition of tensors in a file with these options."""
    found = recognise_foreign(*checkpoint_of(tensors, **options))
    assert found is not None, sorted(tensors)[:10]
    return found


def build(recognition, **chosen):
    """The network of a Recognition, built as vitviz.models.loading does: timm fails on missing or unexpected keys."""
    args = {**recognition.model_args, **chosen}
    overlay = {
        "state_dict": dict(recognition.tensors),
        "num_classes": args["num_classes"],
        "input_size": (args["in_chans"], 224, 224),
    }
    module = timm.create_model(recognition.architecture, pretrained=True, pretrained_cfg_overlay=overlay, **args)
    assert set(recognition.tensors) == set(module.state_dict()), "names are not timm's final ones"
    return module.eval()


def images(size, channels=3, batch=2):
    """A batch of views without symmetries."""
    height, width = (size, size) if isinstance(size, int) else size
    return torch.randn(batch, channels, height, width, generator=torch.Generator().manual_seed(3))


def difference(ours, theirs):
    """The largest difference of two tensors of one shape."""
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    # An oracle without any spread would hide a wrong conversion.
    assert float(theirs.detach().std()) > 1e-3
    return float((ours - theirs).detach().abs().max())


def findings(recognition, topic):
    """The texts and certainties found on a topic."""
    return [(f.text, f.certainty) for f in recognition.findings if f.topic == topic]


def folder_of(path):
    """A folder as `save_pretrained` leaves it: its tensors, and its config as the reader gives it."""
    config = json.loads((path / "config.json").read_text())
    if (path / "preprocessor_config.json").exists():
        config["preprocessor"] = json.loads((path / "preprocessor_config.json").read_text())
    return load_file(path / "model.safetensors"), config


def through_disk(module, path):
    """The state dict of a module as `torch.save` and a safe `torch.load` give it back."""
    torch.save(module.state_dict(), path)
    return torch.load(path, weights_only=True)
