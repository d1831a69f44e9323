"""The numbers beside a colour bar: the same in the window and in files."""

from __future__ import annotations

import math

import numpy as np

TICKS = 5
MINUS = "\u2212"  # as wide as a plus, unlike a hyphen
NOTES = {
    "map": "scale of this map",
    "each": "each on its own scale",
    "layer": "scale of the layer",
    "all": "scale of all layers",
    "frames": "scale of all frames",
    "tiles": "scale of all tiles",
    "panes": "one scale for all panes",
    "figure maps": "one scale for all maps of the figure",
    "zero": "from 0 to its largest",
    "zero frames": "from 0 to the largest of all frames",
}


def signed(text: str) -> str:
    """A number in words with a minus in place of Python's hyphen, as the window writes it; files of numbers do not."""
    return text.replace("-", MINUS)


def exponent_of(limits: tuple[float, float]) -> int:
    """The power of ten that the numbers are given in: 0, or less for small values."""
    largest = max(abs(value) for value in limits)
    return 0 if largest >= 0.01 or largest <= 0 else math.floor(math.log10(largest))


def labels_of(limits: tuple[float, float]) -> list[str]:
    """TICKS numbers from the top of the bar down, in units of 10^exponent."""
    low, high = limits
    if low == high:  # of a uniform map: one number, in the middle
        return [signed(f"{high * 10.0 ** -exponent_of(limits):.3f}") if i == TICKS // 2 else "" for i in range(TICKS)]
    unit = 10.0 ** -exponent_of(limits)
    step = (high - low) / (TICKS - 1) * unit
    digits = 3 if step <= 0 else min(6, max(3, math.ceil(-math.log10(step)) + 1))
    return [signed(f"{value * unit:.{digits}f}") for value in np.linspace(high, low, TICKS)]


def ends_text(limits: tuple[float, float]) -> str:
    """ "0.003 to 0.167", "0.1 to 9.2 ×10^−3": the ends of a bar with the digits that it would have."""
    numbers, exponent = labels_of(limits), exponent_of(limits)
    power = f" ×10^{MINUS}{-exponent}" if exponent else ""
    return f"{numbers[-1]} to {numbers[0]}{power}"


def note_of(scale: object, limits: tuple[float, float] | None = None) -> str:
    """What the ends of the colours are shared over, in words; where they coincide, that there is nothing to tell."""
    if limits is not None and limits[0] == limits[1]:
        return f"uniform: every patch has {limits[1]:.4g}"
    return NOTES.get(str(scale), "fixed scale")
