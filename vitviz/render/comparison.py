"""Models side by side as one figure: a map over the picture for each, and under them the table of what they cost."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from vitviz.attention.comparison import difference
from vitviz.attention.costs import Cost
from vitviz.attention.values import Map, Query
from vitviz.errors import AttentionError
from vitviz.models.resizing import is_approximation, kinships, variant_text
from vitviz.render.compose import Bar, Tile, page_of, units_of
from vitviz.render.cost_table import Cell, Row, rows_of
from vitviz.render.figure import POINTS_PER_MM, WIDTHS, Figure
from vitviz.render.letters import text_width
from vitviz.render.page import ASCENT, LINE, Line, Mark, Page, Text, kept, wrapped
from vitviz.render.plan import Seen, scale_of
from vitviz.render.scale import note_of
from vitviz.render.style import Style
from vitviz.render.titles import map_text

_APPROXIMATION = "≈ patch embedding resampled to a size that these weights were not trained for: an approximation"
_LEAST = 2.5  # times the room beside a map: the column that is to hold both
FIGURE = Figure(width=WIDTHS["two columns"], font_size=7.0)  # unless another is asked for


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """One model of a comparison: what it saw, the map that is shown with the ends of its colours, what it costs.

    Attributes:
        style: how its map is drawn; None as the others.
        pinned: the query that was held by hand in a window; None where none was, or nobody knows.
    """

    seen: Seen
    shown: Map
    limits: tuple[float, float]
    cost: Cost | None = field(default=None, repr=False)
    style: Style | None = None
    pinned: Query | None = None

    @property
    def name(self) -> str:
        """The model with its patch size and view."""
        return variant_text(self.seen.model, self.seen.trace.ablation.brief)


def notes_of(models: Sequence[Compared]) -> list[str]:
    """What is to be known of the models together: which are one network, and which an approximation."""
    kin = kinships([model.seen.model for model in models])
    if len(set(kin)) > 1:  # beside other networks it must be said which one
        kin = [words and f"{model.seen.model.name}: {words}" for model, words in zip(models, kin, strict=True)]
    notes = [words[:1].upper() + words[1:] for words in dict.fromkeys(kin) if words]
    if any(is_approximation(model.seen.model) for model in models):
        notes.append(_APPROXIMATION)
    return notes


def table_of(models: Sequence[Compared]) -> list[Row]:
    """The rows of costs, and how each map goes with the first one."""
    rows = rows_of([model.cost for model in models])
    found = [_against(models[0].shown, model.shown) for model in models[1:]]
    first = Cell("")
    rows.append(Row("Spearman ρ to the first", "Rank correlation of the shown maps", (first, *(c[0] for c in found))))
    rows.append(Row("Overlap with the first", "Mass that two maps share", (first, *(c[1] for c in found))))
    return rows


def _against(first: Map, other: Map) -> tuple[Cell, Cell]:
    try:
        found = difference(other, first)
    except AttentionError:
        return Cell("no common part"), Cell("no common part")
    return Cell(f"{found.correlation:.3f}"), Cell(f"{found.overlap:.3f}")


def page_for_models(models: Sequence[Compared], style: Style, figure: Figure) -> Page:
    """The figure: maps in a row, each with its name and colour bar, and the table with a column under each.

    Where a column is too narrow for its map, the maps take the whole width, and the table names its columns itself.
    """
    whole = (figure.width or WIDTHS["two columns"]) * POINTS_PER_MM
    size, edge = figure.font_size, figure.font_size / 2
    # Beside the bars there is no room for it.
    shared = (f"{units_of(m.shown)}, {note_of(scale_of((m.style or style).limits))}" for m in models)
    rows = [Row("Colours", "What their ends are shared over", tuple(map(Cell, shared))), *table_of(models)]
    names = min(max(text_width(row.name, size) for row in rows) + size, whole / 4)
    step = (whole - 2 * edge - names) / len(models)
    marks, top = _lines(figure.title, edge, edge, whole - 2 * edge, figure) if figure.title else ([], edge)
    top += size * LINE * 0.3 if figure.title else 0.0
    bars = max(Bar(model.limits, figure, "").width for model in models)
    left, across = edge + names, step
    if step - size < _LEAST * bars:
        left, across = edge, (whole - 2 * edge) / len(models)
        rows.insert(0, Row("Model", "", tuple(Cell(model.name) for model in models)))
    pages = _pictures(models, style, figure, across - size)
    for i, page in enumerate(pages):
        marks += [_moved(mark, left + i * across, top) for mark in page.marks]
    top += max(page.height for page in pages) + size
    marks.append(Line(edge, top, whole - edge, top, 0.5, figure.foreground))
    top += size * (LINE - ASCENT) / 2
    for row in rows:
        named, below = _lines(row.name, edge, top, names - size / 2, figure)
        marks += named
        ends = [below]
        for i, cell in enumerate(row.cells):
            words, below = _lines(kept(cell.words), edge + names + i * step, top, step - size / 2, figure)
            marks += words
            ends.append(below)
        top = max(ends)
    top += size / 2
    marks.append(Line(edge, top, whole - edge, top, 0.5, figure.foreground))
    top += size * (LINE - ASCENT) / 2
    for note in notes_of(models):
        words, top = _lines(note, edge, top, whole - 2 * edge, figure)
        marks += words
    return Page(whole, top + edge, figure.dpi, figure.background, tuple(marks))


def _lines(text: str, x: float, top: float, width: float, figure: Figure) -> tuple[list[Mark], float]:
    """Text in lines of a width, and where what is below begins."""
    size = figure.font_size
    lines = wrapped(text, size, width) or [""]
    marks: list[Mark] = [
        Text(x, top + size * (i * LINE + ASCENT), line, size, figure.foreground) for i, line in enumerate(lines)
    ]
    return marks, top + len(lines) * size * LINE


def _pictures(models: Sequence[Compared], style: Style, figure: Figure, width: float) -> list[Page]:
    """The maps with title and colour bar, each in `width` points, and all of them at the same place."""
    figures = [
        replace(figure, title=_title(m), color_bar=True, label=units_of(m.shown), width=width / POINTS_PER_MM)
        for m in models
    ]
    among = [(each.title, model.limits) for model, each in zip(models, figures, strict=True)]
    pages = []
    for model, each in zip(models, figures, strict=True):
        own, tile = model.style or style, Tile(model.shown, "", model.limits)
        pages.append(page_of(model.seen.image, tile, own, each, scale_of(own.limits), among=among))
    return pages


def _title(model: Compared) -> str:
    target = model.shown.selection.target
    words = map_text(model.shown, "" if target is None else model.seen.trace.label(target))
    return "\n".join(kept(line) for line in (model.name, *words.rsplit(" · ", 1)))


def _moved(mark: Mark, right: float, down: float) -> Mark:
    if isinstance(mark, Line):
        return replace(mark, x0=mark.x0 + right, x1=mark.x1 + right, y0=mark.y0 + down, y1=mark.y1 + down)
    return replace(mark, x=mark.x + right, y=mark.y + down)


def csv_of(models: Sequence[Compared]) -> str:
    """The table with plain numbers: a line a model, bytes and seconds without prefix."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([
        "model", "view_height", "view_width", "patch", "tokens", "grid_rows", "grid_cols", "flops", "attention_share",
        "seconds", "fastest_seconds",
        "slowest_seconds", "runs", "forward_bytes", "trace_bytes", "parameters", "approximation", "network", "spearman",
        "overlap", "device", "precision", *(f"{what}_{k}" for k in range(1, 6) for what in ("class", "probability")),
    ])  # fmt: skip
    for model, network in zip(models, kinships([each.seen.model for each in models]), strict=True):
        c = model.cost
        assert c is not None
        against = _against(models[0].shown, model.shown)
        top = [each for pair in c.top for each in (pair[0], f"{pair[1]:.6g}")]
        writer.writerow([
            model.name, *c.view, f"{c.patch[0]:g}", c.tokens, *c.grid, c.flops, c.attention, c.seconds,
            *(c.spread or (c.seconds, c.seconds)), c.runs,
            c.forward_bytes, c.trace_bytes, c.parameters, is_approximation(model.seen.model), network,
            *(cell.text for cell in against), c.device, c.precision, *top,
        ])  # fmt: skip
    return out.getvalue()
