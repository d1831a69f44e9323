"""A network in memory is looked into as one in a file is: its own outputs, and none of its state is touched."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision

import vitviz
from vitviz.errors import SourceError
from vitviz.models import in_memory


def vit():
    return timm.create_model("test_vit", num_classes=7)


def torchvision_vit():
    return torchvision.models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=3
    )


def unpicklable():
    network = vit()
    network.note = lambda x: x
    return network


@pytest.mark.parametrize("make", [vit, torchvision_vit, unpicklable])
def test_its_outputs_are_those_of_the_network(make):
    torch.manual_seed(1)
    network = make()
    given = {} if make is not torchvision_vit else {"image_size": 32}
    model = vitviz.load_model(network, device="cpu", **given)
    views = torch.rand(2, 3, *model.preprocessing.input_size)
    assert network.training and not model.module.training
    with torch.no_grad():
        assert torch.allclose(model.module(views), network.eval()(views), atol=1e-5)
    assert "network in memory" in str(model.report)


def test_what_is_trained_later_changes_nothing_that_is_looked_into():
    network = vit()
    model = vitviz.load_model(network, device="cpu")
    before = [p.clone() for p in model.module.parameters()]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 1
    assert all(torch.equal(a, b) for a, b in zip(before, model.module.parameters(), strict=True))


def test_figures_are_made_again_as_long_as_the_program_runs(tmp_path):
    image = vitviz.Image.from_array(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    model = vitviz.load_model(vit(), device="cpu")
    assert model.name == "test_vit" and Path(model.source).is_file()
    again = vitviz.load_model(model.source, device="cpu")
    assert again.sha256 == model.sha256
    trace = vitviz.trace(model, image)
    assert vitviz.save_figure(tmp_path / "one.png", trace, vitviz.attention_map(trace, layer=1)).is_file()


def test_its_architecture_can_be_said():
    model = vitviz.load_model(vit(), architecture="test_vit", device="cpu")
    assert "said by you" in str(model.report)


@pytest.mark.parametrize("wrong", [None, 3, [vit], torch.zeros(3)])
def test_what_is_no_network_is_refused_in_one_sentence(wrong):
    with pytest.raises(SourceError, match="give a name, a file, a folder, or a network"):
        vitviz.load_model(wrong)


def test_no_room_for_it_is_said_and_no_half_of_it_stays(monkeypatch):
    def full(_, path):
        path.write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file")

    before = set(in_memory._folder().iterdir())
    monkeypatch.setattr(in_memory.torch, "save", full)
    with pytest.raises(SourceError, match=r"VisionTransformer in memory can't be kept in a file under .*make room"):
        vitviz.load_model(vit())
    assert set(in_memory._folder().iterdir()) == before
