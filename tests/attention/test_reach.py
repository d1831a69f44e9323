"""The receptive field against what it must be: the patches with non-zero rollout in the model's own attention."""

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


def test_equals_the_patches_with_non_zero_rollout(plain):
    for place in places(plain.view):
        found = reach(plain, place)
        assert found.layers == tuple(range(len(plain.layers)))
        for layer in found.layers:
            rolled = vitviz.rollout(plain, query=place, last_layer=layer).values
            np.testing.assert_array_equal(found.seen[layer], rolled > 1e-15)
            assert found.counts[layer] == (rolled > 1e-15).sum()


def test_it_never_shrinks_within_a_stage_and_holds_the_token_itself(plain):
    for place in places(plain.view):
        found = reach(plain, place)
        cell = found.grid.cell_at(*plain.view.to_view(place.x, place.y))
        assert all(seen[cell] for seen in found.seen)
        for a, b in zip(plain.layers, plain.layers[1:], strict=False):
            if a.stage == b.stage:
                assert not (found.seen[a.index] & ~found.seen[b.index]).any()


def test_a_vit_sees_all_from_the_first_layer_on(tiny_vit, picture):
    traced = trace(tiny_vit, picture)
    found = reach(traced, Place(60, 40))
    assert found.counts == (24,) * 3 and found.note == ""


def test_by_hand_one_window_then_the_four_that_the_shifted_one_joins(wrap, picture):
    net = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=(64, 64), window_size=4, embed_dim=8, depths=(2,), num_heads=(2,),
        num_classes=3,
    )  # fmt: skip
    traced = trace(wrap(net, (64, 64), name="two"), picture)
    found = reach(traced, Place(65, 45))  # the middle: a window of its own first, then four corners of four windows
    assert found.counts == (16, 64)
    corner = reach(traced, Place(1, 1))  # the mask keeps the other three corners away: its own window and no more
    assert corner.counts == (16, 16)


def test_convolutions_are_said_to_be_left_out(make, picture):
    sizes = {"img_size": (64, 96), "embed_dim": (32, 64), "depths": (1, 1), "stem_width": 16, "num_classes": 5}
    found = reach(trace(make("maxvit_tiny_tf_224", (64, 96), **sizes), picture), Place(60, 40))
    assert "Convolutions" in found.note and found.counts[:2] == (6, 36)  # windows of 2 x 3, then a grid of them


def test_a_place_that_the_model_did_not_see_is_refused(tiny_swin, picture):
    with pytest.raises(AttentionError, match="did not see the place"):
        reach(trace(tiny_swin, picture), Place(-40, 5))
