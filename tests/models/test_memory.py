"""Opening a file makes the file's tensors and the network, no third copy; the file's bytes are gone by then."""

import tracemalloc

import pytest
import timm
import torch
from safetensors.torch import save_file

from vitviz.models.loading import load_model
from vitviz.models.peak import watched
from vitviz.models.reading.containers import read_checkpoint

SIZE = {"img_size": 64, "patch_size": 8, "embed_dim": 192, "depth": 4, "num_heads": 4, "num_classes": 5}


def renamed(tensors):
    """As people's own code around nn.MultiheadAttention names them."""
    rules = (("blocks.", "layers."), ("attn.qkv.", "attn.in_proj_"), ("attn.proj", "attn.out_proj"))
    out = {}
    for name, tensor in tensors.items():
        for old, new in rules:
            name = name.replace(old, new)
        out[name] = tensor
    return out


@pytest.fixture(scope="module")
def tensors():
    return timm.create_model("vit_tiny_patch16_224", **SIZE).state_dict()


@pytest.mark.parametrize("naming", [dict, renamed])
@pytest.mark.parametrize("write", [torch.save, save_file])
def test_tensors_alive_at_once_are_those_of_the_file_and_the_network(naming, write, tensors, tmp_path):
    path = tmp_path / "w.pth"
    write(naming(tensors), path)
    with watched(torch.nn.Module(), torch.device("cpu")) as peak:
        load_model(path, num_heads=4)
    assert 1.9 < peak.bytes / path.stat().st_size < 2.2


def test_reading_holds_the_file_once_beside_its_tensors(tensors, tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({f"{i}.{name}": tensor.clone() for i in range(12) for name, tensor in tensors.items()}, path)
    size = path.stat().st_size
    tracemalloc.start()
    try:
        checkpoint = read_checkpoint(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert checkpoint.networks[0].tensors
    # The bytes of the file, and those that the tensors are made on.
    assert 1.9 < peak / size < 2.2
