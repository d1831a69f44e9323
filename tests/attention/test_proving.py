"""The proof says what it compared, and it compares: weights that are not the model's are seen."""

from dataclasses import replace

import pytest
import torch

import vitviz
from vitviz.attention.calls import Call, proof
from vitviz.attention.proving import proof_text


def test_fused_attention_is_computed_anew(tiny_vit, picture):
    seen = vitviz.trace(tiny_vit, picture)
    text = proof_text(seen)
    assert f"{seen.error:.1e}" in text or "equal to the last bit" in text
    assert "every layer" in text and text.endswith("computed anew from q and k")


def test_a_softmax_of_the_models_own_is_said(make, picture):
    swin = make("swin_tiny_patch4_window7_224", (56, 56), img_size=56, embed_dim=24, depths=(1, 1), num_heads=(1, 2))
    for module in swin.module.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False
    text = proof_text(vitviz.trace(swin, picture))
    assert text.endswith("attention taken by the model's own softmax")
    assert "= 0, equal to the last bit: sampled rows" in text


def test_layers_whose_values_were_not_seen_are_not_counted(tiny_vit, picture):
    seen = vitviz.trace(tiny_vit, picture)
    first, *others = seen.layers
    assert "2 of 3 layers" in proof_text(replace(seen, layers=(replace(first, error=None), *others)))
    assert proof_text(replace(seen, layers=tuple(replace(each, error=None) for each in seen.layers))) is None


@pytest.mark.parametrize("change", ["another head", "another row", "scaled"])
def test_probabilities_that_did_not_make_the_output_are_seen(change):
    torch.manual_seed(0)
    shares, values = torch.randn(2, 3, 8, 8).softmax(-1), torch.randn(2, 3, 8, 4)
    output = shares @ values
    assert proof(Call((), probabilities=shares), values, output) < 1e-6
    other = {"another head": shares.roll(1, 1), "another row": shares.roll(1, 2), "scaled": shares * 0.9}[change]
    assert proof(Call((), probabilities=other), values, output) > 1e-2
