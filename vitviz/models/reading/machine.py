"""A machine for pickle's instructions that imports nothing, calls nothing of the file's, and bounds work and memory.

Instructions as in PEP 307, PEP 574 and `pickletools`, which decodes their arguments and checks each length against the
bytes that are left. A name of the file becomes a stand-in, a call a call of the stand-in.
"""

from __future__ import annotations

import pickletools  # takes pickles apart, runs nothing
import struct
from collections.abc import Callable
from types import FunctionType
from typing import Any, BinaryIO

import torch

from vitviz.models.reading.inert import DTYPES, STORAGES, Array, Damaged, Found, Placeholder, Storage, stand_in
from vitviz.models.reading.machine_stack import Stack

MAX_PICKLE = 16 * 2**20
MAX_WORK = 250_000
MAX_COPIED = 64 * 2**20
MAX_NAMES = 2000
# torch's reader goes through all allowed names at each instruction, so it gets pickles with few of them only.
TORCH_NAMES = 64
# Each of its instructions takes it as long as ours, twice; a file of 3000 tensors has about 120,000.
TORCH_WORK = 150_000
# The functions that torch itself allows take sizes from the file; it may see these with arguments checked here.
_CHECKED = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter")
_GUARDED = ("torch.", "builtins.", "__builtin__.", "collections.", "_codecs.", "sys.", "os.", "posix.", "nt.")
_HARMLESS = ("torch.nn.modules.", "torch.optim.", "collections.defaultdict")
_FAULTS = (
    IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, AssertionError, EOFError, struct.error,
    Warning,  # of `pickletools`, where the user made warnings errors
)  # fmt: skip


class _StorageType:
    __slots__ = ("dtype",)

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


class _Copier:
    """A name that is answered by the machine itself, which counts what is copied."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


def run(
    stream: BinaryIO,
    *,
    storage: Callable[[Storage], None] = lambda found: None,
    build: Callable[[Array], Any] = lambda array: array,
    most: int = MAX_WORK,
) -> Found:
    """Run the pickle at the stream's position.

    Args:
        storage: told of every storage that is named; raises Damaged where the file does not hold it.
        build: makes what stands in the tree for each tensor.
        most: the number of instructions after which it is given up.

    Raises Damaged for what no pickler writes and for what is beyond the bounds of this module.
    """
    machine = _Machine(storage, build, most)
    try:
        for opcode, argument, _position in pickletools.genops(stream):  # type: ignore[no-untyped-call,unused-ignore]
            machine.step(opcode.name, argument)
        machine.found.value = machine.stack[-1]
    except _FAULTS as error:
        raise Damaged(f"instructions that make no sense, {type(error).__name__}") from None
    machine.found.plain &= machine.work <= TORCH_WORK
    machine.found.end = stream.tell()
    return machine.found


class _Machine(Stack):
    def do_global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(self.find(module, name))

    def do_stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(self.find(module, name))

    def find(self, module: Any, name: Any) -> Any:
        if not isinstance(module, str) or not isinstance(name, str) or len(module) + len(name) > 300:
            raise Damaged("a name that is none")
        if module in ("torch", "torch.cuda", "torch.storage") and name in STORAGES:
            return _StorageType(STORAGES[name])
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        full = f"{module}.{name}"
        if full in ("collections.OrderedDict", "collections.Counter", "_codecs.encode"):
            return _Copier(full)
        if full not in self.found.names:
            if len(self.found.names) >= MAX_NAMES:
                raise Damaged(f"more than {MAX_NAMES} names")
            self.found.names[full] = stand_in(full)
            self.found.plain &= len(self.found.names) <= TORCH_NAMES
        if full.startswith(_GUARDED) and not full.startswith(_HARMLESS) and full not in _CHECKED:
            self.found.plain = False
        return self.found.names[full]

    def call(self, function: Any, arguments: Any) -> Any:
        if not isinstance(arguments, tuple):
            raise Damaged("a call without arguments")
        self.spend(len(arguments))
        if isinstance(function, _Copier):
            return self.copy(function.name, arguments)
        typed = self.found.names.get("torch._tensor._rebuild_from_type_v2")
        if typed is not None and function is typed and len(arguments) == 4 and arguments[0] is not typed:
            return self.call(arguments[0], arguments[2])
        if isinstance(function, FunctionType) or (isinstance(function, type) and issubclass(function, Placeholder)):
            made = function(*arguments)
            return self.build(made) if isinstance(made, Array) else made
        if isinstance(function, Placeholder):
            self.found.plain = False
            return type(function)(function, *arguments)
        raise Damaged("a call of what is no name")

    def copy(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if name == "_codecs.encode":
            if not arguments or not isinstance(arguments[0], str) or arguments[1:] not in ((), ("latin1",)):
                raise Damaged("an encoding of what is no text")
            self.copied += len(arguments[0])
            if self.copied > MAX_COPIED:
                raise Damaged("too much text copied")
            return arguments[0].encode("latin1" if arguments[1:] else "utf-8")
        made: dict[Any, Any] = {}
        if arguments:
            self.found.plain = False
            pairs = arguments[0].items() if isinstance(arguments[0], dict) else arguments[0]
            self.spend(len(pairs))
            for key, value in pairs:
                made[self.key(key)] = value
        return made

    def do_reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.stack.append(self.call(function, arguments))

    do_newobj = do_reduce

    def do_newobj_ex(self, _: Any) -> None:
        self.stack.pop()
        self.do_reduce(None)

    def do_inst(self, argument: str) -> None:
        arguments = tuple(self.pop_mark())
        self.do_global(argument)
        self.stack.append(self.call(self.stack.pop(), arguments))

    def do_obj(self, _: Any) -> None:
        function, *arguments = self.pop_mark()
        self.stack.append(self.call(function, tuple(arguments)))

    def do_build(self, _: Any) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, Placeholder):
            target.__setstate__(state)
        elif not isinstance(target, dict) or not isinstance(state, dict) or len(state) > 64:
            self.found.plain = False  # torch would copy the state, or set a tensor's storage anew

    def do_binpersid(self, _: Any) -> None:
        match self.stack.pop():
            case ("storage" | b"storage", _StorageType() as kind, str() as key, _, int() as numel, *view):
                offset, count = 0, numel
                if view and view[0] is not None:
                    _, offset, count = view[0]
                if not (type(offset) is type(count) is int and 0 <= offset <= offset + count <= numel < 2**48):
                    raise Damaged("a storage of no size")
                made = Storage(key, kind.dtype, numel, offset, count)
                first = self.found.storages.setdefault(key, made)
                if first.numel * first.dtype.itemsize != numel * kind.dtype.itemsize:
                    raise Damaged("a storage of two sizes")
                self.storage(made)
                self.stack.append(made)
            case ("storage" | b"storage", kind, *_):
                self.found.plain = False
                self.stack.append(self.call(kind, ()))  # quantised, say: refused where the weights need it
            case ("module" | b"module", kind, *_):
                self.found.plain = False  # torch would look for the module's source
                self.stack.append(kind)
            case _:
                raise Damaged("a reference that is no storage")
