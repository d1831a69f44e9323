"""How the values of options are read: what can't be is refused before anything runs, with what may stand there."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError as Refused
from collections.abc import Callable
from typing import Any

from vitviz.cli.parser import unknown

# What the tokens before the patches are called, whatever the model.
_TOKEN = re.compile(r"cls|dist|mean|reg\d+|prefix\d+")
_LIMITS = ("map", "figure", "layer", "all")


def number_or(*words: str) -> Callable[[str], int | str]:
    """A reader of a whole number or one of some words."""

    def read(text: str) -> int | str:
        if text in words:
            return text
        try:
            return int(text)
        except ValueError:
            raise Refused(unknown(text, words, "a number")) from None

    return read


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """A reader of a whole number within bounds."""

    def read(text: str) -> int:
        try:
            value = int(text)
            if least <= value and (most is None or value <= most):
                return value
        except ValueError:
            pass
        bounds = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise Refused(f"is {text!r}: give a whole number {bounds}")

    return read


def positive(text: str) -> float:
    """A number above 0."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise Refused(f"is {text!r}: give a number above 0")
    return value


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise Refused(f"is {text!r}: give a number from 0 to 1")
    return value


def size(text: str) -> tuple[int, int]:
    """ "384" or "224x320" (height x width) as (height, width)."""
    sides = text.lower().split("x")
    try:
        height, width = int(sides[0]), int(sides[-1])
    except ValueError:
        height = width = 0
    if len(sides) > 2 or min(height, width) < 1:
        raise Refused(f"is {text!r}: give a size such as 384 or 224x320 (height x width)")
    return height, width


def sizes(text: str) -> list[tuple[int, int]]:
    """Several sizes."""
    return [size(part) for part in text.split(",")]


def patches(text: str) -> list[int]:
    """Several sides of patches."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = [0]
    if min(found) < 1:
        raise Refused(f"is {text!r}: give sizes of patches such as 16 or 8,16,32")
    return found


def channels(text: str) -> tuple[float, ...]:
    """One number or three, as three."""
    found = tuple(_number(part) for part in text.split(","))
    if len(found) not in (1, 3) or not all(map(math.isfinite, found)):
        raise Refused(f"is {text!r}: give one number or three, such as 0.485,0.456,0.406")
    return found * 3 if len(found) == 1 else found


def deviations(text: str) -> tuple[float, ...]:
    """As `channels`, but to divide by."""
    found = channels(text)
    if min(found) <= 0:
        raise Refused(f"is {text!r}: give numbers above 0, such as 0.229,0.224,0.225")
    return found


def query(text: str) -> Any:
    """A token's name, a patch ROW,COL, or a pixel @X,Y as a Place."""
    from vitviz.attention.values import Place

    if _TOKEN.fullmatch(text):
        return text
    if re.fullmatch(r"\d+,\d+", text):
        row, col = text.split(",")
        return int(row), int(col)
    x, _, y = text.removeprefix("@").partition(",")
    if text.startswith("@") and math.isfinite(_number(x)) and math.isfinite(_number(y)):
        return Place(float(x), float(y))
    raise Refused(unknown(text, ("cls", "mean", "dist", "reg0"), "a patch ROW,COL, a pixel @X,Y"))


def device(text: str) -> str:
    """The name of a device, which need not be here."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", text):
        raise Refused(unknown(text, ("auto", "cpu", "cuda", "cuda:1", "mps")))
    return text


def limits(text: str) -> Any:
    """ "map", "figure", "layer", "all", or LOW,HIGH as two numbers."""
    if text in _LIMITS:
        return text
    low, _, high = text.partition(",")
    if not -math.inf < _number(low) < _number(high) < math.inf:
        raise Refused(unknown(text, _LIMITS, "LOW,HIGH such as 0,0.5"))
    return float(low), float(high)


def method(text: str) -> str:
    """The name of a method; dashes and underscores may stand for its spaces."""
    from vitviz.attention.methods import METHODS

    plain = {name.replace("-", " "): name for name in METHODS}
    found = plain.get(text.casefold().replace("_", " ").replace("-", " "))
    if found is None:
        raise Refused(unknown(text, [name.replace(" ", "-") for name in METHODS]))
    return found


def colormap(text: str) -> str:
    """The name of a colormap that is known."""
    from vitviz.render.style import COLORMAPS, color_table

    try:
        color_table(text)
    except ValueError:
        raise Refused(unknown(text, COLORMAPS, "a name of the cmap package")) from None
    return text


def heads(text: str) -> list[tuple[int, int | None]]:
    """LAYER.HEAD,… as pairs; None stands for all heads of a layer."""
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"-?\d+(\.\d+)?", part) for part in parts):
        raise Refused(f"is {text!r}: give heads as LAYER.HEAD, such as 3.0,3.5, or whole layers, such as 4")
    pairs = [part.partition(".") for part in parts]
    return [(int(layer), int(head) if dot else None) for layer, dot, head in pairs]


def _number(text: str) -> float:
    """NaN for what is no number."""
    try:
        return float(text)
    except ValueError:
        return math.nan
