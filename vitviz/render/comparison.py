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
from vitviz.render.page import ASCENT, LINE, Line, Mark, Page, Picture, Text, shortened, text_width
from vitviz.render.plan import Seen, scale_of
from vitviz.render.scale import note_of
from vitviz.render.style import Style
from vitviz.render.titles import map_text

_APPROXIMATION = "≈ patch embedding resampled to a size that these weights were not trained for: an approximation"
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
    """The figure: maps in a row, each with its name and colour bar, and the table with a column under each."""
    whole = (figure.width or WIDTHS["two columns"]) * POINTS_PER_MM
    size, edge = figure.font_size, figure.font_size / 2
    # Beside the bars there is no room for it.
    shared = tuple(Cell(note_of(scale_of((model.style or style).limits))) for model in models)
    colours = Row("Colours", "What their ends are shared over", shared)
    rows = [colours, *table_of(models)]
    names = min(max(text_width(row.name, size) for row in rows) + size, whole / 4)
    step = (whole - 2 * edge - names) / len(models)
    marks: list[Mark] = []
    top = edge
    if figure.title:
        marks.append(Text(edge, top + size * ASCENT, shortened(figure.title, size, whole - 2 * edge), size,
                          figure.foreground))  # fmt: skip
        top += size * LINE * 1.3
    pictures, high = _pictures(models, style, figure, step - size)
    for i, page in enumerate(pictures):
        marks += [_moved(mark, edge + names + i * step, top) for mark in page]
    top += high + size
    marks.append(Line(edge, top, whole - edge, top, 0.5, figure.foreground))
    for row in rows:
        top += size * LINE
        base = top - size * (LINE - ASCENT) / 2
        marks.append(Text(edge, base, shortened(row.name, size, names - size / 2), size, figure.foreground))
        for i, cell in enumerate(row.cells):
            text = shortened(cell.words, size, step - size / 2)
            marks.append(Text(edge + names + i * step, base, text, size, figure.foreground))
    top += size / 2
    marks.append(Line(edge, top, whole - edge, top, 0.5, figure.foreground))
    for note in notes_of(models):
        top += size * LINE
        text = shortened(note, size, whole - 2 * edge)
        marks.append(Text(edge, top - size * (LINE - ASCENT) / 2, text, size, figure.foreground))
    return Page(whole, top + edge, figure.dpi, figure.background, tuple(marks))


def _pictures(models: Sequence[Compared], style: Style, figure: Figure, width: float) -> tuple[list[list[Mark]], float]:
    """The maps with title and colour bar, each in `width` points, and the height of the highest.

    All pictures are equally wide and begin at the same height, whatever numbers stand beside their bars.
    """
    figures = [replace(figure, title=_title(m), color_bar=True, label=units_of(m.shown)) for m in models]
    bars = [Bar(model.limits, each, each.label).width for model, each in zip(models, figures, strict=True)]
    pages = []
    for model, each, bar in zip(models, figures, bars, strict=True):
        own = model.style or style
        single = replace(each, width=(width - max(bars) + bar) / POINTS_PER_MM)
        pages.append(page_of(model.seen.image, Tile(model.shown, "", model.limits), own, single, scale_of(own.limits)))
    firsts = [next(i for i, mark in enumerate(page.marks) if isinstance(mark, Picture)) for page in pages]
    tops = [page.marks[first].y for page, first in zip(pages, firsts, strict=True)]  # type: ignore[union-attr]
    made = [
        [*page.marks[:first], *(_moved(mark, 0.0, max(tops) - top) for mark in page.marks[first:])]
        for page, first, top in zip(pages, firsts, tops, strict=True)
    ]
    return made, max(page.height + max(tops) - top for page, top in zip(pages, tops, strict=True))


def _title(model: Compared) -> str:
    target = model.shown.selection.target
    words = map_text(model.shown, "" if target is None else model.seen.trace.label(target))
    return "\n".join([model.name, *words.rsplit(" · ", 1)])  # broken between its parts


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
