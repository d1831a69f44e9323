"""A picture cut into its patches, with the tokens' numbers: how pixels become a sequence."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vitviz.render.figure import Figure
from vitviz.render.letters import text_width
from vitviz.render.mosaic import Tiles
from vitviz.render.page import ASCENT, LINE, Mark, Page, Picture, Text, frame, wrapped
from vitviz.render.weights import width_of


def cut_tiles(grid: tuple[int, int], stride: tuple[float, float]) -> Tiles:
    """Where the patches of a grid lie when they are pulled apart; `stride` pixels each."""
    tile = max(1, round(stride[0])), max(1, round(stride[1]))
    return Tiles((grid[1],) * grid[0], tile, max(1, round(max(tile) / 8)))


def patch_pixels(view: np.ndarray, cell: tuple[int, int], tile: tuple[int, int]) -> np.ndarray:
    """The pixels (p, q, 3) of a patch of the view (h, w, 3); what lies beyond the view is black."""
    high, wide = tile
    part = view[cell[0] * high : (cell[0] + 1) * high, cell[1] * wide : (cell[1] + 1) * wide]
    out = np.zeros((high, wide, 3), dtype=np.uint8)
    out[: part.shape[0], : part.shape[1]] = part
    return out


def cut_pixels(view: np.ndarray, tiles: Tiles, background: tuple[int, int, int]) -> np.ndarray:
    """The view (h, w, 3) uint8 with gaps of the background between its patches."""
    height, width = tiles.size
    out = np.empty((height, width, 3), dtype=np.uint8)
    out[:] = background
    for row, count in enumerate(tiles.heads):
        for col in range(count):
            x, y, wide, high = tiles.box(row, col)
            out[y : y + high, x : x + wide] = patch_pixels(view, (row, col), (high, wide))
    return out


def cut_page(view: np.ndarray, tiles: Tiles, prefix: Sequence[str], words: Sequence[str], *, figure: Figure) -> Page:
    """The patches numbered as in the sequence, the prefix tokens in front; `words` stand below.

    Args:
        view: (h, w, 3) uint8.
        prefix: names of the tokens before the patches, in order.
    """
    size, ink, width = figure.font_size, figure.foreground, width_of(figure)
    edge = size / 2
    pixels = cut_pixels(view, tiles, figure.background)
    scale = (width - 2 * edge) / pixels.shape[1]
    marks: list[Mark] = []
    top = edge
    if prefix:
        high = size * 2 * LINE
        pitch = max(text_width(name, size) for name in prefix) + size
        fits = max(1, min(len(prefix), math.floor((width - 2 * edge) / (pitch + size / 2))))
        for i, name in enumerate(prefix[:fits]):
            x = edge + i * (pitch + size / 2)
            marks += frame(x, top, pitch, high, 0.5, ink)
            marks.append(Text(x + pitch / 2, top + size * (0.3 + ASCENT), name, size, ink, "middle"))
            marks.append(Text(x + pitch / 2, top + size * (0.3 + ASCENT + LINE), str(i), size, ink, "middle"))
        top += high + size / 2
    marks.append(Picture(edge, top, pixels.shape[1] * scale, pixels.shape[0] * scale, pixels))
    small = min(size, tiles.tile[0] * scale * 0.45)
    count = sum(tiles.heads)
    if small >= 2.5 and text_width(str(count + len(prefix)), small) <= tiles.tile[1] * scale:
        for i in range(count):
            x, y, _, _ = tiles.box(*divmod(i, max(tiles.heads)))
            left, base = edge + x * scale + small * 0.15, top + y * scale + small * (ASCENT + 0.1)
            text = str(i + len(prefix))
            # Dark under light: legible on any pixels.
            for shift, color in ((small * 0.07, (0, 0, 0)), (0.0, (255, 255, 255))):
                marks.append(Text(left + shift, base + shift, text, small, color))
    top += pixels.shape[0] * scale + size / 2
    for line in (line for text in words for line in wrapped(text, size, width - 2 * edge)):
        marks.append(Text(edge, top + size * ASCENT, line, size, ink))
        top += LINE * size
    return Page(width, top + edge, figure.dpi, figure.background, tuple(marks))
