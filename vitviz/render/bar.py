"""The colour bar of a figure: numbers or words at its ends, and what the values are beside it."""

from __future__ import annotations

from vitviz.render.figure import Figure
from vitviz.render.letters import text_width
from vitviz.render.page import ASCENT, LINE, Line, Mark, Ramp, Text, frame, shortened, wrapped
from vitviz.render.scale import MINUS, exponent_of, labels_of
from vitviz.render.style import color_table

_SMALLEST = 0.7  # of the font size: letters beside a bar that is too low for its label
_CLOSE = 1.1  # of these letters: from line to line
_FRAME_WIDTH = 0.5


class Bar:
    """The colour bar: how much room it takes to the right, above and below, and its marks."""

    def __init__(
        self, limits: tuple[float, float], figure: Figure, label: str, ends: tuple[str, str] | None = None
    ) -> None:
        size = figure.font_size
        self._figure, self._label, self._flat = figure, label, limits[0] == limits[1]
        self._labels = labels_of(limits) if ends is None else [ends[1], ends[0]]
        self._exponent = exponent_of(limits) if ends is None else 0
        self._numbers = max(text_width(text, size) for text in self._labels)
        # Between two words at its ends there is room for the label beside the bar itself.
        self._near = ends is not None
        beside = max(self._numbers, size * LINE) if self._near else self._numbers + size * 0.4 + size * LINE
        self.width = size * 0.8 + size + size * 0.6 + beside
        self.above = size * (1.6 if self._exponent else ASCENT / 2)
        self.below = size * ASCENT / 2

    def marks(self, right_of: float, top: float, height: float, colormap: str) -> list[Mark]:
        """The bar beside a picture that ends at `right_of` and is `height` points high."""
        size, ink = self._figure.font_size, self._figure.foreground
        left, wide = right_of + size * 0.8, size
        right, bottom = left + wide, top + height
        colors = color_table(colormap)
        made: list[Mark] = [Ramp(left, top, wide, height, colors[:1].repeat(256, axis=0) if self._flat else colors)]
        made += frame(left, top, wide, height, _FRAME_WIDTH, ink)
        last = len(self._labels) - 1
        # A bar that is too low for all its numbers keeps its ends.
        every = 1 if height / max(last, 1) >= size * 1.1 else (2 if height / 2 >= size * 1.1 else last)
        for i in range(0, last + 1, max(every, 1)):
            at = top + height * i / last
            if not self._labels[i]:
                continue
            made.append(Line(right, at, right + size * 0.3, at, _FRAME_WIDTH, ink))
            made.append(Text(right + size * 0.6, at + size * ASCENT / 2, self._labels[i], size, ink))
        if self._exponent:
            base = top - size * 0.75
            made.append(Text(left, base, "×10", size, ink))
            raised = Text(
                left + text_width("×10", size), base - size * 0.35, f"{MINUS}{-self._exponent}", size * 0.75, ink
            )
            made.append(raised)
        room = max(height - (3 * size if self._near else 0), size)
        # Letters a little smaller say more than an ellipsis, and two lines of them more than one.
        letters = size * min(1.0, max(_SMALLEST, room / max(text_width(self._label, size), 1e-6)))
        lines = wrapped(self._label, letters, room + 1e-6)  # more than rounding adds to what fits
        if any(text_width(word, letters) > room for word in self._label.split()):
            lines = [shortened(self._label, letters, room)] if room > 4 * letters else []
        # Between the two words there is room for as many as these are wide.
        most = max(2, int(self._numbers / (letters * _CLOSE))) if self._near else 2
        if len(lines) > most:
            lines = [*lines[: most - 1], shortened(" ".join(lines[most - 1 :]), letters, room)]
        edge = right + size * 0.6 + (0 if self._near else self._numbers + size * 0.4)
        for i, text in enumerate(lines):
            base = edge + ((size if len(lines) == 1 else letters) * ASCENT) + i * letters * _CLOSE
            made.append(Text(base, (top + bottom) / 2, text, letters, ink, "middle", turned=True))
        return made
