"""The receptive field against what it must be: the patches with non-zero rollout in the model's own attention."""

from itertools import pairwise

import numpy as np
import pytest
import timm
import torch

import vitviz
from vitviz.attention.reach import reach
from vitviz.attention.trace import trace
from vitviz.attention.values import Place
from vitviz.errors import AttentionError

CASES = {
    "square": ("swin_tiny_patch4_window7_224", (64, 64), {"window_size": 4, "depths": (2, 2), "num_heads": (2, 2)}),
    "wide": ("swin_tiny_patch4_window7_224", (64, 96), {"window_size": 4, "depths": (2, 4), "num_heads": (2, 2)}),
    "padded": ("swin_tiny_patch4_window7_224", (36, 44), {"window_size": 4, "depths": (2, 2), "num_heads": (2, 2)}),
    "odd": ("swin_tiny_patch4_window7_224", (60, 52), {"window_size": 3, "depths": (2, 2, 2), "num_heads": (2,) * 3}),
    "v2": ("swinv2_tiny_window8_256", (64, 96), {"window_size": 4, "depths": (2, 2), "num_heads": (2, 2)}),
}


@pytest.fixture(params=CASES)
def plain(request, wrap, picture):
    """A trace of a Swin as timm makes it: weights so small that no key that may be seen gets nothing."""
    architecture, size, args = CASES[request.param]
    torch.manual_seed(0)
    net = timm.create_model(architecture, img_size=size, embed_dim=8, num_classes=3, **args)
    return trace(wrap(net, size, name=request.param), picture)


def places(view):
    """Every corner, the middle, and near the borders between windows."""
    x0, y0, x1, y1 = view.box
    shares = [(0.01, 0.01), (0.99, 0.01), (0.01, 0.99), (0.99, 0.99), (0.5, 0.5), (0.24, 0.26), (0.77, 0.13)]
    return [Place(x0 + a * (x1 - x0), y0 + b * (y1 - y0)) for a, b in shares]


def on_finest(rolled, finest, where):
    """Whether each patch of the finest grid lies, with its middle, in a patch of a map that is not 0."""
    middles = [[where.cell_at(*finest.centre(row, col)) for col in range(finest.cols)] for row in range(finest.rows)]
    return np.array([[rolled[cell] > 1e-15 for cell in row] for row in middles])


def test_upwards_equals_the_patches_with_non_zero_rollout_up_to_each_layer(plain):
    for place in places(plain.view):
        found = reach(plain, place, "up")
        assert [step.layers for step in found.steps] == [(0, layer.index) for layer in plain.layers]
        for step in found.steps:
            rolled = vitviz.rollout(plain, query=place, last_layer=step.layers[1]).values
            np.testing.assert_array_equal(step.seen, rolled > 1e-15)
            assert step.count == (rolled > 1e-15).sum()


def test_downwards_equals_the_patches_with_non_zero_rollout_of_the_last_layers(plain):
    top = len(plain.layers) - 1
    for place in places(plain.view):
        found = reach(plain, place)
        assert [step.layers for step in found.steps] == [None, *((first, top) for first in range(top, -1, -1))]
        for step in found.steps[1:]:
            rolled = vitviz.rollout(plain, query=place, first_layer=step.layers[0])
            np.testing.assert_array_equal(step.seen, on_finest(rolled.values, found.grid, rolled.grid))


def test_both_ways_end_with_the_same_patches(plain):
    for place in places(plain.view):
        down, up = reach(plain, place, "down"), reach(plain, place, "up")
        np.testing.assert_array_equal(down.steps[-1].seen, up.steps[-1].seen)
        assert down.steps[-1].cell == up.steps[-1].cell


@pytest.mark.parametrize("way", ["down", "up"])
def test_it_never_shrinks_within_a_stage_and_holds_the_token_itself(plain, way):
    for place in places(plain.view):
        found = reach(plain, place, way)
        cell = found.grid.cell_at(*plain.view.to_view(place.x, place.y))
        assert all(step.seen[cell] for step in found.steps)
        for a, b in pairwise(found.steps):
            assert (way == "up" and a.own != b.own) or not (a.seen & ~b.seen).any()


def test_through_no_layer_a_token_stands_for_the_patches_that_it_was_merged_from(plain):
    found = reach(plain, Place(65, 45))
    own, first = found.steps[0], plain.layers[-1].query_grid.shape
    assert own.layers is None and own.own.shape == first
    parts = [-(-fine // coarse) for fine, coarse in zip(found.grid.shape, first, strict=True)]
    assert 1 <= own.count <= parts[0] * parts[1]


def test_a_vit_sees_all_from_the_first_layer_on_and_through_any_one_layer(tiny_vit, picture):
    traced = trace(tiny_vit, picture)
    assert reach(traced, Place(60, 40), "up").counts == (24,) * 3
    found = reach(traced, Place(60, 40))
    assert found.counts == (1, 24, 24, 24) and found.note == ""


def test_a_layer_without_heads_shows_nothing_more(tiny_vit, picture):
    off = vitviz.Ablation(frozenset((layer, head) for layer in (0, 2) for head in range(2)))
    found = reach(trace(tiny_vit, picture, ablation=off), Place(60, 40))
    assert found.counts == (1, 1, 24, 24)


def test_by_hand_one_window_then_the_four_that_the_shifted_one_joins(wrap, picture):
    net = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=(64, 64), window_size=4, embed_dim=8, depths=(2,), num_heads=(2,),
        num_classes=3,
    )  # fmt: skip
    traced = trace(wrap(net, (64, 64), name="two"), picture)
    found = reach(traced, Place(65, 45), "up")  # the middle: its own window first, then four corners of four windows
    assert found.counts == (16, 64)
    corner = reach(traced, Place(1, 1), "up")  # the mask keeps the other three corners away: its own window, no more
    assert corner.counts == (16, 16)
    # Downwards the shifted layer comes first: a window in the middle, and of one in the corner its own quarter.
    assert reach(traced, Place(65, 45)).counts == (1, 16, 64) and reach(traced, Place(1, 1)).counts == (1, 4, 16)


def test_convolutions_are_said_to_be_left_out(make, picture):
    sizes = {"img_size": (64, 96), "embed_dim": (32, 64), "depths": (1, 1), "stem_width": 16, "num_classes": 5}
    found = reach(trace(make("maxvit_tiny_tf_224", (64, 96), **sizes), picture), Place(60, 40), "up")
    assert "Convolutions" in found.note
    assert found.counts[:2] == (6, 36)  # windows of 2 x 3, then a grid of them


def test_a_place_that_the_model_did_not_see_is_refused(tiny_swin, picture):
    with pytest.raises(AttentionError, match="did not see the place"):
        reach(trace(tiny_swin, picture), Place(-40, 5))
