"""The picture cut into patches: every patch holds its own pixels, every token its own number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitviz.render.cut import cut_page, cut_pixels, cut_tiles, patch_pixels
from vitviz.render.figure import Figure
from vitviz.render.raster import pixels_of


def view_of(height, width):
    return np.random.default_rng(height * width).integers(1, 256, (height, width, 3), dtype=np.uint8)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 9), st.integers(1, 9))
def test_patches_put_together_again_are_the_view(rows, cols, high, wide):
    view = view_of(rows * high, cols * wide)
    tiles = cut_tiles((rows, cols), (high, wide))
    pixels = cut_pixels(view, tiles, (0, 0, 0))
    assert pixels.shape[:2] == tiles.size
    again = np.zeros_like(view)
    for row, col in np.ndindex(rows, cols):
        x, y, width, height = tiles.box(row, col)
        again[row * high : row * high + high, col * wide : col * wide + wide] = pixels[y : y + height, x : x + width]
    assert np.array_equal(again, view)
    assert np.count_nonzero(pixels.any(-1)) == view.shape[0] * view.shape[1]  # the gaps are background


def test_what_lies_beyond_the_view_is_black():
    view = view_of(36, 44)
    patch = patch_pixels(view, (2, 2), (16, 16))
    assert np.array_equal(patch[:4, :12], view[32:, 32:]) and not patch[4:].any() and not patch[:, 12:].any()


def test_page_numbers_every_token_with_the_prefix_in_front():
    tiles = cut_tiles((3, 4), (16, 16))
    page = cut_page(view_of(48, 64), tiles, ["CLS", "REG0"], ["N = 12"], figure=Figure(width=127.0))
    words = [mark.text for mark in page.marks if hasattr(mark, "text")]
    assert words[:4] == ["CLS", "0", "REG0", "1"] and words[-1] == "N = 12"
    assert words[4:-1] == [str(n) for n in range(2, 14) for _ in range(2)]
    pixels = pixels_of(page)
    assert np.all(pixels[[0, -1]] == 255) and np.all(pixels[:, [0, -1]] == 255)


@pytest.mark.parametrize("prefix", [0, 5, 200])
def test_page_without_room_for_numbers_has_none(prefix):
    tiles = cut_tiles((100, 100), (4, 4))
    page = cut_page(view_of(400, 400), tiles, ["REG9"] * prefix, [], figure=Figure(width=85.0))
    texts = [mark for mark in page.marks if hasattr(mark, "text")]
    assert len(texts) <= 2 * prefix and all(0 <= t.x <= page.width for t in texts)
