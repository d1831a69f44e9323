"""What a call was given, held against what it takes: one error for each kind of mistake, of the caller's own kind."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from vitviz.errors import VitvizError


def whole(value: Any, what: str, kind: type[VitvizError], instead: str = "a whole number") -> int:
    """An integer, numpy's too, as an int; bools and floats are none."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise kind(f"{what} is {short(value)}: give {instead}.")
    return int(value)


def within(value: Any, low: float, high: float, what: str, kind: type[VitvizError]) -> None:
    """Refuse what is no number from `low` to `high`."""
    if not is_number(value) or not low <= value <= high:
        raise kind(f"{what} is {short(value)}: give a number from {low:g} to {high:g}.")


def one_of(value: Any, choices: Iterable[Any], what: str, kind: type[VitvizError]) -> None:
    """Refuse what is none of the choices; True is not 1."""
    known = tuple(choices)
    if not any(type(value) is type(each) and value == each for each in known):
        raise kind(f"{what} {short(value)} is unknown: give {' or '.join(map(repr, known))}.")


def is_number(value: Any) -> bool:
    """Whether this is a finite number and no bool."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def short(value: Any) -> str:
    """What came, in a few words: numbers and texts as they are written, of anything else its type."""
    if value is None or isinstance(value, bool | int | float | str | tuple | list):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}…"
    return f"{value} ({type(value).__name__})" if isinstance(value, Real) else f"of type {type(value).__name__}"
