"""Colours of values, and the ends of the scale."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitviz.render.mosaic import Mosaic, tiles_for
from vitviz.render.scale import labels_of, note_of
from vitviz.render.style import COLORMAPS, Style, color_indices, color_table, limits_of

LAYERS = [np.array([[[0.1, 0.2]], [[0.0, 0.5]]]), np.array([[[0.3, 0.9]]])]


@pytest.mark.parametrize("name", COLORMAPS)
def test_color_table_has_256_different_colours_that_get_lighter(name):
    table = color_table(name)
    assert table.shape == (256, 3) and table.dtype == np.uint8
    light = table @ np.array([0.2126, 0.7152, 0.0722])
    assert light[-1] - light[0] > 120
    assert (np.diff(light) > -2.0).all()


def test_viridis_has_its_published_ends():
    assert color_table("viridis")[0].tolist() == [68, 1, 84]
    assert color_table("viridis")[255].tolist() == [253, 231, 37]


def test_rainbows_are_not_offered_and_viridis_is_the_default():
    assert not {"jet", "turbo", "hsv", "rainbow"} & set(COLORMAPS)
    assert Style().colormap == "viridis"


def test_color_table_is_shared_and_so_read_only():
    assert color_table("magma") is color_table("magma")
    with pytest.raises(ValueError):
        color_table("magma")[0] = 0


def test_unknown_colormap_is_a_value_error():
    with pytest.raises(ValueError, match="no-such-colours"):
        color_table("no-such-colours")


@pytest.mark.parametrize(
    ("limits", "ends"),
    [("map", (0.1, 0.2)), ("layer", (0.0, 0.5)), ("all", (0.0, 0.9)), ((0.25, 2.0), (0.25, 2.0))],
)
def test_limits_are_of_the_map_its_layer_all_layers_or_as_given(limits, ends):
    assert limits_of(LAYERS[0][0], limits, LAYERS[0], LAYERS) == pytest.approx(ends)


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.floats(-1e3, 2e3))
def test_index_grows_from_0_at_the_low_end_to_255_at_the_high_end(low, span, value):
    limits = low, low + span
    ends = color_indices(np.array([low, low + span]), limits)
    assert ends.tolist() == [0, 255]
    wanted = min(max((value - low) / (limits[1] - limits[0]), 0.0), 1.0) * 255
    assert abs(int(color_indices(np.array([value]), limits)[0]) - wanted) <= 0.5 + 1e-6


@pytest.mark.parametrize("limits", [(0.5, 0.5), (0.7, 0.2), (float("nan"), 1.0)])
def test_index_is_0_where_the_limits_leave_no_room(limits):
    assert not color_indices(np.linspace(0, 1, 9), limits).any()


def test_rounding_of_a_constant_map_is_no_structure():
    rng = np.random.default_rng(0)
    values = (1 / 256 * (1 + 3e-7 * rng.standard_normal((2, 8, 8)))).astype(np.float32)
    limits = limits_of(values[0], "map", values, [values])
    assert limits[0] == limits[1] == values[0].max()
    assert len(np.unique(color_indices(values[0], limits))) == 1
    assert note_of("map", limits) == "uniform: every patch has 0.003906"
    assert [label for label in labels_of(limits) if label] == ["3.906"]
    drawn = Mosaic(tiles_for([(8, 8)], [2])).draw([values], "map")
    assert len(np.unique(drawn[:, :8])) == 1
    values[0, 3, 3] *= 1.001  # little, but more than rounding
    assert len(np.unique(color_indices(values[0], limits_of(values[0], "map", values, [values])))) > 1
