"""Frozen values <-> JSON, read back against their own type hints: a recipe or session holds nothing else."""

from __future__ import annotations

import dataclasses
import math
import numbers
import types
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from vitviz.errors import VitvizError

LONGEST_TEXT = 4096
MOST_ITEMS = 10_000

# Metadata of a field that older files lack: as long as it has its default it is not written, so that they come again
# byte for byte.
LATER = {"later": True}

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """A frozen dataclass, or anything that its fields may hold, as JSON values: tuples become lists.

    A whole number in a field of floats becomes a float, as it will be once it is read back. Fields that are LATER are
    left out where they say nothing.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = _hints(type(value))
        held = ((f, getattr(value, f.name)) for f in dataclasses.fields(value))
        told = {f.name: each for f, each in held if "later" not in f.metadata or each != f.default}
        return {name: _widened(hints[name], to_json(each)) for name, each in told.items()}
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    if isinstance(value, frozenset):
        return [to_json(each) for each in sorted(value)]
    if isinstance(value, dict):
        return {str(key): to_json(each) for key, each in value.items()}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, numbers.Real):  # numpy's
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    return str(value)


def canonical(value: T) -> T:
    """A frozen dataclass as it is read back from its JSON: 85 where a float belongs is 85.0.

    Raises the errors of `from_json`.
    """
    return from_json(type(value), to_json(value))


def _widened(kind: Any, data: Any) -> Any:
    """JSON values of a field with the numbers as floats where its type has floats alone."""
    origin, kinds = get_origin(kind), get_args(kind)
    if kind is float and type(data) is int:
        return float(data)
    if origin is tuple and isinstance(data, list):
        kinds = kinds[:1] * len(data) if kinds[-1:] == (Ellipsis,) else kinds
        return [_widened(*each) for each in zip(kinds, data, strict=True)] if len(kinds) == len(data) else data
    if origin in (Union, types.UnionType) and not (type(data) is int and int in kinds):
        for each in kinds:
            data = _widened(each, data)
    return data


def from_json(kind: type[T], data: Any) -> T:
    """JSON values as a frozen dataclass; fields that are not there keep their defaults.

    Raises ValueError, with a sentence, for an unknown field, one that is needed and not there, a value of another type,
    a number that is not finite, a text over LONGEST_TEXT characters.
    """
    made = _read(kind, data, kind.__name__)
    assert isinstance(made, kind)
    return made


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(kind: Any, data: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _read_union(get_args(kind), data, where)
    if origin is Literal:
        if not isinstance(data, bool) and data in get_args(kind):
            return data
        raise ValueError(f"{where} is {_short(data)}, expected one of {', '.join(map(str, get_args(kind)))}")
    if origin is frozenset and isinstance(data, list) and len(data) <= MOST_ITEMS:
        return frozenset(_read(get_args(kind)[0], each, where) for each in data)
    if origin is tuple:
        return _read_tuple(get_args(kind), data, where)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _read_fields(kind, data, where)
    if kind is type(None) and data is None:
        return None
    if kind is bool and isinstance(data, bool):
        return data
    if kind is str and isinstance(data, str) and len(data) <= LONGEST_TEXT and "\0" not in data:
        return data
    if kind is Path and isinstance(data, str) and 0 < len(data) <= LONGEST_TEXT and "\0" not in data:
        return Path(data)
    number = isinstance(data, int | float) and not isinstance(data, bool) and math.isfinite(data)
    if kind is int and number and data == int(data) and abs(data) < 2**53:
        return int(data)
    if kind is float and number:
        return float(data)
    raise ValueError(f"{where} is {_short(data)}, expected {getattr(kind, '__name__', kind)}")


def _read_fields(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise ValueError(f"{where} is {_short(data)}, expected an object")
    hints = _hints(kind)
    known = {f.name for f in dataclasses.fields(kind)}
    if unknown := set(data) - known:
        raise ValueError(f"{where} has an unknown field {_short(min(unknown))}")
    bare = (dataclasses.MISSING, dataclasses.MISSING)
    needed = {f.name for f in dataclasses.fields(kind) if f.init and (f.default, f.default_factory) == bare}
    if lacking := needed - set(data):
        raise ValueError(f"{where} lacks the field {_short(min(lacking))}")
    values = {name: _read(hints[name], each, f"{where}.{name}") for name, each in data.items()}
    try:
        return kind(**values)
    except VitvizError as error:  # a value of the right type that the dataclass itself refuses
        raise ValueError(f"{where}: {error}") from error


def _read_tuple(kinds: tuple[Any, ...], data: Any, where: str) -> Any:
    if not isinstance(data, list | tuple) or len(data) > MOST_ITEMS:
        raise ValueError(f"{where} is {_short(data)}, expected a list")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_read(kinds[0], each, where) for each in data)
    if len(data) != len(kinds):
        raise ValueError(f"{where} has {len(data)} entries, expected {len(kinds)}")
    return tuple(_read(kind, each, where) for kind, each in zip(kinds, data, strict=True))


def _read_union(kinds: tuple[Any, ...], data: Any, where: str) -> Any:
    problem = None
    for kind in kinds:
        try:
            return _read(kind, data, where)
        except ValueError as error:
            # The reason of the alternative that is meant: an object is meant for a dataclass.
            if problem is None or isinstance(data, dict) == dataclasses.is_dataclass(kind):
                problem = error
    raise problem or ValueError(f"{where} can't be read")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
