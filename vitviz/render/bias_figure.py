"""Tables of relative position bias as a figure and as a file: PNG, SVG, PDF or numbers."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vitviz import __version__
from vitviz.atomic import write_bytes
from vitviz.errors import FileError
from vitviz.render.bias import LABEL, BiasTable
from vitviz.render.compose import Bar
from vitviz.render.figure import POINTS_PER_MM, WIDTHS, Figure
from vitviz.render.page import ASCENT, LINE, Line, Mark, Page, Picture, Text, wrapped
from vitviz.render.pdf import pdf_of
from vitviz.render.png import png
from vitviz.render.raster import pixels_of
from vitviz.render.svg import svg_of

FORMATS = ("png", "svg", "pdf", "npz")


def page_of_bias(table: BiasTable, figure: Figure | None = None) -> Page:
    """All heads with their numbers, a cross at offset (0, 0) and the colour bar."""
    figure = figure or Figure.for_paper(2, dpi=300)
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


def export_bias(path: Path, table: BiasTable, model: Mapping[str, Any]) -> Path:
    """Write the tables as their file's ending says (png, svg, pdf, npz), and beside it as JSON what they are.

    Args:
        model: source, architecture and options of the model, as JSON values.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise FileError(f"{path.name} ends in {path.suffix or 'nothing'}: give {', '.join('.' + f for f in FORMATS)}.")
    about = {
        "format": "vitviz relative position bias",
        "version": 1,
        "model": dict(model),
        "layer_name": table.layer_name,
        "heads": len(table.values),
        "offsets": "key minus query, rows then columns, (0, 0) in the middle",
        "unit": LABEL,
        "limits": list(table.limits),
        "colormap": table.colormap,
        "vitviz": __version__,
    }
    text = json.dumps(about, indent=1, ensure_ascii=False)
    if kind == "npz":
        data = io.BytesIO()
        np.savez(data, bias=table.values, about=np.array(text))
        content = data.getvalue()
    else:
        page = page_of_bias(table)
        made = {"svg": lambda: svg_of(page, table.title), "pdf": lambda: pdf_of(page, table.title)}
        content = made.get(kind, lambda: png(pixels_of(page), text, dpi=page.dpi))()
    write_bytes(path, content)
    write_bytes(path.with_name(path.name + ".json"), text.encode())
    return path
