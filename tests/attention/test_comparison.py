"""Differences of maps: one place of the picture in every model, densities and ranks against oracles."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from vitviz.attention.comparison import difference, spearman
from vitviz.attention.values import Map, Selection
from vitviz.errors import AttentionError
from vitviz.images import Preprocessing
from vitviz.models.layout import Grid
from vitviz.view import view_of

sides = st.integers(16, 400)
crops = st.sampled_from(["center", "squash", "border"])


def placed(picture, size, patch, crop, pct=1.0):
    """The view of a picture and the grid of its patches."""
    asked = Preprocessing(size, (0.5,) * 3, (0.5,) * 3, crop_mode=crop, crop_pct=pct)
    return view_of(picture, asked), Grid.over(size, size[0] // patch, size[1] // patch)


@given(
    height=sides, width=sides, across=st.floats(0, 1), down=st.floats(0, 1),
    panes=st.lists(
        st.tuples(st.sampled_from([64, 96, 224]), st.sampled_from([64, 128]), st.sampled_from([8, 16, 32]), crops,
                  st.sampled_from([0.875, 0.9, 1.0])),
        min_size=2, max_size=4,
    ),
)  # fmt: skip
def test_one_place_of_the_picture_is_within_half_a_patch_of_the_middle_of_every_panes_patch(
    height, width, across, down, panes
):
    x, y = across * width, down * height
    for high, wide, patch, crop, pct in panes:
        view, grid = placed((height, width), (high, wide), patch, crop, pct)
        if not view.contains(x, y):
            continue
        row, col = grid.cell_at(*view.to_view(x, y))
        middle = view.to_picture(*grid.centre(row, col))
        # In pixels of the picture a patch has the sides that the view's own resize gives it.
        wide_px = patch * (view.box[2] - view.box[0]) / view.size[1]
        high_px = patch * (view.box[3] - view.box[1]) / view.size[0]
        assert abs(middle[0] - x) <= wide_px / 2 * (1 + 1e-9) + 1e-6
        assert abs(middle[1] - y) <= high_px / 2 * (1 + 1e-9) + 1e-6


def a_map(values, view, grid):
    return Map(np.asarray(values, dtype=np.float32), Selection(), grid, view, "layer", "model", "picture")


@given(seed=st.integers(0, 2**31), ties=st.booleans())
def test_spearman_is_scipys(seed, ties):
    generator = np.random.default_rng(seed)
    a, b = (generator.integers(0, 4, 30) if ties else generator.random(30) for _ in range(2))
    assume(len(set(a.tolist())) > 1 and len(set(b.tolist())) > 1)
    assert spearman(a, b) == pytest.approx(float(spearmanr(a, b).statistic), abs=1e-12)


def test_spearman_of_a_constant_map_is_not_a_number():
    assert np.isnan(spearman(np.ones(5), np.arange(5)))


@given(height=sides, width=sides, crop=crops, seed=st.integers(0, 2**31))
def test_difference_of_a_map_with_itself_is_nothing(height, width, crop, seed):
    view, grid = placed((height, width), (64, 96), 16, crop)
    one = a_map(np.random.default_rng(seed).random(grid.shape), view, grid)
    found = difference(one, one)
    assert found.largest == 0 and found.correlation == pytest.approx(1) and found.overlap == pytest.approx(1)


@pytest.mark.parametrize(("coarse", "fine"), [(32, 16), (32, 8), (16, 8)])
def test_same_attention_on_two_patch_sizes_has_no_difference(coarse, fine):
    """Each coarse patch's weight is spread over the fine patches that it holds."""
    picture = (128, 128)
    view, grid = placed(picture, (128, 128), coarse, "squash")
    _, finer = placed(picture, (128, 128), fine, "squash")
    weights = np.random.default_rng(0).random(grid.shape)
    weights /= weights.sum()
    times = coarse // fine
    spread = weights.repeat(times, 0).repeat(times, 1) / times**2
    found = difference(a_map(weights, view, grid), a_map(spread, view, finer))
    assert found.largest < 1e-5
    assert found.correlation == pytest.approx(1) and found.overlap == pytest.approx(1)


def test_difference_is_signed_in_units_of_uniform_attention_and_unknown_where_one_saw_nothing():
    view, grid = placed((64, 128), (64, 64), 32, "center")  # the middle 64 columns
    other, wide = placed((64, 128), (64, 64), 32, "squash")
    first = a_map([[0.7, 0.1], [0.1, 0.1]], view, grid)
    second = a_map([[0.25, 0.25], [0.25, 0.25]], other, wide)
    found = difference(first, second)
    assert found.values.shape == (64, 128)
    assert np.isnan(found.values[:, :32]).all() and np.isnan(found.values[:, 96:]).all()
    assert found.values[5, 35] == pytest.approx(4 * 0.7 - 1) and found.values[50, 90] == pytest.approx(4 * 0.1 - 1)
    assert difference(second, first).largest == pytest.approx(found.largest)


def test_maps_of_different_pictures_are_refused():
    view, grid = placed((64, 64), (64, 64), 32, "squash")
    other, _ = placed((64, 65), (64, 64), 32, "squash")
    with pytest.raises(AttentionError, match="one picture"):
        difference(a_map(np.ones((2, 2)), view, grid), a_map(np.ones((2, 2)), other, grid))
