"""Head statistics: published values, invariants, and equality with a dense computation in numpy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import vitviz
from vitviz.attention import layer as layer_module
from vitviz.attention.calls import Call
from vitviz.attention.layer import Layer
from vitviz.attention.statistics import head_statistics, layer_statistics
from vitviz.errors import AttentionError, Cancelled
from vitviz.models.layout import Grid, Windows


def layer_of(grid, prefix=(), heads=2, probabilities=None, windows=None):
    """A layer with uniform attention, or with these probabilities (H, N, N)."""
    if probabilities is not None:
        call = Call((), probabilities=torch.as_tensor(probabilities, dtype=torch.float32).unsqueeze(0))
        heads = len(probabilities)
    elif windows is None:
        zeros = torch.zeros(1, heads, len(prefix) + grid.size, 4)
        call = Call((), q=zeros, k=zeros)
    else:
        zeros = torch.zeros(*windows.index().shape, heads, 4).transpose(1, 2)
        call = Call((), q=zeros, k=zeros)
    kind = "global" if windows is None else "window"
    return Layer(0, "made", kind, heads, grid, grid, tuple(prefix), call, windows)


def brute(layer, weights):
    """Distances by both definitions and the entropy of dense weights (H, Nq, Nk), in float64 and one by one."""
    prefix, keys, queries = layer.num_prefix_tokens, layer.grid, layer.query_grid
    to = np.array([keys.centre(r, c) for r in range(keys.rows) for c in range(keys.cols)])
    of = np.array([queries.centre(r, c) for r in range(queries.rows) for c in range(queries.cols)])
    apart = np.hypot(of[:, None, 0] - to[None, :, 0], of[:, None, 1] - to[None, :, 1])
    weights = weights.astype(np.float64)
    patches = weights[:, prefix:, prefix:]
    shares = patches / patches.sum(-1, keepdims=True)
    logs = np.log(np.where(weights > 0, weights, 1.0))
    return (
        (patches * apart).sum(-1).mean(-1),
        (shares * apart).sum(-1).mean(-1),
        -(weights * logs).sum(-1).mean(-1),
    )


@pytest.mark.parametrize(
    ("side", "patch", "printed"),
    [(14, 16, "116.492"), (7, 32, "115.503"), (28, 8, "116.722"), (24, 16, "200.048"), (37, 14, "269.992")],
)
def test_uniform_attention_has_the_published_distance(side, patch, printed):
    found = layer_statistics(layer_of(Grid(side, side, (patch, patch)), heads=1))
    for distance in found.distance.values():
        assert f"{distance[0]:.3f}" == printed


def test_the_farthest_pair_of_14_x_14_patches_is_294_156_px_apart():
    weights = np.zeros((1, 196, 196))
    weights[:, :, 195] = 1.0
    weights[:, 1:] = np.eye(196)[1:]  # only the first patch looks away from itself, into the other corner
    found = layer_statistics(layer_of(Grid(14, 14, (16, 16)), probabilities=weights))
    assert f"{found.distance['vit'][0] * 196:.3f}" == "294.156"


@pytest.mark.parametrize(("side", "stride", "printed"), [(56, 4, "14.438"), (28, 8, "28.876"), (14, 16, "57.751")])
@pytest.mark.parametrize("shift", [0, 3])
def test_uniform_windows_of_swin_have_the_published_distance(side, stride, printed, shift):
    windows = Windows((side, side), (7, 7), (shift, shift))
    found = layer_statistics(layer_of(Grid(side, side, (stride, stride)), windows=windows))
    if shift == 0:
        assert [f"{d:.3f}" for d in found.distance["vit"]] == [printed] * 2
    else:  # without a mask the seam joins what lies far apart in the picture
        assert found.distance["vit"].min() > float(printed)
    assert found.entropy == pytest.approx([math.log(49)] * 2, rel=1e-6)


def test_weight_on_the_class_token_tells_the_definitions_apart():
    weights = np.full((1, 197, 197), 0.7 / 196)
    weights[:, :, 0] = 0.3
    found = layer_statistics(layer_of(Grid(14, 14, (16, 16)), ("cls",), probabilities=weights))
    assert f"{found.distance['vit'][0]:.1f}" == "81.5"
    assert f"{found.distance['renormalised'][0]:.1f}" == "116.5"
    assert found.prefix_mass == pytest.approx(np.array([[0.3]]), rel=1e-5)
    assert found.sink_mass == pytest.approx([0.7 / 196], rel=1e-5)


def test_identity_looks_nowhere_and_knows_where():
    found = layer_statistics(layer_of(Grid(5, 9, (4, 4)), probabilities=np.eye(45)[None].repeat(3, 0)))
    for values in (*found.distance.values(), found.entropy):
        assert np.array_equal(values, np.zeros(3))


@given(rows=st.integers(1, 9), cols=st.integers(1, 9), prefix=st.integers(0, 3))
def test_entropy_of_uniform_attention_is_the_logarithm_of_the_tokens(rows, cols, prefix):
    found = layer_statistics(layer_of(Grid(rows, cols, (8, 8)), [f"reg{i}" for i in range(prefix)]))
    assert found.entropy == pytest.approx([math.log(rows * cols + prefix)] * 2, abs=3e-6)
    assert found.prefix_mass.sum() + 2 * rows * cols * found.sink_mass[0] == pytest.approx(2.0, rel=1e-5)


@given(
    rows=st.integers(1, 7),
    cols=st.integers(1, 7),
    prefix=st.integers(0, 2),
    stride=st.tuples(st.integers(1, 32), st.integers(1, 32)),
    seed=st.integers(0, 2**16),
    chunk=st.sampled_from([1, 500, 64 * 2**20]),
)
def test_any_grid_in_chunks_of_any_size_equals_the_dense_computation(rows, cols, prefix, stride, seed, chunk):
    random = np.random.default_rng(seed)
    count = rows * cols + prefix
    weights = random.dirichlet(np.full(count, 0.2), (2, count)).astype(np.float32)
    found_layer = layer_of(Grid(rows, cols, stride), [f"reg{i}" for i in range(prefix)], probabilities=weights)
    before, layer_module._CHUNK_BYTES = layer_module._CHUNK_BYTES, chunk
    try:
        found = layer_statistics(found_layer)
    finally:
        layer_module._CHUNK_BYTES = before
    vit, renormalised, entropy = brute(found_layer, weights)
    assert found.distance["vit"] == pytest.approx(vit, rel=1e-4, abs=1e-4)
    assert found.entropy == pytest.approx(entropy, rel=1e-4, abs=1e-5)
    if (weights[:, prefix:, prefix:].sum(-1) > 1e-6).all():
        assert found.distance["renormalised"] == pytest.approx(renormalised, rel=1e-4, abs=1e-4)


def test_every_family_equals_the_dense_computation(family, built):
    _, seen = built(family)
    found = head_statistics(seen)
    for layer in seen.layers:
        dense = seen.weights(layer.index)
        count = slice(0, layer.num_heads)
        prefix = layer.num_prefix_tokens
        if layer.kind == "pool":
            assert np.isnan(found.distance_vit[layer.index]).all()
            mean = dense.mean(1)
        else:
            vit, renormalised, entropy = brute(layer, dense)
            assert found.distance_vit[layer.index, count] == pytest.approx(vit, rel=1e-4, abs=1e-4)
            assert found.distance_renormalised[layer.index, count] == pytest.approx(renormalised, rel=1e-4, abs=1e-4)
            assert found.entropy[layer.index, count] == pytest.approx(entropy, rel=1e-4, abs=1e-5)
            mean = dense[:, prefix:].mean(1)
        assert found.sink_mass[layer.index, count] == pytest.approx(mean[:, prefix:].max(-1), rel=1e-4)
        for head, (row, col) in enumerate(found.sink[layer.index]):
            largest = mean[head, prefix + row * layer.grid.cols + col]
            assert largest == pytest.approx(mean[head, prefix:].max(), rel=1e-4)
        for number, name in enumerate(layer.prefix_tokens):
            assert found.prefix_mass[name][layer.index, count] == pytest.approx(mean[:, number], rel=1e-4, abs=1e-6)


def test_public_functions_give_nan_where_a_layer_has_fewer_heads(tiny_swin, picture):
    seen = vitviz.trace(tiny_swin, picture)
    for values in (
        vitviz.attention_distance(seen),
        vitviz.attention_distance(seen, definition="renormalised"),
        vitviz.attention_entropy(seen),
    ):
        assert values.shape == (4, 4) and values.dtype == np.float32
        assert np.isnan(values).sum() == 4 and np.isnan(values[:2, 2:]).all()


def test_distance_grows_with_the_stride(tiny_vit, picture):
    seen = vitviz.trace(tiny_vit, picture)
    layer = seen.layers[0]
    wide = Layer(0, "wide", "global", 2, Grid(4, 6, (32, 32)), Grid(4, 6, (32, 32)), layer.prefix_tokens, layer.call)
    once, twice = layer_statistics(layer).distance["vit"], layer_statistics(wide).distance["vit"]
    assert twice == pytest.approx(2 * once, rel=1e-6)


def test_unknown_definition_is_refused(tiny_vit, picture):
    with pytest.raises(AttentionError, match="'vit' or 'renormalised'"):
        vitviz.attention_distance(vitviz.trace(tiny_vit, picture), definition="nearest")


def test_progress_comes_layer_by_layer_and_cancelling_stops_it(tiny_vit, picture):
    seen, told = vitviz.trace(tiny_vit, picture), []
    head_statistics(seen, progress=lambda fraction, text: told.append((fraction, text)))
    assert [fraction for fraction, _ in told] == [0.0, 1 / 3, 2 / 3] and "layer 2" in told[-1][1]
    with pytest.raises(Cancelled):
        head_statistics(seen, cancel=lambda: True)
