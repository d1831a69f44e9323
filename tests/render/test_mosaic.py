"""The atlas: where tiles lie, what is in them, and the way back from a pixel to a head."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitviz.render.mosaic import Mosaic, Tiles, table, tiles_for
from vitviz.render.style import color_table

RAGGED = (3, 6, 12, 24)

tilings = st.builds(
    Tiles,
    heads=st.lists(st.integers(1, 9), min_size=1, max_size=7).map(tuple),
    tile=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    gap=st.integers(1, 4),
)
share = st.floats(0, 1, exclude_max=True)


@given(tilings, st.data(), share, share)
def test_hit_test_is_the_inverse_of_box(tiles, data, u, v):
    layer = data.draw(st.integers(0, len(tiles.heads) - 1))
    head = data.draw(st.integers(0, tiles.heads[layer] - 1))
    x, y, width, height = tiles.box(layer, head)
    found = tiles.at(x + u * width * 0.999, y + v * height * 0.999)
    assert found is not None and found[:2] == (layer, head)
    assert found[2:] == pytest.approx((u * 0.999, v * 0.999), abs=1e-9)


@given(tilings, st.data())
def test_hit_test_finds_nothing_in_gaps_beside_the_atlas_and_where_a_layer_has_fewer_heads(tiles, data):
    layer = data.draw(st.integers(0, len(tiles.heads) - 1))
    head = data.draw(st.integers(0, tiles.heads[layer] - 1))
    x, y, width, height = tiles.box(layer, head)
    assert tiles.at(x + width + tiles.gap / 2, y) is None
    assert tiles.at(x, y + height + tiles.gap / 2) is None
    assert tiles.at(-0.5, y) is None and tiles.at(x, -0.5) is None
    missing = tiles.box(layer, tiles.heads[layer])
    assert tiles.at(missing[0], missing[1]) is None
    assert tiles.at(x, tiles.box(len(tiles.heads), 0)[1]) is None


@given(tilings)
def test_tiles_fill_the_size_exactly(tiles):
    boxes = [tiles.box(i, h) for i, heads in enumerate(tiles.heads) for h in range(heads)]
    assert tiles.size == (max(y + h for _, y, _, h in boxes), max(x + w for x, _, w, _ in boxes))


def layers_of(heads, grids, seed=0):
    numbers = np.random.default_rng(seed)
    return [numbers.random((count, *grid)).astype(np.float32) for count, grid in zip(heads, grids, strict=True)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.tuples(st.integers(1, 20), st.integers(1, 20))), min_size=1, max_size=5),
    st.integers(0, 999),
)
def test_every_pixel_of_a_tile_is_the_index_of_the_value_under_it_and_gaps_are_0(layers, seed):
    heads, grids = zip(*layers, strict=True)
    values = layers_of(heads, grids, seed)
    tiles = tiles_for(grids, heads)
    seen = Mosaic(tiles).draw(values, (0.1, 0.8))
    assert seen.shape == tiles.size and seen.dtype == np.uint8
    claimed = np.zeros(tiles.size, dtype=bool)
    for layer, maps in enumerate(values):
        for head, one in enumerate(maps):
            x, y, width, height = tiles.box(layer, head)
            rows = [min(int((i + 0.5) * one.shape[0] / height), one.shape[0] - 1) for i in range(height)]
            cols = [min(int((i + 0.5) * one.shape[1] / width), one.shape[1] - 1) for i in range(width)]
            wanted = 1 + 254 * np.clip((one[rows][:, cols] - 0.1) / 0.7, 0, 1)
            assert np.abs(seen[y : y + height, x : x + width] - wanted).max() <= 0.51
            claimed[y : y + height, x : x + width] = True
    assert not seen[~claimed].any() and seen[claimed].all()


def test_layer_with_fewer_heads_leaves_its_row_empty_after_them():
    values = layers_of(RAGGED, [(16, 16), (8, 8), (4, 4), (2, 2)])
    mosaic = Mosaic(tiles_for([v.shape[1:] for v in values], RAGGED))
    seen = mosaic.draw(values, "map")
    for layer, count in enumerate(RAGGED):
        _, y, _, height = mosaic.tiles.box(layer, 0)
        end = mosaic.tiles.box(layer, count - 1)[0] + mosaic.tiles.tile[1]
        row = seen[y : y + height]
        assert (row[:, :end] > 0).any(0).sum() == count * mosaic.tiles.tile[1]
        assert not row[:, end:].any()


def ends_of(seen, tiles, layer, head):
    x, y, width, height = tiles.box(layer, head)
    part = seen[y : y + height, x : x + width]
    return int(part.min()), int(part.max())


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ("map", {(0, 0): (1, 255), (0, 1): (1, 255), (1, 0): (1, 255)}),
        ("layer", {(0, 0): (1, 128), (0, 1): (1, 255), (1, 0): (1, 255)}),
        ("all", {(0, 0): (1, 65), (0, 1): (1, 128), (1, 0): (1, 255)}),
    ],
)
def test_scale_is_shared_over_map_layer_or_all(limits, wanted):
    ramp = np.linspace(0, 1, 144, dtype=np.float32).reshape(12, 12)
    values = [np.stack([ramp * 0.25, ramp * 0.5]), np.stack([ramp])]
    mosaic = Mosaic(tiles_for([(12, 12)] * 2, (2, 1)))
    seen = mosaic.draw(values, limits)
    for tile, ends in wanted.items():
        assert ends_of(seen, mosaic.tiles, *tile) == pytest.approx(ends, abs=1)


@pytest.mark.parametrize("limits", ["map", "layer", "all", (0.5, 0.5)])
def test_maps_without_contrast_are_drawn_in_the_lowest_colour(limits):
    mosaic = Mosaic(tiles_for([(12, 12)], (2,)))
    seen = mosaic.draw([np.zeros((2, 12, 12), dtype=np.float32)], limits)
    assert set(np.unique(seen)) == {0, 1}


def test_drawing_again_is_independent_of_what_was_drawn_before():
    grids = [(9, 9), (3, 3)]
    first, second = layers_of((2, 4), grids, 1), layers_of((2, 4), grids, 2)
    mosaic = Mosaic(tiles_for(grids, (2, 4)))
    before = mosaic.draw(first, "map")
    mosaic.draw(second, "layer")
    assert np.array_equal(mosaic.draw(first, "map"), before)


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=1, max_size=4))
def test_tiles_have_a_size_that_can_be_seen_and_drawn(grids):
    high, wide = tiles_for(grids, [2] * len(grids)).tile
    assert 12 <= max(high, wide) <= 64 and min(high, wide) >= 1


@pytest.mark.parametrize("name", ["viridis", "gray"])
def test_table_is_the_background_then_the_colormap_from_end_to_end(name):
    colors = table(name, (1, 2, 3))
    assert colors.shape == (256, 3) and colors.dtype == np.uint8
    assert colors[0].tolist() == [1, 2, 3]
    assert colors[1].tolist() == color_table(name)[0].tolist()
    assert colors[255].tolist() == color_table(name)[255].tolist()
