"""Grids of grids and tiles of filters: every small map is where it is said to be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitviz.render.figure import Figure
from vitviz.render.mosaic import table
from vitviz.render.raster import pixels_of
from vitviz.render.weights import (
    filter_page,
    filter_pixels,
    filter_tiles,
    grid_indices,
    grid_page,
    grid_tiles,
    map_indices,
    row_page,
    step_for,
    tile_colors,
)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_every_small_map_is_where_its_tile_is_and_gaps_are_background(rows, cols, high, wide, seed):
    values = np.random.default_rng(seed).uniform(-1, 1, (rows, cols, high, wide)).astype(np.float32)
    tiles, pixels = grid_tiles(values), grid_indices(values, (-1.0, 1.0))
    assert pixels.shape == tiles.size
    rest = pixels.copy()
    for i, j in np.ndindex(rows, cols):
        x, y, width, height = tiles.box(i, j)
        assert np.array_equal(pixels[y : y + height, x : x + width], map_indices(values[i, j], (-1.0, 1.0)))
        rest[y : y + height, x : x + width] = 0
    assert not rest.any()


def test_colours_run_from_the_lower_to_the_upper_end():
    assert map_indices(np.array([-1.0, 0.0, 1.0, 5.0, -5.0]), (-1.0, 1.0)).tolist() == [1, 128, 255, 255, 1]
    assert map_indices(np.array([0.3, 0.3]), (0.3, 0.3)).tolist() == [1, 1]


@given(st.integers(1, 130), st.integers(1, 130))
def test_grid_of_grids_stays_a_picture_of_moderate_size(rows, cols):
    step = step_for((rows, cols))
    shown = len(range(step // 2, rows, step)) * rows * len(range(step // 2, cols, step)) * cols
    assert shown <= 2_000_000 and (step == 1 or rows * cols > 900)


def test_filters_are_grey_where_they_are_zero_and_each_has_its_own_scale():
    kernels = np.zeros((3, 3, 2, 2), np.float32)
    kernels[0, 0, 0, 0], kernels[1, 2, 1, 1] = 5.0, -0.01
    colors = tile_colors(kernels)
    assert colors.shape == (3, 2, 2, 3)
    assert colors[0, 0, 0].tolist() == [255, 128, 128] and colors[1, 1, 1].tolist() == [128, 128, 0]
    assert np.all(colors[2] == 128)


def test_one_channel_is_grey():
    colors = tile_colors(np.array([[[[1.0, -1.0]]]], np.float32))
    assert colors[0, 0].tolist() == [[255] * 3, [0] * 3]


@pytest.mark.parametrize("count", [1, 7, 28, 29, 384, 768])
def test_filters_stand_in_reading_order(count):
    colors = np.arange(count, dtype=np.uint32).view(np.uint8).reshape(count, 4)[:, None, None, :3].repeat(2, 1)
    tiles, pixels = filter_tiles(count, (2, 1)), filter_pixels(colors, (9, 9, 9))
    assert sum(tiles.heads) == count and (count > 28 or max(tiles.heads) <= 7)
    cols = max(tiles.heads)
    for i in range(count):
        x, y, _, _ = tiles.box(*divmod(i, cols))
        assert np.array_equal(pixels[y, x], colors[i, 0, 0])
    assert len(tiles.heads) * cols - count < cols


def grid_figure(**how):
    values = np.random.default_rng(0).uniform(-1, 1, (4, 6, 4, 6)).astype(np.float32)
    figure = Figure(width=85.0, title="Positions of <a model> & co", **how)
    return values, grid_page(
        values, (-1.0, 1.0), "viridis", numbers=(range(4), range(6)), label="Cosine similarity", figure=figure
    )


def test_page_holds_the_colours_of_the_screen_and_numbers_rows_columns_and_scale():
    values, page = grid_figure()
    picture = next(mark for mark in page.marks if hasattr(mark, "pixels"))
    assert np.array_equal(picture.pixels, table("viridis", (255, 255, 255))[grid_indices(values, (-1.0, 1.0))])
    words = [mark.text for mark in page.marks if hasattr(mark, "text")]
    for text in ("Input patch row", "Input patch column", "Cosine similarity", "0", "5", "1.000", "−1.000"):
        assert text in words
    for mark in page.marks:
        if hasattr(mark, "pixels"):
            assert mark.x + mark.width <= page.width and mark.y + mark.height <= page.height


def test_nothing_of_a_page_is_cut_off():
    _, page = grid_figure()
    pixels = pixels_of(page)
    assert np.all(pixels[[0, -1]] == 255) and np.all(pixels[:, [0, -1]] == 255)
    assert pixels.shape[1] == round(85 / 25.4 * 300)


def test_page_of_filters_has_every_tile_and_its_share():
    colors = tile_colors(np.random.default_rng(0).normal(size=(28, 3, 4, 4)).astype(np.float32))
    page = filter_page(colors, [f"{i} %" for i in range(28)], "What they are", figure=Figure(width=174.0))
    assert sum(hasattr(mark, "pixels") for mark in page.marks) == 28
    *shares, note = (mark for mark in page.marks if hasattr(mark, "text"))
    assert len(shares) == 28 and note.text == "What they are" and max(m.y for m in shares) < note.y < page.height
    assert all(m.y + m.height <= page.height for m in page.marks if hasattr(m, "pixels"))


def test_row_of_maps_gives_every_map_the_same_width_and_a_title_and_a_word():
    maps = [np.zeros((4, 6), np.float32), np.ones((8, 12), np.float32)]
    page = row_page(
        maps, ["before", "after"], ["ring 61 %", "star 52 %"], (-1.0, 1.0), "viridis", label="x",
        figure=Figure(width=174.0),
    )  # fmt: skip
    pictures = [mark for mark in page.marks if hasattr(mark, "pixels")]
    assert pictures[0].width == pictures[1].width and pictures[0].x + pictures[0].width < pictures[1].x
    assert [p.pixels.shape[:2] for p in pictures] == [(4, 6), (8, 12)]
    words = [mark.text for mark in page.marks if hasattr(mark, "text")]
    assert all(text in words for text in ("before", "after", "ring 61 %", "star 52 %", "1.000"))
    under = [next(m.y for m in page.marks if getattr(m, "text", "") == text) for text in ("ring 61 %", "star 52 %")]
    assert all(p.y + p.height < y < p.y + p.height + 12 for p, y in zip(pictures, under, strict=True))
    pixels = pixels_of(page)
    assert np.all(pixels[[0, -1]] == 255) and np.all(pixels[:, [0, -1]] == 255)
