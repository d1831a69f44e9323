"""Rollout: what it must be on matrices that one knows, and the row form against products of whole matrices."""

import numpy as np
import pytest
import torch
from families import FAMILIES
from hypothesis import given
from hypothesis import strategies as st

import vitviz
from vitviz.attention.calls import Call
from vitviz.attention.layer import Layer
from vitviz.attention.steps import descend, fuse, pull
from vitviz.attention.trace import Trace
from vitviz.attention.values import Place, RolloutOptions
from vitviz.errors import AttentionError, Cancelled
from vitviz.models.layout import Grid
from vitviz.view import View

BY_KEY = {family.key: family for family in FAMILIES}
GLOBAL = ("vit", "deit-distilled", "dinov2-registers", "beit", "relpos-mlp", "eva02", "naflex-registers")
OPTIONS = [
    {}, {"fusion": "max"}, {"fusion": "min"}, {"discard": 0.6}, {"fusion": "max", "discard": 0.9}, {"residual": 0.2},
    {"first_layer": 1}, {"last_layer": 0},
]  # fmt: skip


def trace_of(matrices, grid=(2, 3), prefix=("cls",)):
    """A trace whose layers have these matrices (L, H, N, N)."""
    height, width = grid[0] * 8, grid[1] * 8
    made = Grid(*grid, (8.0, 8.0))
    layers = tuple(
        Layer(i, f"blocks.{i}.attn", "global", len(m), made, made, prefix, Call((), probabilities=m[None].float()))
        for i, m in enumerate(matrices)
    )
    view = View((height, width), (height, width), (0.0, 0.0, float(width), float(height)))
    default = "cls" if "cls" in prefix else "mean"
    empty = np.empty(0, np.float32)
    return Trace(layers, empty, (), view, "picture", "by hand", prefix, default, (), 0.0, "cpu")


def stochastic(layers=3, heads=2, tokens=7, seed=0):
    return torch.randn(layers, heads, tokens, tokens, generator=torch.Generator().manual_seed(seed)).mul(3).softmax(-1)


def whole(m):
    """Prefix weights and values of a map in the order of the tokens."""
    return np.concatenate([np.array(list(m.prefix_weights.values()), np.float32), m.values.ravel()])


def dense(traced, fusion="mean", discard=0.0, first_layer=0, last_layer=None, residual=0.5):
    """R by products of whole matrices in float64, fused by the test's own hand."""
    result = None
    for layer in traced.layers[first_layer : None if last_layer is None else last_layer + 1]:
        if layer.kind == "pool":
            continue
        a = traced.weights(layer.index).astype(np.float64)
        a = a[[head for head in range(len(a)) if head not in layer.off]]
        if not len(a):
            result = np.eye(a.shape[-1]) if result is None else result
            continue
        fused = getattr(np, fusion)(a, axis=0)
        fused /= fused.sum(-1, keepdims=True)
        prefix = layer.num_prefix_tokens
        for row in fused:
            least = np.argsort(row[prefix:], kind="stable")[: int(discard * (len(row) - prefix))]
            row[prefix + least] = 0
        fused /= fused.sum(-1, keepdims=True)
        step = residual * np.eye(len(fused)) + (1 - residual) * fused
        result = step if result is None else step @ result
    return result


@pytest.mark.parametrize("query", ["cls", "mean", (1, 2)])
def test_identity_attention_gives_the_query_itself(query):
    eye = torch.eye(7).expand(4, 2, 7, 7)
    found = whole(vitviz.rollout(trace_of(eye), query=query))
    expected = {"cls": np.eye(7)[0], "mean": np.array([0, *[1 / 6] * 6]), (1, 2): np.eye(7)[6]}[query]
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize("layers", [1, 2, 5, 12])
def test_uniform_attention_gives_its_closed_form_at_every_other_token(layers):
    found = whole(vitviz.rollout(trace_of(torch.full((layers, 3, 7, 7), 1 / 7)), query="cls"))
    np.testing.assert_allclose(found[1:], (1 - 2.0**-layers) / 7, rtol=1e-5)
    assert found[0] == pytest.approx((1 - 2.0**-layers) / 7 + 2.0**-layers, rel=1e-5)


@pytest.mark.parametrize("key", GLOBAL)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_row_of_rollout_equals_dense_product(key, options, built):
    _, traced = built(BY_KEY[key])
    product = dense(traced, **options)
    layer = traced.layers[0]
    assert np.abs(product.sum(-1) - 1).max() < 1e-5
    for position, name in enumerate(layer.prefix_tokens):
        np.testing.assert_allclose(whole(vitviz.rollout(traced, query=name, **options)), product[position], atol=1e-6)
    for cell in ((0, 0), (layer.grid.rows - 1, 1)):
        token = layer.num_prefix_tokens + cell[0] * layer.grid.cols + cell[1]
        np.testing.assert_allclose(whole(vitviz.rollout(traced, query=cell, **options)), product[token], atol=1e-6)
    mean = product[layer.num_prefix_tokens :].mean(0)
    np.testing.assert_allclose(whole(vitviz.rollout(traced, query="mean", **options)), mean, atol=1e-6)


OFF = [((0, 1),), ((0, 0), (1, 1)), ((1, 0), (1, 1), (1, 2)), tuple((at, head) for at in range(3) for head in range(3))]


@pytest.mark.parametrize("off", OFF, ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_heads_that_are_off_are_left_out_of_the_dense_product_too(off, options):
    traced = trace_of(stochastic(heads=3))
    for layer in traced.layers:
        layer.off = tuple(head for at, head in off if at == layer.index)
    product = dense(traced, **options)
    found = vitviz.rollout(traced, query=(1, 2), **options)
    np.testing.assert_allclose(whole(found), product[6], atol=1e-6)
    assert whole(found).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
def test_without_a_head_the_rollout_is_that_of_a_model_that_never_had_it(fusion):
    matrices = stochastic(heads=3)
    with_off = trace_of(matrices)
    for layer in with_off.layers:
        layer.off = (1,)
    never = trace_of(matrices[:, [0, 2]])
    for variant in ("abnar", "vit-explain"):
        found, expected = (vitviz.rollout(t, query="cls", fusion=fusion, variant=variant) for t in (with_off, never))
        np.testing.assert_allclose(whole(found), whole(expected), atol=1e-6)
    assert found.note.startswith("Over 2 of 3 heads of layer 0")


def test_heads_switched_off_in_a_model_leave_its_rollout_and_its_means(make, picture):
    model = make("vit_tiny_patch16_224", (64, 64), img_size=64, depth=2, embed_dim=24, num_heads=3)
    plain = vitviz.trace(model, picture)
    seen = vitviz.trace(model, picture, ablation=vitviz.Ablation([(0, 1), (1, 0), (1, 1), (1, 2)]))
    np.testing.assert_allclose(whole(vitviz.rollout(seen)), dense(seen)[0], atol=1e-6)
    assert np.abs(whole(vitviz.rollout(seen)) - whole(vitviz.rollout(plain))).max() > 1e-4
    rows = seen.weights(0, None, 0)[:, 0]
    for name in ("mean", "max", "min"):
        found = vitviz.attention_map(seen, layer=0, head=name)
        np.testing.assert_allclose(whole(found), getattr(np, name)(rows[[0, 2]], axis=0), atol=1e-6)
        assert found.note == f"{name} of 2 of 3 heads: the others are off"
    gone = vitviz.attention_map(seen, layer=1)
    assert not whole(gone).any() and gone.note == "All heads of layer 1 are off"
    alone = vitviz.attention_map(seen, layer=0, head=1)
    np.testing.assert_allclose(whole(alone), rows[1], atol=1e-6)
    assert "Head 1 is off" in alone.note and not vitviz.attention_map(seen, layer=0, head=0).note


@pytest.mark.parametrize("chunk", [1, 3000])
def test_size_of_the_chunks_changes_nothing(chunk, built, monkeypatch):
    _, traced = built(BY_KEY["dinov2-registers"])
    expected = [whole(vitviz.rollout(traced, fusion=f)) for f in ("mean", "max")]
    monkeypatch.setattr("vitviz.attention.steps._CPU_BYTES", chunk)
    for fusion, values in zip(("mean", "max"), expected, strict=True):
        np.testing.assert_allclose(whole(vitviz.rollout(traced, fusion=fusion)), values, atol=1e-7)


def test_a_patch_may_be_named_by_a_place_of_the_picture(built):
    _, traced = built(BY_KEY["vit"])
    place = Place(*traced.view.to_picture(*traced.layers[0].grid.centre(2, 3)))
    by_place, by_cell = vitviz.rollout(traced, query=place), vitviz.rollout(traced, query=(2, 3))
    np.testing.assert_array_equal(by_place.values, by_cell.values)
    assert by_place.query_cell == by_cell.query_cell == (2, 3)


@pytest.mark.parametrize("key", ["siglip", "naflex-pool"])
def test_a_model_with_attention_pool_starts_from_the_pools_own_row(key, built):
    _, traced = built(BY_KEY[key])
    pool = traced.layers[-1]
    assert pool.kind == "pool"
    product = dense(traced)
    row = traced.weights(pool.index)[:, 0].mean(0)  # a pool that leaves out the prefix tokens has no weight for them
    row = np.pad(row, (len(product) - len(row), 0))
    found = vitviz.rollout(traced)
    assert found.selection.query == "pool"
    np.testing.assert_allclose(whole(found), row @ product, atol=1e-6)
    np.testing.assert_allclose(whole(vitviz.rollout(traced, query=(1, 1))).sum(), 1, atol=1e-5)


def test_a_model_pooled_by_mean_starts_from_all_patches(built):
    _, traced = built(BY_KEY["relpos-mlp"])
    assert vitviz.rollout(traced).selection.query == "mean"


def test_grids_that_get_coarser_are_rolled_out_to_the_finest(built):
    _, traced = built(BY_KEY["coatnet"])
    first, last = traced.layers[0], traced.layers[-1]
    assert first.grid.shape != last.grid.shape
    down = np.stack([descend(row, last.grid, first.grid).numpy() for row in torch.eye(last.grid.size)])
    product = np.eye(last.grid.size)
    at = last.grid
    for layer in reversed(traced.layers):
        if layer.grid.shape != at.shape:
            product, at = product @ down, layer.grid
        product = product @ (np.eye(layer.grid.size) + traced.weights(layer.index).mean(0)) / 2
    found = vitviz.rollout(traced, query=(1, 1))
    np.testing.assert_allclose(found.values.ravel(), product[1 * last.grid.cols + 1], atol=1e-6)
    assert found.grid.shape == first.grid.shape and found.values.sum() == pytest.approx(1, abs=1e-5)


@given(rows=st.integers(1, 6), cols=st.integers(1, 6), crop=st.tuples(st.integers(0, 1), st.integers(0, 1)))
def test_every_patch_hands_equal_shares_to_the_patches_it_was_merged_from(rows, cols, crop):
    fine = Grid(max(1, 2 * rows - crop[0]), max(1, 2 * cols - crop[1]), (4.0, 4.0))
    coarse = Grid(rows, cols, (8.0, 8.0))
    for cell in range(coarse.size):
        shares = descend(torch.eye(coarse.size)[cell], coarse, fine).reshape(fine.shape)
        row, col = divmod(cell, cols)
        below = shares[2 * row : 2 * row + 2, 2 * col : 2 * col + 2]
        assert torch.all(below == 1 / below.numel()) and shares.sum() == below.sum()
        assert torch.equal(descend(shares.flatten(), fine, coarse), torch.eye(coarse.size)[cell])


def test_discard_takes_the_smallest_share_of_patches_and_no_prefix_token():
    row = torch.tensor([[[0.01, 0.4, 0.05, 0.3, 0.04, 0.2]]])
    fused = fuse(row, 1, RolloutOptions(discard=0.4))
    np.testing.assert_allclose(fused[0], np.array([0.01, 0.4, 0, 0.3, 0, 0.2]) / 0.91, rtol=1e-5)
    even = torch.full((2, 3, 6), 1 / 6)
    np.testing.assert_allclose(fuse(even, 1, RolloutOptions(discard=0.8)), even[0], rtol=1e-6)


def test_what_rolls_out_says_what_it_is(built):
    _, traced = built(BY_KEY["vit"])
    found = vitviz.rollout(traced, query="cls", fusion="max", discard=0.5, last_layer=-1)
    assert found.selection.method == "rollout"
    assert found.selection.options == RolloutOptions("max", 0.5, 0, len(traced.layers) - 1)
    assert found.values.sum() + found.prefix_mass == pytest.approx(1, abs=1e-5)
    assert found.layer_name == f"layers 0 to {len(traced.layers) - 1}"


def published(attentions, discard_ratio, head_fusion):
    """The loop of jacobgil/vit-explain, vit_rollout.py, MIT licence, as it stands there but for batches of one."""
    result = torch.eye(attentions[0].size(-1))
    for attention in attentions:
        attention = attention[None]
        fused = {"mean": attention.mean(axis=1), "max": attention.amax(axis=1), "min": attention.amin(axis=1)}
        flat = fused[head_fusion].view(1, -1)
        _, indices = flat.topk(int(flat.size(-1) * discard_ratio), -1, False)
        indices = indices[indices != 0]
        flat[0, indices] = 0
        a = (fused[head_fusion] + 1.0 * torch.eye(attention.size(-1))) / 2
        a = a / a.sum(dim=-1)
        result = torch.matmul(a, result)
    return result[0, 0, 1:]


@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
@pytest.mark.parametrize("discard", [0.0, 0.5, 0.9])
def test_the_variant_of_vit_explain_is_what_its_own_code_gives(fusion, discard):
    matrices = stochastic()
    found = vitviz.rollout(trace_of(matrices), query="cls", fusion=fusion, discard=discard, variant="vit-explain")
    np.testing.assert_allclose(found.values.ravel(), published(matrices.clone(), discard, fusion), atol=1e-6)


def test_attention_that_looks_at_one_token_moves_the_row_there():
    layer = trace_of(torch.eye(7)[torch.tensor([3, 0, 1, 2, 4, 5, 6])].expand(1, 2, 7, 7)).layers[0]
    assert torch.equal(pull(layer, torch.eye(7)[0], RolloutOptions()), torch.eye(7)[3])


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"fusion": "median"}, "'median' is unknown.*'mean' or 'max' or 'min'"),
        ({"variant": "mine"}, "'mine' is unknown"),
        ({"discard": 1.0}, "share to discard is 1.0"),
        ({"residual": -0.1}, "weight of the residual is -0.1"),
        ({"first_layer": 2, "last_layer": 1}, "first layer 2 lies above"),
        ({"last_layer": 9}, "no layer 9"),
        ({"query": "dist"}, "no token 'dist'"),
        ({"query": "pool"}, "no attention pool"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused_with_what_can(asked, says):
    with pytest.raises(AttentionError, match=says):
        vitviz.rollout(trace_of(stochastic()), **asked)


def test_it_can_be_cancelled_at_every_layer_and_says_where_it_is():
    seen = []
    with pytest.raises(Cancelled):
        vitviz.rollout(
            trace_of(stochastic(5)), progress=lambda f, text: seen.append(text), cancel=lambda: len(seen) >= 2
        )
    assert seen == ["Rollout, layer 4", "Rollout, layer 3"]
