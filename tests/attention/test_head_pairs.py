"""Heads of two models: which changed, for one query and for all, and which go together, against oracles."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

import vitviz
from vitviz.attention.head_pairs import Placed, changed_heads, changed_rows, match_heads
from vitviz.attention.values import HeadMaps
from vitviz.errors import AttentionError, Cancelled
from vitviz.images import Preprocessing
from vitviz.models.layout import Grid
from vitviz.view import view_of


def over(side, patch):
    """The view of a square picture that is seen whole, and the grid of its patches."""
    view = view_of((side, side), Preprocessing((side, side), (0.5,) * 3, (0.5,) * 3, crop_mode="squash"))
    return view, Grid.over((side, side), side // patch, side // patch)


def placed_of(values, view, grid):
    """Maps (H, gh, gw) of every layer, by hand."""
    none = tuple(np.zeros((len(v), 0), dtype=np.float32) for v in values)
    maps = HeadMaps("mean", "from", tuple(values), none, tuple(np.zeros(len(v), dtype=np.float32) for v in values))
    return Placed(maps, [grid] * len(values), view)


@pytest.fixture(scope="module")
def twins(tiny_vit, picture):
    """Traces of a ViT before and after rows of the queries of its second layer were moved."""
    import copy

    import torch

    module = copy.deepcopy(tiny_vit.module)
    with torch.no_grad():
        module.blocks[1].attn.qkv.weight[:16] += 0.4  # of head 0
    return vitviz.trace(tiny_vit, picture), vitviz.trace(replace(tiny_vit, module=module), picture)


def placed(trace, query=None, direction="from"):
    return Placed.of(trace, vitviz.head_maps(trace, query, direction))


def test_rotated_head_is_the_only_one_that_changed(twins):
    one = placed(twins[0])
    values = [v.copy() for v in one.maps.values]
    values[1][0] = np.roll(values[1][0], 2, axis=1)
    found = changed_heads(one, replace(one, maps=replace(one.maps, values=tuple(values)))).values
    moved = 0.5 * np.abs(values[1][0] - one.maps.values[1][0]).sum()
    wanted = np.zeros((3, 2))
    wanted[1, 0] = moved
    assert np.allclose(found, wanted, atol=1e-6) and moved > 0.05


def test_rank_change_of_one_query_is_1_less_scipys_correlation_of_the_rows(twins):
    first, second = (placed(trace) for trace in twins)
    found = changed_heads(first, second, "rank").values
    for layer, head in itertools.product(range(3), range(2)):
        rows = [np.append(each.maps.values[layer][head], each.maps.prefix[layer][head]) for each in (first, second)]
        assert found[layer, head] == pytest.approx(1 - spearmanr(*rows).statistic, abs=1e-9)


def test_distance_over_all_queries_is_the_mean_over_each_alone(twins):
    found = changed_rows(*twins)
    assert found.queries == (25, 25)
    for layer in range(3):
        a, b = (trace.weights(layer).astype(float) for trace in twins)
        assert np.allclose(found.values[layer], 0.5 * np.abs(a - b).sum(-1).mean(-1), atol=1e-12)
    assert found.values[0].max() < 1e-6 < found.values[1, 0] and found.values[1, 1] < 1e-6 < found.values[2].min()


def test_rank_change_over_all_queries_is_the_mean_of_scipys(twins):
    found = changed_rows(*twins, "rank").values
    a, b = (trace.weights(1, heads=0)[0] for trace in twins)
    assert found[1, 0] == pytest.approx(np.mean([1 - spearmanr(p, q).statistic for p, q in zip(a, b, strict=True)]))


@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_rank_change_within_windows_is_that_of_the_keys_of_the_window(tiny_swin, picture):
    import copy

    import torch

    module = copy.deepcopy(tiny_swin.module)
    with torch.no_grad():
        for value in module.parameters():
            value.add_(0.05 * torch.randn(value.shape, generator=torch.Generator().manual_seed(1)))
    seen = vitviz.trace(tiny_swin, picture), vitviz.trace(replace(tiny_swin, module=module), picture)
    found = changed_rows(*seen, "rank")
    assert found.values.shape == (4, 4) and np.isnan(found.values[0, 2:]).all()  # two heads, then four
    a, b = (trace.weights(1, heads=1)[0] for trace in seen)
    each = [1 - spearmanr(p[p > 1e-30], q[p > 1e-30]).statistic for p, q in zip(a, b, strict=True)]
    # A window at the corner holds one key alone: its row has no order.
    assert 0 < np.isnan(each).mean() < 0.5
    assert found.values[1, 1] == pytest.approx(np.nanmean(each), abs=1e-6)


def test_some_queries_stand_for_all_and_are_counted(twins):
    found = changed_rows(*twins, most=7)
    assert found.queries == (7, 25)
    a, b = (trace.weights(2, queries=[0, 4, 8, 12, 16, 20, 24]).astype(float) for trace in twins)
    assert np.allclose(found.values[2], 0.5 * np.abs(a - b).sum(-1).mean(-1))


def test_comparing_all_queries_can_be_cancelled(twins):
    with pytest.raises(Cancelled):
        changed_rows(*twins, cancel=lambda: True)


@pytest.mark.parametrize("direction", ["from", "to"])
@pytest.mark.parametrize("measure", ["distance", "rank"])
def test_model_has_no_change_to_itself(twins, direction, measure):
    one = placed(twins[0], (1, 2), direction)
    assert np.allclose(changed_heads(one, one, measure).values, 0, atol=1e-12)


@pytest.mark.parametrize("direction", ["from", "to"])
def test_distance_is_between_0_and_1(twins, direction):
    first, second = (placed(trace, (1, 2), direction) for trace in twins)
    found = changed_heads(first, second).values
    assert found.min() >= 0 and 1e-4 < found.max() <= 1


def test_same_heads_on_a_finer_grid_have_not_changed():
    view, grid = over(128, 32)
    _, finer = over(128, 16)
    maps = [np.random.default_rng(layer).random((3, 4, 4)).astype(np.float32) ** 6 for layer in range(2)]
    spread = [each.repeat(2, 1).repeat(2, 2) / 4 for each in maps]
    found = changed_heads(placed_of(maps, view, grid), placed_of(spread, view, finer))
    assert np.allclose(found.values, 0, atol=1e-6)


def test_heads_of_other_shapes_are_not_compared_one_by_one(tiny_vit, tiny_swin, picture, twins):
    other = vitviz.trace(tiny_swin, picture)
    with pytest.raises(AttentionError, match="same layers"):
        changed_heads(placed(twins[0], "mean"), placed(other, "mean"))
    with pytest.raises(AttentionError, match="same layers"):
        changed_rows(twins[0], other)


@given(seed=st.integers(0, 2**31), count=st.integers(1, 5))
def test_matching_makes_the_sum_of_overlaps_largest(seed, count):
    generator = np.random.default_rng(seed)
    view, grid = over(64, 16)
    a, b = (generator.random((n, 4, 4)).astype(np.float32) ** 4 for n in (count, 5))
    pairs = match_heads(placed_of([a], view, grid), placed_of([b], view, grid)).pairs
    assert len(pairs) == count and len({p.second for p in pairs}) == count
    shares = [m.reshape(len(m), -1).astype(float) / m.reshape(len(m), -1).sum(-1, keepdims=True) for m in (a, b)]
    gain = np.array([[np.minimum(p, q).sum() for q in shares[1]] for p in shares[0]])
    best = max(sum(gain[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(5), count))
    assert sum(p.value for p in pairs) == pytest.approx(best, abs=1e-6)


def test_shuffled_heads_on_another_grid_are_found_again():
    generator = np.random.default_rng(3)
    view, grid = over(128, 32)
    _, finer = over(128, 16)
    maps = [generator.random((3, 4, 4)).astype(np.float32) ** 6 for _ in range(2)]
    every = np.concatenate(maps)
    order = generator.permutation(6)
    shuffled = every[order].repeat(2, 1).repeat(2, 2) / 4
    pairs = match_heads(placed_of(maps, view, grid), placed_of([shuffled], view, finer)).pairs
    assert len(pairs) == 6
    for pair in pairs:
        assert order[pair.second[1]] == pair.first[0] * 3 + pair.first[1]
        assert pair.value == pytest.approx(1, abs=1e-6)


def test_heads_that_go_with_none_have_no_value():
    view, grid = over(64, 16)
    a, b = (np.random.default_rng(n).random((n, 4, 4)).astype(np.float32) for n in (5, 2))
    found = match_heads(placed_of([a], view, grid), placed_of([b], view, grid)).values
    assert found.shape == (1, 5) and np.isfinite(found).sum() == 2
