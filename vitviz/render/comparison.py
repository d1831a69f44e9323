"""Models side by side as one figure: a map over the picture for each, and under them the table of what they cost."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from vitviz.attention.comparison import Difference, difference
from vitviz.attention.costs import Cost
from vitviz.attention.values import Map, Query
from vitviz.errors import AttentionError
from vitviz.models.resizing import is_approximation, kinships, variant_text
from vitviz.render.bar import Bar
from vitviz.render.compose import Tile, page_of, units_of
from vitviz.render.cost_table import Cell, Row, rows_of
from vitviz.render.figure import POINTS_PER_MM, WIDTHS, Figure
from vitviz.render.letters import text_width
from vitviz.render.page import ASCENT, LINE, Line, Mark, Page, Text, kept, wrapped
from vitviz.render.plan import Scale, Seen, scale_of
from vitviz.render.scale import note_of, signed
from vitviz.render.style import Style
from vitviz.render.titles import map_text

_APPROXIMATION = "≈ patch embedding resampled to a size that these weights were not trained for: an approximation"
_LEAST = 2.5  # times the room beside a map: the column that is to hold both
_LEAST_ALONE = 2.0  # the same where maps stand in rows of their own
_LEAST_WORDS = 6.5  # letters, about twice as many characters: a column of the table
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
    found = [_in_cells(_against(models[0].shown, model.shown)) for model in models[1:]]
    first = Cell("")
    rows.append(Row("Spearman ρ to the first", "Rank correlation of the shown maps", (first, *(c[0] for c in found))))
    rows.append(Row("Overlap with the first", "Mass that two maps share", (first, *(c[1] for c in found))))
    return rows


def _against(first: Map, other: Map) -> Difference | None:
    """How a map goes with the first one; None where their models saw no common part of the picture."""
    try:
        return difference(other, first)
    except AttentionError:
        return None


def _in_cells(found: Difference | None) -> tuple[Cell, Cell]:
    if found is None:
        return Cell("no common part"), Cell("no common part")
    return Cell(signed(f"{found.correlation:.3f}")), Cell(f"{found.overlap:.3f}")


def _in_digits(found: Difference | None) -> list[str]:
    """The same as a program reads them; nothing where there is no number."""
    numbers = (math.nan, math.nan) if found is None else (found.correlation, found.overlap)
    return ["" if math.isnan(number) else f"{number:.3f}" for number in numbers]


def page_for_models(models: Sequence[Compared], style: Style, figure: Figure, scale: Scale | None = None) -> Page:
    """The figure: maps in a row, each with its name and colour bar, and the table with a column under each.

    Where a column is too narrow for its map, the maps take the whole width, in as many rows as they need, and the table
    names its columns itself; where these are too narrow for their words, it comes in parts, one below the other.

    Args:
        scale: "figure" where all maps have one; what it is otherwise, the limits of the styles say.
    """
    whole = (figure.width or WIDTHS["two columns"]) * POINTS_PER_MM
    size, edge = figure.font_size, figure.font_size / 2
    inside = whole - 2 * edge
    notes = ("figure maps" if scale == "figure" else scale_of((model.style or style).limits) for model in models)
    # Beside the bars there is no room for it.
    shared = (f"{units_of(model.shown)}, {note_of(note)}" for model, note in zip(models, notes, strict=True))
    rows = [Row("Colours", "What their ends are shared over", tuple(map(Cell, shared))), *table_of(models)]
    names = min(max(text_width(row.name, size) for row in rows) + size, whole / 4)
    columns = _in_rows(len(models), inside - names, _LEAST_WORDS * size)
    step = (inside - names) / columns
    marks, top = _lines(figure.title, edge, edge, inside, figure) if figure.title else ([], edge)
    top += size * LINE * 0.3 if figure.title else 0.0
    bars = max(Bar(model.limits, figure, "").width for model in models)
    left, across, beside = edge + names, step, columns
    if columns < len(models) or step - size < _LEAST * bars:
        beside = _in_rows(len(models), inside, size + _LEAST_ALONE * bars)
        left, across = edge, inside / beside
        rows.insert(0, Row("Model", "", tuple(Cell(model.name) for model in models)))
    pages = _pictures(models, style, figure, across - size, beside)
    for start in range(0, len(pages), beside):
        row = pages[start : start + beside]
        for i, page in enumerate(row):
            marks += [_moved(mark, left + i * across, top) for mark in page.marks]
        top += max(page.height for page in row) + size
    for start in range(0, len(models), columns):
        part = [replace(row, cells=row.cells[start : start + columns]) for row in rows]
        marks.append(Line(edge, top, whole - edge, top, 0.5, figure.foreground))
        words, top = _table(part, (edge, top + size * (LINE - ASCENT) / 2), (names, step), figure)
        marks += words
        top += size / 2
    marks.append(Line(edge, top, whole - edge, top, 0.5, figure.foreground))
    top += size * (LINE - ASCENT) / 2
    for note in notes_of(models):
        words, top = _lines(note, edge, top, inside, figure)
        marks += words
    return Page(whole, top + edge, figure.dpi, figure.background, tuple(marks))


def _in_rows(count: int, width: float, least: float) -> int:
    """How many of some things stand in a row where each needs `least` points, in rows that are about equally long."""
    most = max(1, math.floor(width / least))
    return math.ceil(count / math.ceil(count / most))


def _table(
    rows: Sequence[Row], corner: tuple[float, float], widths: tuple[float, float], figure: Figure
) -> tuple[list[Mark], float]:
    """Rows of words from their upper left corner, and where what is below begins; `widths` of names and of cells."""
    (x, top), (names, step), space = corner, widths, figure.font_size / 2
    marks: list[Mark] = []
    for row in rows:
        named, below = _lines(row.name, x, top, names - space, figure)
        marks += named
        ends = [below]
        for i, cell in enumerate(row.cells):
            words, below = _lines(kept(cell.words), x + names + i * step, top, step - space, figure)
            marks += words
            ends.append(below)
        top = max(ends)
    return marks, top


def _lines(text: str, x: float, top: float, width: float, figure: Figure) -> tuple[list[Mark], float]:
    """Text in lines of a width, and where what is below begins."""
    size = figure.font_size
    lines = wrapped(text, size, width) or [""]
    marks: list[Mark] = [
        Text(x, top + size * (i * LINE + ASCENT), line, size, figure.foreground) for i, line in enumerate(lines)
    ]
    return marks, top + len(lines) * size * LINE


def _pictures(models: Sequence[Compared], style: Style, figure: Figure, width: float, beside: int) -> list[Page]:
    """The maps with title and colour bar, each in `width` points, and all of a row of `beside` at the same place."""
    figures = [
        replace(figure, title=_title(m), color_bar=True, label=units_of(m.shown), width=width / POINTS_PER_MM)
        for m in models
    ]
    pages = []
    for i, (model, each) in enumerate(zip(models, figures, strict=True)):
        own, tile = model.style or style, Tile(model.shown, "", model.limits)
        among = [
            (other.title if at // beside == i // beside else "", of.limits)
            for at, (of, other) in enumerate(zip(models, figures, strict=True))
        ]
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
    """The table with plain numbers: a line a model, bytes and seconds without prefix; what has no number is empty."""
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
            *_in_digits(against), c.device, c.precision, *top,
        ])  # fmt: skip
    return out.getvalue()
