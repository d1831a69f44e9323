"""Weights that don't fit are refused by whole names and a count of the rest."""

import re

import pytest
import timm
import torch

from vitviz.errors import VitvizError
from vitviz.models.loading import load_model
from vitviz.models.misfit import misfit


def refusal(tensors, path, **options):
    torch.save(tensors, path)
    with pytest.raises(VitvizError) as error:
        load_model(path, **options)
    return str(error.value)


@pytest.fixture(scope="module")
def tensors():
    return timm.create_model("test_vit", num_classes=3).state_dict()


def test_missing_weights_are_named_whole_and_counted(tensors, tmp_path):
    gone = [key for key in tensors if ".mlp." in key]
    kept = {key: value for key, value in tensors.items() if key not in gone}
    text = refusal(kept, tmp_path / "w.pth", architecture="test_vit")
    named = re.search(r"(\d+) weights are missing \((.*) and (\d+) more\)", text)
    assert int(named[1]) == len(gone) == len(named[2].split(", ")) + int(named[3])
    assert set(named[2].split(", ")) <= set(gone)


def test_left_over_and_misshapen_weights_too(tensors, tmp_path):
    text = refusal(tensors | {"extra.weight": torch.zeros(2)}, tmp_path / "w.pth", architecture="test_vit")
    assert "1 weight is left over (extra.weight)" in text
    shape = tensors["blocks.0.mlp.fc1.weight"].shape
    text = refusal(
        tensors | {"blocks.0.mlp.fc1.weight": torch.zeros(3, 5)}, tmp_path / "w.pth", architecture="test_vit"
    )
    assert f"blocks.0.mlp.fc1.weight is 3 x 5 and should be {shape[0]} x {shape[1]}" in text


def test_no_word_is_cut_in_other_errors():
    words = [f"word{i}" for i in range(200)]
    text = misfit(RuntimeError(" ".join(words)))
    assert len(text) <= 400 and text.endswith(" …") and set(text.split()[:-1]) <= set(words)
