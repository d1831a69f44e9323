"""Figures of what the weights say: the grid of grids of position similarity, and patch filters as tiles.

Both are laid out as in figure 7 of Dosovitskiy et al. 2020 (arXiv 2010.11929).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vitviz.render.bar import Bar
from vitviz.render.figure import POINTS_PER_MM, WIDTHS, Figure
from vitviz.render.letters import text_width
from vitviz.render.mosaic import Tiles, table
from vitviz.render.page import ASCENT, LINE, Mark, Page, Picture, Text, kept, wrapped

_MOST = 2_000_000  # pixels of a grid of grids: more can't be told apart on a screen


def step_for(grid: tuple[int, int]) -> int:
    """Which rows and columns a grid of grids shows: every `step`-th, so that it stays a picture of moderate size."""
    step = 1
    while math.prod(math.ceil(size / step) * (size + 1) for size in grid) > _MOST:
        step += 1
    return step


def grid_tiles(similarity: np.ndarray) -> Tiles:
    """Where the small maps of (rows, cols, gh, gw) lie, one pixel a patch."""
    rows, cols, high, wide = similarity.shape
    return Tiles((cols,) * rows, (high, wide), max(1, round(max(high, wide) / 14)))


def grid_indices(similarity: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """(rows, cols, gh, gw) -> uint8 indices into `mosaic.table`, 0 between the maps."""
    tiles = grid_tiles(similarity)
    rows, cols, high, wide = similarity.shape
    gap = tiles.gap
    out = np.zeros((rows, high + gap, cols, wide + gap), dtype=np.uint8)
    out[:, :high, :, :wide] = map_indices(similarity, limits).transpose(0, 2, 1, 3)
    height, width = tiles.size
    return np.ascontiguousarray(out.reshape(rows * (high + gap), cols * (wide + gap))[:height, :width])


def map_indices(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Values -> 1..255 between the limits, as `mosaic.table` has its colours."""
    low, high = limits
    span = high - low if high > low else math.inf
    scaled: np.ndarray = np.clip((values - low) * (254.0 / span) + 1.5, 1.0, 255.0).astype(np.uint8)
    return scaled


def tile_colors(kernels: np.ndarray) -> np.ndarray:
    """Filters (k, C, p, q) with C = 1 or 3 -> (k, p, q, 3) uint8, each on its own scale with 0 as middle grey."""
    largest = np.abs(kernels).max(axis=(1, 2, 3), keepdims=True)
    scaled = kernels / np.where(largest > 0, largest, 1.0)
    pixels = np.clip(127.5 + 127.5 * scaled, 0, 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
    return pixels if pixels.shape[-1] == 3 else pixels[..., :1].repeat(3, axis=-1)


def filter_tiles(count: int, size: tuple[int, int]) -> Tiles:
    """Where filters lie: 28 as four rows of seven, as in the paper; more of them as a square or so."""
    cols = 7 if count <= 28 else math.ceil(math.sqrt(count * 1.2))
    full, rest = divmod(count, cols)
    return Tiles((cols,) * full + ((rest,) if rest else ()), size, max(1, round(max(size) / 8)))


def filter_pixels(colors: np.ndarray, background: tuple[int, int, int]) -> np.ndarray:
    """Tiles (k, p, q, 3) uint8 -> one picture (H, W, 3) uint8 in reading order."""
    tiles = filter_tiles(len(colors), colors.shape[1:3])
    height, width = tiles.size
    out = np.empty((height, width, 3), dtype=np.uint8)
    out[:] = background
    cols = max(tiles.heads)
    for i, pixels in enumerate(colors):
        x, y, wide, high = tiles.box(*divmod(i, cols))
        out[y : y + high, x : x + wide] = pixels
    return out


def grid_page(
    similarity: np.ndarray,
    limits: tuple[float, float],
    colormap: str,
    *,
    numbers: tuple[Sequence[int], Sequence[int]],
    label: str,
    figure: Figure,
    names: tuple[str, str] = ("Input patch row", "Input patch column"),
) -> Page:
    """The grid of grids with numbered rows and columns and a colour bar, `figure.width` millimetres wide.

    Args:
        similarity: (rows, cols, gh, gw); one map alone has rows = cols = 1.
        numbers: of the rows and of the columns.
        label: beside the colour bar.
    """
    size, ink = figure.font_size, figure.foreground
    bar = Bar(limits, figure, label)
    alone = similarity.shape[:2] == (1, 1)
    tiles, pixels = grid_tiles(similarity), grid_indices(similarity, limits)
    colors = table(colormap, figure.background)[pixels]
    left = size * (LINE + 0.6) + max(text_width(str(n), size) for n in numbers[0])
    top, title = _title(figure, width_of(figure), size / 2)
    width = width_of(figure) - left - bar.width - size / 2
    scale = width / pixels.shape[1]
    height = pixels.shape[0] * scale
    marks: list[Mark] = [*title, Picture(left, top, width, height, colors)]
    step = (1.0, 1.0) if alone else tuple(float(t + tiles.gap) for t in tiles.tile)
    extent = (1.0, 1.0) if alone else tuple(float(t) for t in tiles.tile)
    for axis, (count, gap, span) in enumerate(zip(numbers, step, extent, strict=True)):
        room = text_width("00 ", size) if axis else size * LINE
        every = max(1, math.ceil(room / (gap * scale)))
        for i in range(0, len(count), every):
            at = (i * gap + span / 2) * scale
            if axis:
                marks.append(Text(left + at, top + height + size, str(count[i]), size, ink, "middle"))
            else:
                marks.append(Text(left - size * 0.4, top + at + size * ASCENT / 2, str(count[i]), size, ink, "end"))
    marks.append(Text(left + width / 2, top + height + size * (1 + LINE), names[1], size, ink, "middle"))
    marks.append(Text(size, top + height / 2, names[0], size, ink, "middle", turned=True))
    marks += bar.marks(left + width, top, height, colormap)
    whole = top + height + size * (1.5 + LINE)
    return Page(width_of(figure), whole, figure.dpi, figure.background, tuple(marks))


def filter_page(colors: np.ndarray, words: Sequence[str], note: str = "", *, figure: Figure) -> Page:
    """Filters as tiles `figure.width` millimetres wide, a word under each where there are few, and a note below all."""
    size, ink = figure.font_size * 0.8, figure.foreground
    width = width_of(figure)
    tiles = filter_tiles(len(colors), colors.shape[1:3])
    cols = max(tiles.heads)
    top, title = _title(figure, width, figure.font_size / 2)
    marks: list[Mark] = list(title)
    edge = figure.font_size / 2
    unit = (width - 2 * edge) / tiles.size[1]
    pitch, tile = unit * (tiles.tile[1] + tiles.gap), unit * tiles.tile[1]
    high = tile * tiles.tile[0] / tiles.tile[1]
    line = size * LINE if words and text_width(max(words, key=len), size) <= pitch else 0.0
    for i, pixels in enumerate(colors):
        row, col = divmod(i, cols)
        x, y = edge + col * pitch, top + row * (high + (pitch - tile) + line)
        marks.append(Picture(x, y, tile, high, pixels))
        if line:
            marks.append(Text(x + tile / 2, y + high + size, words[i], size, ink, "middle"))
    top += len(tiles.heads) * (high + (pitch - tile) + line) + edge
    size = figure.font_size
    for text in wrapped(note, size, width - 2 * edge) if note else []:
        marks.append(Text(edge, top + size * ASCENT, text, size, ink))
        top += LINE * size
    return Page(width, top + edge, figure.dpi, figure.background, tuple(marks))


def row_page(
    maps: Sequence[np.ndarray],
    titles: Sequence[str],
    words: Sequence[str],
    limits: tuple[float, float],
    colormap: str,
    *,
    label: str,
    figure: Figure,
) -> Page:
    """Maps (gh, gw) of different grids side by side at the same width, a title over and words under each."""
    size, ink, width = figure.font_size, figure.foreground, width_of(figure)
    bar, edge = Bar(limits, figure, label), size / 2
    top, title = _title(figure, width, edge)
    pitch = (width - edge - bar.width - edge) / len(maps)
    side = pitch - size
    marks: list[Mark] = list(title)
    colors = table(colormap, figure.background)
    over, under = ([wrapped(kept(text), size, side) for text in texts] for texts in (titles, words))
    top += max(map(len, over)) * LINE * size
    highs = [side * m.shape[0] / m.shape[1] for m in maps]
    for i, (values, high) in enumerate(zip(maps, highs, strict=True)):
        x = edge + i * pitch
        marks.append(Picture(x, top, side, high, colors[map_indices(values, limits)]))
        for start, lines in ((top - len(over[i]) * LINE * size, over[i]), (top + high + size * (LINE - 1), under[i])):
            marks += [Text(x, start + size * (n * LINE + ASCENT), text, size, ink) for n, text in enumerate(lines)]
    right = edge + len(maps) * pitch - size
    marks += bar.marks(right, top, max(highs), colormap)
    ends = (high + (len(lines) + LINE - 1) * LINE * size for high, lines in zip(highs, under, strict=True))
    below = max(*ends, max(highs) + bar.below)
    return Page(width, top + below + edge, figure.dpi, figure.background, tuple(marks))


def width_of(figure: Figure) -> float:
    """The width of the page in points; one column where the figure names none."""
    return (figure.width or WIDTHS["one column"]) * POINTS_PER_MM


def _title(figure: Figure, width: float, top: float) -> tuple[float, list[Text]]:
    marks = []
    for line in wrapped(figure.title, figure.font_size, width - figure.font_size) if figure.title else []:
        marks.append(
            Text(figure.font_size / 2, top + figure.font_size * ASCENT, line, figure.font_size, figure.foreground)
        )
        top += LINE * figure.font_size
    return top + (figure.font_size / 2 if marks else 0.0), marks
