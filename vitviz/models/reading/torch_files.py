"""torch's two containers, the zip since 1.6 and the pickles before: bytes -> the tree of what was saved, inertly.

Layouts as `torch.serialization` writes them. The machine goes first and tells every storage, whose size must be what
the file holds for it; only then is anything allocated, by torch's reader or by the machine's second run.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import torch

from vitviz.errors import SourceError
from vitviz.models.reading import not_weights
from vitviz.models.reading.inert import Array, Damaged, Found, Storage, load_with_torch
from vitviz.models.reading.machine import MAX_PICKLE, run
from vitviz.models.reading.preflight import amount, check_budget

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
WAY_OUT = "save the model's state_dict with torch.save, or as safetensors, and open that"
# The magic number, version and system of an old file take a dozen instructions each.
_PREAMBLE = 1000
Content = tuple[Any, tuple[str, ...], list[str]]


def read_zip(data: bytes, members: dict[str, tuple[int, int]], name: str, budget: int) -> Content:
    """The tree in a zip of torch's, the names of foreign classes in it, and notes."""
    roots = [label.removesuffix("/data.pkl") for label in members if label.endswith("/data.pkl")]
    if len(roots) != 1 or "/" in roots[0]:
        raise SourceError(f"{name} is no archive as torch writes them (no data.pkl in one folder): {WAY_OUT}.")
    root = roots[0]
    order = members.get(f"{root}/byteorder")
    if order is not None and data[slice(*order)] != b"little":
        raise SourceError(f"{name} was written on a big-endian machine, which can't be read: save it as safetensors.")
    start, end = members[f"{root}/data.pkl"]
    if end - start > MAX_PICKLE:
        raise SourceError(
            f"{name} describes its weights in {amount(end - start)}, more than {amount(MAX_PICKLE)}: {WAY_OUT}."
        )
    pickled = data[start:end]

    def place(storage: Storage) -> tuple[int, int]:
        where = members.get(f"{root}/data/{storage.key}")
        if where is None or where[1] - where[0] != storage.numel * storage.dtype.itemsize:
            raise Damaged("weights of another size than the archive holds")
        return where

    try:
        found = run(io.BytesIO(pickled), storage=lambda storage: void(place(storage)))
        return _load(data, found, name, budget, lambda: io.BytesIO(pickled), place)
    except Damaged as error:
        raise _unreadable(name, error) from None


def read_legacy(data: bytes, name: str, budget: int) -> Content:
    """The tree in the pickles that torch wrote before 1.6, the names of foreign classes in it, and notes."""
    stream = io.BytesIO(data)
    try:
        first = run(stream)
        if type(first.value) is not int or first.value != MAGIC:
            raise not_weights.pickle(name, data, tuple(first.names))
        second, third = run(stream, most=_PREAMBLE), run(stream, most=_PREAMBLE)
        version, system = second.value, third.value
        if version != PROTOCOL or not isinstance(system, dict):
            raise Damaged(f"the version {version!r} of torch's old format"[:60])
        if system.get("little_endian") is False:
            raise SourceError(f"{name} was written on a big-endian machine, which can't be read: save safetensors.")
        begin = stream.tell()
        found = run(stream)
        places = _places(data, found, stream)
        found.plain &= first.plain and second.plain and third.plain
        return _load(data, found, name, budget, lambda: _at(data, begin), lambda storage: places[storage.key])
    except Damaged as error:
        raise _unreadable(name, error) from None


def _places(data: bytes, found: Found, stream: io.BytesIO) -> dict[str, tuple[int, int]]:
    """Where the storages of an old file lie: a list of keys, then for each the number of elements and the bytes."""
    last = run(stream)
    keys = last.value
    found.plain &= last.plain
    if stream.tell() > len(data) or not isinstance(keys, list) or not all(type(key) is str for key in keys):
        raise Damaged("no list of its weights")
    if len(set(keys)) != len(keys) or set(keys) != set(found.storages):
        raise Damaged("other weights than it lists")
    places: dict[str, tuple[int, int]] = {}
    position = stream.tell()
    for key in keys:
        storage = found.storages[key]
        start, end = position + 8, position + 8 + storage.numel * storage.dtype.itemsize
        if end > len(data) or int.from_bytes(data[position:start], "little") != storage.numel:
            raise Damaged("weights of another size than the file holds, perhaps cut off")
        places[key] = (start, end)
        position = end
    return places


def _load(
    data: bytes,
    found: Found,
    name: str,
    budget: int,
    pickled: Callable[[], io.BytesIO],
    place: Callable[[Storage], tuple[int, int]],
) -> Content:
    declared = sum(storage.numel * storage.dtype.itemsize for storage in found.storages.values())
    check_budget(name, declared, budget)
    ignored = tuple(sorted(n for n, what in found.names.items() if isinstance(what, type)))
    if not found.storages:  # no weights, so that a second reader would find nothing new
        return found.value, ignored, []
    found.value = None
    if found.plain:
        try:
            return load_with_torch(data, found), ignored, []
        except Damaged:
            pass
    buffers: dict[str, bytearray] = {}

    def build(array: Array) -> torch.Tensor:
        storage = array.storage
        if storage.key not in buffers:
            buffers[storage.key] = bytearray(memoryview(data)[slice(*place(storage))])
        start = storage.start * storage.dtype.itemsize
        if len(buffers[storage.key]) - start < array.dtype.itemsize:
            return torch.zeros(array.shape, dtype=array.dtype)
        whole = torch.frombuffer(buffers[storage.key], dtype=array.dtype, offset=start)
        return whole.as_strided(array.shape, array.stride, array.offset)

    tree = run(pickled(), build=build).value
    return tree, ignored, ["read by vitviz's own inert reader (torch's own is for state dicts)"]


def _at(data: bytes, position: int) -> io.BytesIO:
    stream = io.BytesIO(data)
    stream.seek(position)
    return stream


def _unreadable(name: str, error: Damaged) -> SourceError:
    return SourceError(f"{name} can't be read as weights alone ({error}): {WAY_OUT}.")


def void(_: object) -> None:
    """Nothing, of anything."""
