"""A bias that only depends on offsets is kept as offsets, and gives back every entry that the model had."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vitviz.attention.bias import Bias, OffsetBias, added, bias_of

PATCH = 16


def relative(heads: int, high: int, wide: int, prefix: int) -> torch.Tensor:
    """(1, H, N, N) made entry by entry from a random table, with free prefix rows and columns."""
    torch.manual_seed(high * 100 + wide * 10 + prefix)
    table = torch.randn(heads, 2 * high - 1, 2 * wide - 1)
    full = torch.randn(heads, prefix + high * wide, prefix + high * wide)
    for query in range(high * wide):
        for key in range(high * wide):
            down, right = key // wide - query // wide, key % wide - query % wide
            full[:, prefix + query, prefix + key] = table[:, down + high - 1, right + wide - 1]
    return full[None]


@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 3), st.integers(1, 3))
def test_offsets_give_back_every_row_and_column(high: int, wide: int, prefix: int, heads: int) -> None:
    full = relative(heads, high, wide, prefix)
    bias = bias_of(full, 1, (high * PATCH, wide * PATCH))
    assert isinstance(bias, OffsetBias)
    assert torch.equal(bias.rows(0, None, None), full[0])
    some = torch.tensor([full.shape[-1] - 1, 0])
    chosen = torch.tensor([heads - 1])
    assert torch.equal(bias.rows(0, chosen, some), full[0, chosen][:, some])
    assert torch.equal(bias.sample(some), full[:, :, some])
    for key in range(full.shape[-1]):
        assert torch.equal(bias.column(None, key), full[0, :, :, key])


def test_offsets_take_a_fraction_of_the_memory() -> None:
    full = relative(2, 8, 8, 1)
    bias = bias_of(full, 1, (128, 128))
    assert bias is not None
    assert bias.bytes * 8 < full.numel() * full.element_size()


@pytest.mark.parametrize("place", [(0, 0), (7, 3), (16, 16)])
def test_a_bias_that_differs_in_one_entry_is_kept_whole(place: tuple[int, int]) -> None:
    full = relative(2, 4, 4, 1)
    full[0, 1, place[0], place[1]] += 1.0
    bias = bias_of(full, 1, (64, 64))
    assert bias is not None
    assert torch.equal(bias.rows(0, None, None), full[0])
    if place == (16, 16):
        assert type(bias) is Bias


def test_a_bias_of_windows_or_a_mask_is_kept_as_it_is() -> None:
    full = relative(1, 4, 4, 0)
    assert type(bias_of(full, 9, (64, 64))) is Bias
    assert type(bias_of(torch.ones(1, 1, 16, 16, dtype=torch.bool), 1, (64, 64))) is Bias
    assert bias_of(None, 1, (64, 64)) is None


def test_a_boolean_bias_forbids_and_an_additive_one_adds() -> None:
    scores = torch.zeros(1, 2, 2)
    allowed = torch.tensor([[[True, False], [True, True]]])
    assert added(scores, allowed).softmax(-1)[0, 0].tolist() == [1.0, 0.0]
    assert added(scores, torch.ones(1, 1, 2)).eq(1).all()
    assert added(scores, None) is scores
