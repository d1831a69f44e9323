"""What the names in a pickle become: tensor descriptions, plain values and placeholders; nothing is imported or called.

`machine.py` runs every pickle first, with these stand-ins. What it found harmless is then read by
`torch.load(weights_only=True)` with the same stand-ins for foreign names (SAFETY, "Checkpoints": of the payloads tried
none ran); what torch refuses, such as whole modules and dict subclasses, stays with the machine.
"""

from __future__ import annotations

import io
import math
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar

import torch

from vitviz.models.reading.preflight import MAX_DIMS, MAX_SIDE, shortened

STORAGES = {
    "FloatStorage": torch.float32, "HalfStorage": torch.float16, "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64, "LongStorage": torch.int64, "IntStorage": torch.int32, "ShortStorage": torch.int16,
    "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool, "UntypedStorage": torch.uint8,
    "ComplexFloatStorage": torch.complex64, "ComplexDoubleStorage": torch.complex128,
}  # fmt: skip
DTYPES = {
    name: getattr(torch, name)
    for name in (
        "float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool", "uint16",
        "uint32", "uint64", "complex64", "float8_e4m3fn", "float8_e5m2",
    )
}  # fmt: skip
_NUMBERS = {"f8": "d", "f4": "f", "f2": "e", "i8": "q", "i4": "i", "i2": "h", "i1": "b", "u1": "B", "b1": "?"}


# The names that torch allows are one set for the whole process.
_TORCH = threading.Lock()


class Damaged(Exception):
    """The pickle is not what a pickler writes, or more than is read here."""


class Placeholder:
    """Stands where the file has an object of a foreign class, or the result of a foreign function; does nothing.

    Subclasses are made per name, with `name` set. What the file put into the object is kept by reference.
    """

    __slots__ = ("args", "items", "states")
    name: ClassVar[str] = ""
    args: tuple[Any, ...]
    items: list[Any]
    states: list[Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Placeholder:
        self = object.__new__(cls)
        self.args, self.items, self.states = args, [], []
        return self

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.states.append(state)

    def get(self, key: str) -> Any:
        """The attribute that the file gave to the object; None where it gave none."""
        for state in reversed(self.states):
            for part in reversed(state) if isinstance(state, tuple) and len(state) == 2 else (state,):
                if isinstance(part, dict) and key in part:
                    return part[key]
        return None

    def fields(self) -> dict[str, Any]:
        """The first thousand attributes and items by name."""
        state = self.states[-1] if self.states else None
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        pairs = [pair for part in parts if isinstance(part, dict) for pair in islice(part.items(), 1000)]
        items = [item for item in islice(self.items, 1000) if isinstance(item, tuple) and len(item) == 2]
        return {key: value for key, value in pairs + items if isinstance(key, str)}


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes that the file says it holds; `start` and `count` in elements of `dtype`."""

    key: str
    dtype: torch.dtype
    numel: int
    start: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True)
class Array:
    """A tensor as the pickle describes it, inside the bounds of its storage; sizes in elements."""

    storage: Storage
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(slots=True)
class Found:
    """What running one pickle left.

    Attributes:
        value: the object tree.
        end: position after the pickle.
        storages: those named, by key.
        names: foreign names that were replaced.
        plain: whether torch's own reader may see it.
    """

    value: Any = None
    end: int = 0
    storages: dict[str, Storage] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    plain: bool = True


def array_of(storage: Any, offset: Any, shape: Any, stride: Any, dtype: torch.dtype | None = None) -> Any:
    """Describe one tensor; Damaged where it reaches out of its storage."""
    if isinstance(storage, Placeholder):
        return storage
    if isinstance(shape, list):
        shape = tuple(shape)
    sides = (shape, stride) if isinstance(storage, Storage) and type(offset) is int else ()
    if not sides or any(
        not isinstance(side, tuple)
        or len(side) > MAX_DIMS
        or any(type(value) is not int or not 0 <= value < MAX_SIDE for value in side)
        for side in sides
    ):
        raise Damaged("a tensor without a proper storage, shape and stride")
    dtype = dtype or storage.dtype
    held = (storage.count * storage.dtype.itemsize) // dtype.itemsize
    reached = sum((side - 1) * step for side, step in zip(shape, stride, strict=True)) + 1 if math.prod(shape) else 0
    if len(shape) != len(stride) or not 0 <= offset <= held or offset + reached > held:
        raise Damaged("a tensor that reaches out of its storage")
    return Array(storage, dtype, offset, shape, stride)


def _parameter(data: Any, *rest: Any) -> Any:
    return data


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *rest: Any) -> Any:
    if len(rest) > 2 and rest[2]:
        raise Damaged("a tensor stored as a conjugate or negative of another")
    return array_of(storage, offset, shape, stride)


def _tensor_v3(
    storage: Any, offset: Any, shape: Any, stride: Any, grad: Any, hooks: Any, dtype: Any, *rest: Any
) -> Any:
    return array_of(storage, offset, shape, stride, dtype if isinstance(dtype, torch.dtype) else None)


def _same(value: Any = (), *rest: Any) -> Any:
    # Not copied: a small file could ask for copies of one long list a hundred thousand times.
    return value if isinstance(value, list | tuple | dict) else []


def _mapping(*args: Any) -> dict[Any, Any]:
    return {}


def _path(*parts: Any) -> str:
    return "/".join(part for part in parts[:64] if isinstance(part, str))[:4096]


def _reconstructed(kind: Any, base: Any = None, *rest: Any) -> Any:
    return kind() if isinstance(kind, type) and issubclass(kind, Placeholder) else {}


def _number(dtype: Any = None, raw: Any = None, *rest: Any) -> Any:
    """A numpy scalar as a number; None where it is none."""
    code = dtype.args[0] if isinstance(dtype, Placeholder) and dtype.args else None
    letter = _NUMBERS.get(code) if isinstance(code, str) else None
    if letter is None or not isinstance(raw, bytes) or struct.calcsize(letter) != len(raw):
        return None
    return struct.unpack("<" + letter, raw)[0]


_STAND_INS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"), _tensor),
    **dict.fromkeys(("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"), _parameter),
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    **dict.fromkeys(("copy_reg._reconstructor", "copyreg._reconstructor", "copyreg.__newobj__"), _reconstructed),
    **dict.fromkeys(("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"), _number),
    **dict.fromkeys(
        [f"{m}.{n}" for m in ("builtins", "__builtin__") for n in ("set", "frozenset", "list", "tuple", "dict")], _same
    ),
    "torch.Size": _same,
    "collections.defaultdict": _mapping,
    **dict.fromkeys(
        [f"pathlib{m}.{n}Path" for m in ("", "._local") for n in ("Posix", "Windows", "PurePosix", "PureWindows")],
        _path,
    ),
}


def stand_in(name: str) -> Any:
    """What answers to a name of the file: a function of this module, or a new class of Placeholders."""
    return _STAND_INS.get(name) or type("Placeholder", (Placeholder,), {"__slots__": (), "name": name})


def load_with_torch(data: bytes, found: Found) -> Any:
    """The tree of a whole file by `torch.load(weights_only=True)`, foreign names answered by the same stand-ins.

    Raises Damaged where torch refuses, or sees other names than the machine saw.
    """
    with _TORCH:
        try:
            if data[:2] == b"PK":
                unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(data))
                if not set(unsafe) <= set(found.names):
                    raise Damaged("two readers see different names")
            with torch.serialization.safe_globals([(found.names[name], name) for name in found.names]):
                return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever torch says of a file, the machine is the second reader
            raise Damaged(shortened(error)) from None
