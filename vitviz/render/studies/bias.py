"""The relative position bias of a layer as a figure: the tables of all heads on one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from vitviz.atomic import slug
from vitviz.errors import ModelError
from vitviz.render.bar import Bar
from vitviz.render.bias import AXES, LABEL, BiasTable
from vitviz.render.figure import POINTS_PER_MM, WIDTHS, Figure
from vitviz.render.letters import text_width
from vitviz.render.page import ASCENT, LINE, Mark, Page, Picture, Text, frame, shortened, wrapped
from vitviz.render.studies.study import Study, Subject

_SMALLEST = 0.7  # of the font size: letters over tables that are too narrow for them


@dataclass(frozen=True, slots=True)
class BiasStudy(Study[BiasTable]):
    """The relative position bias of the layer called `layer_name`."""

    name: ClassVar[str] = "relative position bias"
    figure: ClassVar[Figure] = Figure.for_paper(2)

    layer_name: str

    def found(self, subject: Subject) -> BiasTable:
        from vitviz.embeddings.relative_bias import relative_position_bias

        tables = relative_position_bias(subject.model)
        if self.layer_name not in tables:
            raise ModelError(f"{subject.model.name} has no relative position bias in a layer {self.layer_name!r}.")
        return BiasTable(tables[self.layer_name], self.layer_name, subject.model.name)

    def page(self, found: BiasTable, subject: Subject, figure: Figure) -> Page:
        return page_of_bias(found, figure)

    def arrays(self, found: BiasTable) -> dict[str, np.ndarray]:
        return {"bias": found.values}

    def about(self, found: BiasTable) -> dict[str, Any]:
        return {
            "unit": LABEL,
            "axes": "head, dy, dx: key minus query, rows then columns, (0, 0) in the middle",
            "limits": list(found.limits),
            "colormap": found.colormap,
        }

    def stem(self, subject: Subject) -> str:
        return slug(f"{subject.model.name} {self.layer_name} relative bias")

    def title(self, found: BiasTable) -> str:
        return found.title


def page_of_bias(table: BiasTable, figure: Figure) -> Page:
    """All heads with their numbers, the offsets along their sides, entry (0, 0) outlined, and the colour bar."""
    size, ink = figure.font_size, figure.foreground
    whole, edge = (figure.width or WIDTHS["two columns"]) * POINTS_PER_MM, figure.font_size / 4
    bar = Bar(table.limits, figure, figure.label or LABEL)
    tiles, gap = table.tiles, size / 2
    across = max(tiles.heads)
    # One small table need not fill the page.
    beside = LINE * size + max(text_width(text, size) for _, text in table.ticks(0)) + size / 3
    left = edge + beside
    width = min((whole - edge - left - bar.width - gap * (across - 1)) / across, 12 * size)
    height = width * tiles.tile[0] / tiles.tile[1]
    right = left + across * (width + gap) - gap
    marks: list[Mark] = []
    top = edge
    for line in wrapped(figure.title or table.title, size, right + bar.width - edge):
        marks.append(Text(edge, top + size * ASCENT, line, size, ink))
        top += LINE * size
    # The title and the numbers of the columns, and in every row the numbers of its heads.
    top += max(bar.above, 2 * LINE * size) + LINE * size
    step = height + LINE * size + gap
    last = len(table.values) - 1
    # Numbers alone where the word would have to be too small.
    named = "Head " if _fitting(f"Head {last}  ", size, width + gap) >= _SMALLEST * size else ""
    letters = max(_fitting(f"{named}{last}  ", size, width + gap), _SMALLEST * size)
    for head in range(len(table.values)):
        row, col = divmod(head, tiles.heads[0])
        x, y = left + col * (width + gap), top + row * step
        marks.append(Text(x, y - size * (LINE - ASCENT) / 2, f"{named}{head}", letters, ink))
        marks.append(Picture(x, y, width, height, table.pixels(head)))
        entry = width / tiles.tile[1]
        marks += frame(x + (width - entry) / 2, y + (height - entry) / 2, entry, entry, 0.5, (0, 0, 0))
    tall = len(tiles.heads) * step - gap - LINE * size
    marks += _axes(table, (left, top), (width, height), (gap, step), figure)
    marks += bar.marks(right, top, tall, table.colormap)
    return Page(right + bar.width + edge, top + tall + edge + bar.below, figure.dpi, figure.background, tuple(marks))


def _axes(
    table: BiasTable,
    corner: tuple[float, float],
    tile: tuple[float, float],
    steps: tuple[float, float],
    figure: Figure,
) -> list[Mark]:
    """The offsets above every column of tables and at the left of every row, and what they are; as in the window.

    Args:
        corner: the upper left corner of the first table, in points.
        tile: width and height of a table.
        steps: the gap between two columns, and from row to row.
    """
    size, ink = figure.font_size, figure.foreground
    (x, y), (width, height), (gap, step) = corner, tile, steps
    rows, cols = len(table.tiles.heads), max(table.tiles.heads)
    marks: list[Mark] = []
    down, right = table.ticks(0), table.ticks(1)
    high, wide = height / table.values.shape[1], width / table.values.shape[2]
    # All three numbers, or the two ends alone where they would touch; none where even these would.
    across = right if sum(text_width(f"{text} ", size) for _, text in right) <= width else right[:: len(right) - 1 or 1]
    letters = _fitting(" ".join(text for _, text in across), size, width)
    across = across if letters >= _SMALLEST * size else []
    along = down if len(down) * size <= height else down[:: len(down) - 1 or 1]
    above = y - LINE * size - size * (LINE - ASCENT) / 2
    for col in range(cols):
        left = x + col * (width + gap)
        for at, text in across:
            # No further out than the table, beside which the numbers of the next one stand.
            half = text_width(text, letters) / 2
            middle = min(max((at + 0.5) * wide, half), width - half)
            marks.append(Text(left + middle, above, text, letters, ink, "middle"))
    for row in range(rows):
        top = y + row * step + size * ASCENT / 2
        marks += [Text(x - size / 3, top + (at + 0.5) * high, text, size, ink, "end") for at, text in along]
    whole = cols * (width + gap) - gap
    tall = (rows - 1) * step + height
    words = [shortened(text, size, room) for text, room in zip(AXES, (tall, whole + x), strict=True)]
    marks.append(Text(x, above - LINE * size, words[1], size, ink))
    marks.append(Text(figure.font_size / 4 + size * ASCENT, y + tall / 2, words[0], size, ink, "middle", turned=True))
    return marks


def _fitting(text: str, size: float, width: float) -> float:
    """The size of letters, at most `size`, in which a text is no wider than `width`."""
    return min(size, size * width / text_width(text, size))
