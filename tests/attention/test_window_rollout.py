"""Rollout through windows: the row form against products of whole N x N matrices, laid out by the tests' own hand."""

from dataclasses import replace

import numpy as np
import pytest
from families import FAMILIES
from oracles import attention_by_hand, watch, window_index

import vitviz
from vitviz.attention.trace import trace
from vitviz.errors import AttentionError

BY_KEY = {family.key: family for family in FAMILIES}
BY_HAND = ("swin", "swin-padded", "swinv2", "swinv2-padded", "swinv2-cr", "swinv2-cr-padded")
OPTIONS = [
    {}, {"fusion": "max"}, {"fusion": "min"}, {"discard": 0.6}, {"fusion": "max", "discard": 0.9}, {"residual": 0.2},
    {"first_layer": 1}, {"first_layer": 2}, {"last_layer": 0}, {"last_layer": 2},
]  # fmt: skip


def fused(weights, index, size, fusion, discard):
    """Weights in windows (W, H, M, M) -> the fused matrix (size, size) in float64, without padding."""
    matrix = np.zeros((size, size))
    for inside, tokens in zip(weights.double().numpy(), index.numpy(), strict=True):
        real = tokens >= 0
        kept = inside[:, real][:, :, real]
        kept /= kept.sum(-1, keepdims=True)
        block = getattr(kept, fusion)(axis=0)
        block /= block.sum(-1, keepdims=True)
        for row in block:
            row[np.argsort(row, kind="stable")[: int(discard * len(row))]] = 0
        block /= block.sum(-1, keepdims=True)
        matrix[np.ix_(tokens[real], tokens[real])] = block
    return matrix


def merging(above, below):
    """(above, below) shares: every patch gives equal ones to those of its 2 x 2 children that there are."""
    matrix = np.zeros((above[0] * above[1], below[0] * below[1]))
    for row in range(below[0]):
        for col in range(below[1]):
            matrix[row // 2 * above[1] + col // 2, row * below[1] + col] = 1
    return matrix / matrix.sum(1, keepdims=True)


def dense(module, seen, fusion="mean", discard=0.0, residual=0.5, first_layer=0, last_layer=None, off=()):
    """The whole matrix of a rollout without the heads `off`, and the grid of its columns and rows."""
    result, grids = None, []
    for at, theirs in enumerate(seen[first_layer : None if last_layer is None else last_layer + 1], first_layer):
        index, grid = window_index(module, theirs)
        grids.append(tuple(grid))
        size = grid[0] * grid[1]
        on = [head for head in range(theirs.weights.shape[1]) if (at, head) not in off]
        step = np.eye(size)
        if on:
            step = residual * step + (1 - residual) * fused(theirs.weights[:, on], index, size, fusion, discard)
        if result is not None and grids[-2] != grids[-1]:
            result = merging(grids[-1], grids[-2]) @ result
        result = step if result is None else step @ result
    return result, grids[0], grids[-1]


def corners(grid):
    """Every corner, the middle and one cell on an inner border."""
    rows, cols = grid
    return [(0, 0), (0, cols - 1), (rows - 1, 0), (rows - 1, cols - 1), (rows // 2, cols // 2), (0, min(2, cols - 1))]


@pytest.fixture(params=BY_HAND)
def both(request, built, picture):
    """A trace, the module, and its attention as the tests see it."""
    model, traced = built(BY_KEY[request.param])
    return traced, model.module, watch(model.module, model.preprocess(picture))[1]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_row_of_rollout_equals_the_dense_product(options, both):
    traced, module, seen = both
    whole, finest, top = dense(module, seen, **options)
    queries = {"mean": whole.mean(0)} | {cell: whole[cell[0] * top[1] + cell[1]] for cell in corners(top)}
    for query, expected in queries.items():
        found = vitviz.rollout(traced, query=query, **options)
        assert found.values.shape == finest
        np.testing.assert_allclose(found.values.ravel(), expected, atol=1e-6)
        assert found.values.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_heads_that_are_off_are_left_out_of_the_dense_product_too(options, both):
    traced, module, seen = both
    off = [(0, 0), *((1, head) for head in range(traced.layers[1].num_heads)), (3, 1), (3, 2)]
    gone = [tuple(head for at, head in off if at == layer.index) for layer in traced.layers]
    layers = tuple(replace(layer, off=heads) for layer, heads in zip(traced.layers, gone, strict=True))
    expected = dense(module, seen, off=off, **options)[0].mean(0)
    found = vitviz.rollout(replace(traced, layers=layers), query="mean", **options)
    np.testing.assert_allclose(found.values.ravel(), expected, atol=1e-6)


def test_the_output_is_pooled_so_the_rollout_starts_from_all_patches(both):
    traced, module, seen = both
    found = vitviz.rollout(traced)
    assert found.selection.query == "mean"
    np.testing.assert_allclose(found.values.ravel(), dense(module, seen)[0].mean(0), atol=1e-6)


def test_fused_and_by_hand_roll_out_alike(built, picture):
    for key in ("swin", "swin-padded"):
        twins = [
            vitviz.rollout(built(BY_KEY[name])[1], query=(0, 0)) for name in (key, key.replace("swin", "swin-fused"))
        ]
        np.testing.assert_allclose(twins[0].values, twins[1].values, atol=1e-6)


@pytest.mark.parametrize("size", [(60, 60), (52, 84)])
def test_odd_grids_give_what_would_go_to_padding_to_the_neighbours(size, make, picture):
    model = make(
        "swin_tiny_patch4_window7_224", size, img_size=size, window_size=3, embed_dim=12, depths=(2, 2, 2),
        num_heads=(2, 2, 2), num_classes=5,
    )  # fmt: skip
    traced = trace(model, picture)
    whole, finest, _ = dense(model.module, watch(model.module, model.preprocess(picture))[1])
    found = vitviz.rollout(traced)
    assert any(n % 2 for layer in traced.layers for n in layer.grid.shape) and found.values.shape == finest
    np.testing.assert_allclose(found.values.ravel(), whole.mean(0), atol=1e-6)


@pytest.mark.parametrize("key", ["maxvit-tf", "maxvit-rmlp", "maxvit-tf-fused", "tinyvit-padded"])
def test_where_convolutions_mix_neighbours_the_map_says_that_it_is_an_approximation(key, built):
    found = vitviz.rollout(built(BY_KEY[key])[1])
    assert found.values.sum() == pytest.approx(1, abs=1e-5) and "convolutions" in found.note


@pytest.mark.parametrize("key", ["swin-padded", "swinv2", "vit", "hybrid"])
def test_where_none_do_it_says_nothing(key, built):
    assert vitviz.rollout(built(BY_KEY[key])[1]).note == ""


@pytest.mark.parametrize("key", ["maxvit-rmlp", "maxvit-nchw"])
def test_maxvit_equals_the_dense_product_of_its_attention(key, make, picture):
    family = BY_KEY[key]
    with attention_by_hand():
        model = make(family.architecture, family.size, **family.args)
    traced = trace(model, picture)
    whole, _, top = dense(model.module, watch(model.module, model.preprocess(picture))[1])
    np.testing.assert_allclose(vitviz.rollout(traced, query=(1, 2)).values.ravel(), whole[top[1] + 2], atol=1e-6)


def test_vit_explain_has_no_matrix_over_all_tokens_here(built):
    with pytest.raises(AttentionError, match="choose the variant 'abnar'"):
        vitviz.rollout(built(BY_KEY["swin"])[1], variant="vit-explain")
