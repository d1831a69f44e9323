"""A page of marks, in points (1/72 inch) from its upper left corner; raster, SVG and PDF are made from the same one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np

from vitviz.render.letters import clean, text_width

ASCENT, DESCENT, LINE = 0.72, 0.21, 1.25  # of the font size: capitals, tails, from line to line
_JOINTS = "_-/."  # of names of files and models
_MOST = 16_000_000  # pixels of an enlarged picture
Color = tuple[int, int, int]
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """(h, w, 3) uint8 pixels in a box; `smooth` allows the viewer to interpolate between them."""

    x: float
    y: float
    width: float
    height: float
    pixels: np.ndarray = field(repr=False)
    smooth: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it has one colour."""
        return self.pixels.shape[:2] == (1, 1)

    def enlarged(self, dpi: int) -> np.ndarray:
        """The pixels, each repeated up to this resolution: many viewers blur the borders between few large ones."""
        rows, cols = self.pixels.shape[:2]
        wanted = dpi / 72 * max(self.width / cols, self.height / rows)
        times = math.ceil(min(wanted, math.sqrt(_MOST / (rows * cols))) - 1e-6)  # less what rounding adds
        return self.pixels if self.smooth or times <= 1 else self.pixels.repeat(times, axis=0).repeat(times, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Ramp:
    """A table of colours (n, 3) uint8 from the lower end of a box to its upper end."""

    x: float
    y: float
    width: float
    height: float
    table: np.ndarray = field(repr=False)


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line; `opacity` between 0 and 1."""

    x0: float
    y0: float
    x1: float
    y1: float
    width: float
    color: Color
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text on its baseline at (x, y); `turned` reads upwards, with the baseline to the right."""

    x: float
    y: float
    text: str
    size: float
    color: Color
    anchor: Anchor = "start"
    turned: bool = False


Mark = Picture | Ramp | Line | Text


def frame(x: float, y: float, width: float, height: float, thick: float, color: Color) -> list[Line]:
    """The four lines around a box."""
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    return [Line(*start, *end, thick, color) for start, end in pairwise(corners)]


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Marks in the order in which they are drawn. Sizes in points; `dpi` is that of its pixels."""

    width: float
    height: float
    dpi: int
    background: Color
    marks: tuple[Mark, ...]


def kept(text: str) -> str:
    """Text whose parts between dots are broken only where one alone is too wide."""
    return " · ".join(part.replace(" ", "\u00a0") for part in text.split(" · ")).replace(" ·", "\u00a0·")


def wrapped(text: str, size: float, width: float) -> list[str]:
    """The lines of a text that is `width` points wide, broken at spaces, and where a word alone is too wide.

    What hard spaces hold together is broken at these before a word is, and a long name behind one of its joints.
    """
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in clean(paragraph).split(" "):
            longer = f"{line} {word}" if line else word
            if text_width(longer, size) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            while text_width(word, size) > width and len(word) > 1:
                fits = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or text_width(word[:n], size) <= width)
                hard = word.rfind("\u00a0", 1, fits + 1)
                joint = max(word.rfind(char, fits // 2, fits) for char in _JOINTS) + 1
                fits = joint or fits
                lines.append(word[: hard if hard > 0 else fits])
                word = word[hard + 1 if hard > 0 else fits :]
            line = word
        lines.append(line)
    return [line.replace("\u00a0", " ") for line in lines]


def shortened(text: str, size: float, width: float) -> str:
    """The text, cut with an ellipsis to at most `width` points."""
    text = clean(text)
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text + "…" if text else ""
