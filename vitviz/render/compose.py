"""Maps over their picture -> a page: picture, title, patch grid and colour bar, or a sheet of many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vitviz.attention.methods import about
from vitviz.attention.values import Map
from vitviz.images import Image
from vitviz.render.bar import Bar
from vitviz.render.figure import POINTS_PER_MM, WIDTHS, Figure
from vitviz.render.letters import text_width
from vitviz.render.overlay import Canvas
from vitviz.render.page import ASCENT, LINE, Line, Mark, Page, Picture, Text, shortened, wrapped
from vitviz.render.raster import refuse_large
from vitviz.render.scale import note_of
from vitviz.render.seen_only import part_for
from vitviz.render.style import Style, color_indices, color_table

_SHEET_NOTES = {"map": "each", "figure": "tiles"}
_GRID_WIDTH, _GRID_OPACITY = 0.4, 0.35


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A map of a sheet or animation: where it stands, what it is called, and the ends of its colours."""

    shown: Map
    label: str
    limits: tuple[float, float]
    row: int = 0
    col: int = 0


def page_of(
    image: Image,
    tile: Tile,
    style: Style,
    figure: Figure,
    scale: str,
    *,
    among: Sequence[tuple[str, tuple[float, float]]] = (),
) -> Page:
    """One map over its picture as a page; its picture has the pixels that `overlay` gives at that size.

    Args:
        scale: what the limits of the tile are shared over, as `scale.NOTES` has it.
        among: titles and limits of pages that are to have their pictures at the same place, this one among them.
    """
    image, shown = part_for(figure, image, tile.shown)
    tile = replace(tile, shown=shown)
    bar = Bar(tile.limits, figure, _label(figure, tile.shown, scale, tile.limits)) if figure.color_bar else None
    bars = [bar, *(Bar(limits, figure, "") for _, limits in among)] if bar else []
    beside = max((each.width for each in bars), default=0.0)
    edge = 0.0 if figure.bare else figure.font_size / 4
    if figure.width is None:
        times = figure.scale
    else:
        left = figure.width * POINTS_PER_MM - 2 * edge - beside
        times = max(left, figure.font_size) * figure.dpi / 72 / image.size[1]
    refuse_large(image.size[1] * times, image.size[0] * times)
    canvas = Canvas(image, tile.shown.view, times)
    points = 72 / figure.dpi
    height, width = canvas.size[0] * points, canvas.size[1] * points
    whole = width + 2 * edge + beside
    marks, top = _title(figure, figure.title, edge, whole - 2 * edge)
    top = max([top, *(_title(figure, title, edge, whole - 2 * edge)[1] for title, _ in among)])
    top += max((each.above for each in bars), default=0.0)
    pixels = canvas.draw(tile.shown, style, tile.limits)[..., :3]
    marks.append(Picture(edge, top, width, height, pixels, style.interpolation == "smooth"))
    if figure.grid:
        marks += _grid(tile.shown, edge, top, width, height)
    if not figure.bare:
        marks += _empty(tile.shown, figure.font_size, (edge, top), (width, height))
    if bar is not None:
        marks += bar.marks(edge + width, top, height, style.colormap)
    below = edge + (bar.below if bar else 0.0)
    return Page(whole, top + height + below, figure.dpi, figure.background, tuple(marks))


def page_of_values(shown: Map, width: float, figure: Figure | None = None) -> Page:
    """The values of a map alone, without its picture, on a page of `width` points with a colour bar."""
    figure = figure or Figure(color_bar=True, dpi=144)
    limits = float(shown.values.min()), float(shown.values.max())
    bar = Bar(limits, figure, _label(figure, shown, "map", limits))
    edge = figure.font_size / 4
    across = width - 2 * edge - bar.width
    high, wide = (count * stride for count, stride in zip(shown.grid.shape, shown.grid.stride, strict=True))
    down = across * high / wide
    pixels = color_table("viridis")[color_indices(shown.values, limits)]
    marks: list[Mark] = [Picture(edge, edge + bar.above, across, down, pixels)]
    marks += bar.marks(edge + across, edge + bar.above, down, "viridis")
    height = edge + bar.above + down + edge + bar.below
    return Page(width, height, figure.dpi, figure.background, tuple(marks))


def sheet_of(image: Image, tiles: Sequence[Tile], style: Style, figure: Figure, scale: str, names: bool) -> Page:
    """Many maps over the same picture: a tile for each, at its row and column.

    Args:
        names: True writes the lines of the label of each tile above it; False names rows "Layer" and columns "Head" at
            the edges.
    """
    image, first = part_for(figure, image, tiles[0].shown)  # all are maps of one view
    tiles = [replace(tile, shown=replace(tile.shown, view=first.view)) for tile in tiles]
    size, edge = figure.font_size, figure.font_size / 4
    rows, cols = max(t.row for t in tiles) + 1, max(t.col for t in tiles) + 1
    shared = len({t.limits for t in tiles}) == 1
    bar = None
    if figure.color_bar:
        text = _label(figure, tiles[0].shown, _SHEET_NOTES.get(scale, scale), tiles[0].limits)
        if len({t.shown.selection.method for t in tiles}) > 1 and not figure.label:
            text = "each in its own unit and on its own scale"
        bar = Bar(tiles[0].limits, figure, text, None if shared else ("smallest", "largest"))
    gap = size / 3
    whole = (figure.width or WIDTHS["two columns"]) * POINTS_PER_MM
    beside = text_width("Layer ", size) + LINE * size if figure.labels and not names else 0.0
    left = whole - 2 * edge - beside - (bar.width if bar else 0.0) - gap * (cols - 1)
    pixels = max(1, math.floor(left / cols * figure.dpi / 72))
    refuse_large(cols * pixels, rows * pixels * image.size[0] / image.size[1])
    canvas = Canvas(image, tiles[0].shown.view, pixels / image.size[1])
    points = 72 / figure.dpi
    height, width = canvas.size[0] * points, canvas.size[1] * points
    lines = [_lines(tile.label, size, width) for tile in tiles] if figure.labels and names else []
    above = LINE * size * max(map(len, lines), default=0)
    marks, top = _title(figure, figure.title, edge, whole - 2 * edge)
    top += (bar.above if bar else 0.0) + (LINE * size if beside else 0.0)
    step = height + above + gap
    if beside:
        marks += _edges(tiles, figure, (edge + beside, top), (width, height), gap)
    for i, tile in enumerate(tiles):
        x, y = edge + beside + tile.col * (width + gap), top + tile.row * step + above
        drawn = canvas.draw(tile.shown, style, tile.limits)[..., :3]
        marks.append(Picture(x, y, width, height, drawn, style.interpolation == "smooth"))
        if figure.grid:
            marks += _grid(tile.shown, x, y, width, height)
        for j, text in enumerate(lines[i] if above else ()):
            base = y - above + j * LINE * size + LINE * size - size * (LINE - ASCENT) / 2 - 0.5
            marks.append(Text(x, base, text, size, figure.foreground))
        marks += _empty(tile.shown, size, (x, y), (width, height))
    tall = rows * step - gap
    if bar is not None:
        right = edge + beside + cols * (width + gap) - gap
        marks += bar.marks(right, top + above, tall - above, style.colormap)
    below = edge + (bar.below if bar else 0.0)
    return Page(whole, top + tall + below, figure.dpi, figure.background, tuple(marks))


def _lines(label: str, size: float, width: float) -> list[str]:
    """One line is shortened to the tile's width, several are broken to it."""
    return wrapped(label, size, width) if "\n" in label else [shortened(label, size, width)]


def _label(figure: Figure, shown: Map, scale: str, limits: tuple[float, float]) -> str:
    # Methods that go through all layers have nothing to share a scale with.
    scale = "zero" if scale in ("layer", "all") and not about(shown).of_head else scale
    return figure.label or f"{units_of(shown)}, {note_of(scale, limits)}"


def units_of(shown: Map) -> str:
    """What the values of a map are, in words."""
    return about(shown).unit


def empty_words(shown: Map) -> str:
    """Says that a map is 0 in every patch, and why where its note knows; "" where it is not."""
    if shown.values.any():
        return ""
    at = shown.note.find("All zero")
    return shown.note[at:] if at >= 0 else ": ".join(part for part in ("All zero", shown.note.lower()) if part)


def _empty(shown: Map, size: float, corner: tuple[float, float], tile: tuple[float, float]) -> list[Mark]:
    """On a map that is 0 everywhere the words for it, on a band, where there is room."""
    (x, y), (width, height) = corner, tile
    lines = wrapped(empty_words(shown), size, width - size) if width > 3 * size else []
    room = math.floor(height / (LINE * size))
    if not lines or not lines[0] or room < 1:
        return []
    lines = lines[:room]
    high = len(lines) * LINE * size
    top = y + (height - high) / 2
    marks: list[Mark] = [Picture(x, top, width, high, np.zeros((1, 1, 3), dtype=np.uint8))]
    for i, line in enumerate(lines):
        base = top + (i + 0.5) * LINE * size + 0.36 * size
        marks.append(Text(x + width / 2, base, line, size, (255, 255, 255), "middle"))
    return marks


def _title(figure: Figure, title: str, edge: float, width: float) -> tuple[list[Mark], float]:
    """The lines of the title, and where what is below begins."""
    marks: list[Mark] = []
    top = edge
    for line in wrapped(title, figure.font_size, width) if title else []:
        marks.append(Text(edge, top + figure.font_size * ASCENT, line, figure.font_size, figure.foreground))
        top += LINE * figure.font_size
    return marks, top


def _edges(
    tiles: Sequence[Tile], figure: Figure, corner: tuple[float, float], tile: tuple[float, float], gap: float
) -> list[Mark]:
    """The names of rows ("Layer 3") and columns ("Head 3"), numbers alone where there is no room."""
    size, (x, y), (width, height) = figure.font_size, corner, tile
    marks: list[Mark] = []
    cols, layers = max(t.col for t in tiles) + 1, {t.row: t.shown.selection.layer for t in tiles}
    wide = text_width(f"Head {cols - 1}", size) <= width
    # Every second or third number where they would touch.
    every = max(1, math.ceil(text_width(f"{cols - 1} ", size) / (width + gap)))
    for col in range(0, cols, every):
        text = f"Head {col}" if wide else str(col)
        middle = x + col * (width + gap) + width / 2
        marks.append(Text(middle, y - size / 3, text, size, figure.foreground, "middle"))
    if not wide:
        marks.append(Text(x - size / 2, y - size / 3, "Head", size, figure.foreground, "end"))
    every = max(1, math.ceil(size / (height + gap)))
    for row, layer in sorted(layers.items()):
        if row % every:
            continue
        middle = y + row * (height + gap) + height / 2 + size * ASCENT / 2
        marks.append(Text(x - size / 2, middle, f"Layer {layer}", size, figure.foreground, "end"))
    return marks


def _grid(shown: Map, x: float, y: float, width: float, height: float) -> list[Mark]:
    """The borders of the patches where they lie in the picture."""
    picture, view, grid = shown.view.picture_size, shown.view, shown.grid
    marks: list[Mark] = []
    lines = Line(0, 0, 0, 0, _GRID_WIDTH, (255, 255, 255), _GRID_OPACITY)
    # The view may reach beyond the picture, and the picture beyond the view.
    x0, x1 = (min(max(edge, 0.0), picture[1]) * width / picture[1] for edge in (view.box[0], view.box[2]))
    y0, y1 = (min(max(edge, 0.0), picture[0]) * height / picture[0] for edge in (view.box[1], view.box[3]))
    for col in range(grid.cols + 1):
        at = view.to_picture(col * grid.stride[1], 0.0)[0] * width / picture[1]
        if x0 <= at <= x1:
            marks.append(replace(lines, x0=x + at, x1=x + at, y0=y + y0, y1=y + y1))
    for row in range(grid.rows + 1):
        at = view.to_picture(0.0, row * grid.stride[0])[1] * height / picture[0]
        if y0 <= at <= y1:
            marks.append(replace(lines, x0=x + x0, x1=x + x1, y0=y + at, y1=y + at))
    return marks
