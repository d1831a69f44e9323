"""A page of marks, in points (1/72 inch) from its upper left corner; raster, SVG and PDF are made from the same one."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import ImageFont

from vitviz import resources

FONT = "fonts/LiberationSans-Regular.ttf"
# Whoever lacks the font has one of the same widths.
FAMILIES = "Liberation Sans, Arial, Helvetica, sans-serif"
ASCENT, DESCENT, LINE = 0.72, 0.21, 1.25  # of the font size: capitals, tails, from line to line
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


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Marks in the order in which they are drawn. Sizes in points; `dpi` is that of its pixels."""

    width: float
    height: float
    dpi: int
    background: Color
    marks: tuple[Mark, ...]


def text_width(text: str, size: float) -> float:
    """The width of a line of text in points."""
    return float(font(1000).getlength(text)) * size / 1000


@lru_cache(maxsize=16)
def font(pixels: float) -> ImageFont.FreeTypeFont:
    """The font at a size in pixels; the basic layout, which is the same wherever Pillow is."""
    return ImageFont.truetype(str(resources.path(FONT)), pixels, layout_engine=ImageFont.Layout.BASIC)


def clean(text: str) -> str:
    """Text without what no file may hold: control characters and lone surrogates become spaces."""
    return "".join(c if c.isprintable() or c == "\u00a0" else " " for c in text.encode("utf-8", "replace").decode())


def wrapped(text: str, size: float, width: float) -> list[str]:
    """The lines of a text that is `width` points wide, broken at spaces, and where a word alone is too wide."""
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
                lines.append(word[:fits])
                word = word[fits:]
            line = word
        lines.append(line)
    return lines


def shortened(text: str, size: float, width: float) -> str:
    """The text, cut with an ellipsis to at most `width` points."""
    text = clean(text)
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text + "…" if text else ""
