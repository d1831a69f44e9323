"""The relative position bias of a layer as a figure: the tables of all heads on one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from vitviz.atomic import slug
from vitviz.errors import ModelError
from vitviz.render.bias import LABEL, BiasTable
from vitviz.render.compose import Bar
from vitviz.render.figure import POINTS_PER_MM, WIDTHS, Figure
from vitviz.render.page import ASCENT, LINE, Line, Mark, Page, Picture, Text, wrapped
from vitviz.render.studies.study import Study, Subject


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
    """All heads with their numbers, a cross at offset (0, 0) and the colour bar."""
    size, ink = figure.font_size, figure.foreground
    whole, edge = (figure.width or WIDTHS["two columns"]) * POINTS_PER_MM, figure.font_size / 4
    bar = Bar(table.limits, figure, figure.label or LABEL)
    tiles, gap = table.tiles, size / 2
    across = max(tiles.heads)
    # One small table need not fill the page.
    width = min((whole - 2 * edge - bar.width - gap * (across - 1)) / across, 12 * size)
    height = width * tiles.tile[0] / tiles.tile[1]
    right = edge + across * (width + gap) - gap
    marks: list[Mark] = []
    top = edge
    for line in wrapped(figure.title or table.title, size, right + bar.width - edge):
        marks.append(Text(edge, top + size * ASCENT, line, size, ink))
        top += LINE * size
    top += bar.above + LINE * size
    step = height + LINE * size + gap
    for head in range(len(table.values)):
        row, col = divmod(head, tiles.heads[0])
        x, y = edge + col * (width + gap), top + row * step
        marks.append(Text(x, y - size * (LINE - ASCENT) / 2, f"Head {head}", size, ink))
        marks.append(Picture(x, y, width, height, table.pixels(head)))
        half, u, v = width / tiles.tile[1] / 2, x + width / 2, y + height / 2
        marks.append(Line(u - half, v, u + half, v, 0.5, (0, 0, 0)))
        marks.append(Line(u, v - half, u, v + half, 0.5, (0, 0, 0)))
    tall = len(tiles.heads) * step - gap - LINE * size
    marks += bar.marks(right, top, tall, table.colormap)
    return Page(right + bar.width + edge, top + tall + edge + bar.below, figure.dpi, figure.background, tuple(marks))
