"""What a token can see as a figure: one step over the picture with the growth below, or all steps as a sheet."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from vitviz.atomic import slug
from vitviz.attention.values import Place
from vitviz.render.figure import WIDTHS, Figure
from vitviz.render.letters import text_width
from vitviz.render.overlay import Canvas
from vitviz.render.page import ASCENT, LINE, Line, Mark, Page, Picture, Text, frame, kept, wrapped
from vitviz.render.reach import draw_step
from vitviz.render.reach_words import AXES, LEGEND, growth_text, short_text, step_text, tick_texts
from vitviz.render.studies.study import Needs, Study, Subject
from vitviz.render.weights import width_of

if TYPE_CHECKING:
    from vitviz.attention.reach import Reach

_CHOSEN, _OTHER = (33, 113, 181), (176, 176, 180)


@dataclass(frozen=True, slots=True)
class ReachStudy(Study["Reach"]):
    """The reach of the tokens at a place, as `attention.reach` finds it.

    Attributes:
        step: the one that is shown; None for a sheet of all that differ.
    """

    name: ClassVar[str] = "receptive field"
    needs: ClassVar[Needs] = "trace"
    figure: ClassVar[Figure] = Figure(width=WIDTHS["one column"])
    moves: ClassVar[bool] = True

    place: Place
    way: Literal["down", "up"] = "down"
    step: int | None = None

    def found(self, subject: Subject) -> Reach:
        from vitviz.attention.reach import reach

        assert subject.trace is not None
        return reach(subject.trace, self.place, self.way)

    def page(self, found: Reach, subject: Subject, figure: Figure) -> Page:
        return _sheet(found, subject, figure) if self.step is None else _one(found, self._at(found), subject, figure)

    def _at(self, found: Reach) -> int:
        return min(max(self.step or 0, 0), len(found.steps) - 1)

    def arrays(self, found: Reach) -> dict[str, np.ndarray]:
        layers = [step.layers or (-1, -1) for step in found.steps]
        return {
            "seen": np.stack([step.seen for step in found.steps]),
            "counts": np.array(found.counts, dtype=np.int32),
            "layers": np.array(layers, dtype=np.int32),
        }

    def about(self, found: Reach) -> dict[str, Any]:
        return {
            "unit": "whether a patch is seen",
            "axes": "step, row, column; of layers the first and the last of each step, -1 for none",
            "grid": list(found.grid.shape),
            "patch_px_of_view": list(found.grid.stride),
            "counts": list(found.counts),
            "note": found.note,
        }

    def stem(self, subject: Subject) -> str:
        assert subject.image is not None
        which = "all steps" if self.step is None else f"step {self.step}"
        at = f"x{self.place.x:.0f} y{self.place.y:.0f}"
        return slug(f"{subject.image.name} {subject.model.name} reach {self.way} {at} {which}", limit=120)

    def title(self, found: Reach) -> str:
        return f"What a token can see, {found.way}: {', '.join(map(str, found.counts))} of {found.grid.size} patches"

    def frames(self, found: Reach) -> tuple[ReachStudy, ...]:
        return tuple(replace(self, step=at) for at in range(len(found.steps)))


def _one(found: Reach, at: int, subject: Subject, figure: Figure) -> Page:
    """The picture with one step, what it is in words, and a bar for every step."""
    assert subject.trace is not None
    size, ink, width = figure.font_size, figure.foreground, width_of(figure)
    edge = size / 2
    inside = width - 2 * edge
    # As many lines as the longest step needs, so that the frames of an animation have one size.
    texts = [wrapped(step_text(subject.trace, found, i), size, inside) for i in range(len(found.steps))]
    title = wrapped(_of(subject), size, inside)
    marks: list[Mark] = _lines([*title, *texts[at]], edge, edge, size, ink)
    top = edge + (len(title) + max(map(len, texts))) * LINE * size + size / 4
    picture = _picture(found, at, subject, (edge, top, inside), figure.dpi)
    marks += [picture, *frame(edge, top, inside, picture.height, 0.5, ink)]
    top += picture.height + size / 2
    marks += _lines([AXES[found.way]], edge, top, size, ink)
    top += LINE * size
    marks += _bars(found, at, (edge, top, inside), figure)
    top += _bars_height(size)
    below = wrapped(f"{growth_text(subject.trace, found)} {LEGEND}", size, inside)
    marks += _lines(below, edge, top, size, ink)
    return Page(width, top + len(below) * LINE * size + edge, figure.dpi, figure.background, tuple(marks))


def _sheet(found: Reach, subject: Subject, figure: Figure) -> Page:
    """Every step up to the first that sees all, with its layers and count under it."""
    assert subject.trace is not None
    size, ink, width = figure.font_size, figure.foreground, width_of(figure)
    edge, gap = size / 2, size
    steps = found.steps[: found.counts.index(found.counts[-1]) + 1]
    across = max(math.ceil(len(steps) / math.ceil(len(steps) / 5)), 3)
    wide = (width - 2 * edge - (across - 1) * gap) / across
    above = wrapped(step_text(subject.trace, found, len(steps) - 1), size, width - 2 * edge)
    title = wrapped(_of(subject), size, width - 2 * edge)
    marks = _lines([*title, *above], edge, edge, size, ink)
    top = edge + (len(title) + len(above)) * LINE * size + size / 4
    for at, step in enumerate(steps):
        row, col = divmod(at, across)
        x = edge + col * (wide + gap)
        picture = _picture(found, at, subject, (x, 0.0, wide), figure.dpi)
        high = picture.height + 2 * LINE * size + size * 1.25
        y = top + row * high
        share = f"{step.count} ({100 * step.count / found.grid.size:.1f} %)"
        marks += [replace(picture, y=y), *frame(x, y, wide, picture.height, 0.5, ink)]
        marks += _lines([short_text(found, at), share], x, y + picture.height + size / 2, size, ink)
    top += math.ceil(len(steps) / across) * high
    words = f"{growth_text(subject.trace, found, line=False)} {LEGEND}"
    below = wrapped(words, size, width - 2 * edge)
    marks += _lines(below, edge, top, size, ink)
    return Page(width, top + len(below) * LINE * size + edge, figure.dpi, figure.background, tuple(marks))


def _of(subject: Subject) -> str:
    assert subject.image is not None
    return f"What can this token see? {kept(f'{subject.model.name} · {subject.image.name}')}"


def _lines(texts: list[str], x: float, top: float, size: float, ink: tuple[int, int, int]) -> list[Mark]:
    return [Text(x, top + size * (i * LINE + ASCENT), text, size, ink) for i, text in enumerate(texts)]


def _picture(found: Reach, at: int, subject: Subject, box: tuple[float, float, float], dpi: int) -> Picture:
    """A step over the picture, in a box (x, y, width) in points."""
    assert subject.image is not None and subject.trace is not None
    x, y, width = box
    canvas = Canvas(subject.image, subject.trace.view, width * dpi / 72 / subject.image.size[1])
    height = width * canvas.size[0] / canvas.size[1]
    return Picture(x, y, width, height, draw_step(canvas, found, at))


def _bars_height(size: float) -> float:
    return size * (5 + 2 * LINE + 0.5)


def _bars(found: Reach, at: int, box: tuple[float, float, float], figure: Figure) -> list[Mark]:
    """A bar for every step, its share above and the layer that it comes to below; the dashed line is a ViT."""
    (x, y, width), size, ink = box, figure.font_size, figure.foreground
    ticks, room = tick_texts(found), 5 * size
    pitch = width / len(found.steps)
    floor = y + LINE * size + room
    small = min(size, size * pitch / (text_width("100 ", size) or 1))
    marks: list[Mark] = []
    taken: list[tuple[float, float]] = []  # from x to x, where a number stands on the dashed line
    for i, count in enumerate(found.counts):
        share = count / found.grid.size
        high, color = max(0.5, share * room), _CHOSEN if i == at else _OTHER
        middle = x + (i + 0.5) * pitch
        pixel = np.array([[color]], dtype=np.uint8)
        marks.append(Picture(x + i * pitch + pitch * 0.1, floor - high, pitch * 0.8, high, pixel))
        base, words = floor - high - size * 0.25, f"{100 * share:.0f}"
        marks.append(Text(middle, base, words, small, ink, "middle"))
        if base - small * ASCENT - 1 <= floor - room <= base + 1:
            half = text_width(words, small) / 2 + 1
            taken.append((middle - half, middle + half))
        marks.append(Text(middle, floor + size * (ASCENT + 0.2), ticks[i], small, ink, "middle"))
    dash, level = size * 0.5, floor - room
    marks += [
        Line(x + i * 2 * dash, level, min(x + (2 * i + 1) * dash, x + width), level, 0.5, ink)
        for i in range(math.ceil(width / (2 * dash)))
        if not any(left < x + (2 * i + 1) * dash and x + i * 2 * dash < right for left, right in taken)
    ]
    return marks
