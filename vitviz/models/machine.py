"""A machine for pickle's instructions that imports nothing, calls nothing of the file's, and bounds work and memory.

Instructions as in PEP 307, PEP 574 and `pickletools`, which decodes their arguments and checks each length against the
bytes that are left. CPython's own unpickler grows its memo to any index a file names, and hashes nested keys without
end; here keys are plain, nothing is copied without being counted, and nothing recurses.
"""

from __future__ import annotations

import pickletools  # takes pickles apart, runs nothing
import struct
from collections.abc import Callable
from types import FunctionType
from typing import Any, BinaryIO

import torch

from vitviz.models.inert import DTYPES, STORAGES, Array, Damaged, Found, Placeholder, Storage, stand_in

MAX_PICKLE = 16 * 2**20
MAX_WORK = 250_000
MAX_COPIED = 64 * 2**20
MAX_NAMES = 2000
MAX_MARKS = 10_000
# torch's reader goes through all allowed names at each instruction, so it gets pickles with few of them only.
TORCH_NAMES = 64
# The functions that torch itself allows take sizes from the file; it may see these with arguments checked here.
_CHECKED = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter")
_GUARDED = ("torch.", "builtins.", "__builtin__.", "collections.", "_codecs.", "sys.", "os.", "posix.", "nt.")
_HARMLESS = ("torch.nn.modules.", "torch.optim.", "collections.defaultdict")
_VALUES = frozenset(
    (
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "STRING", "BINSTRING", "SHORT_BINSTRING",
        "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
        "BINUNICODE8", "FLOAT", "BINFLOAT",
    )
)  # fmt: skip
_NEW: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict, "EMPTY_SET": list,
}  # fmt: skip
_FAULTS = (
    IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, AssertionError, EOFError, struct.error,
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
    machine.found.end = stream.tell()
    return machine.found


class _Machine:
    def __init__(self, storage: Callable[[Storage], None], build: Callable[[Array], Any], most: int) -> None:
        self.storage, self.build, self.most = storage, build, most
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.found = Found()
        self.work = 0
        self.copied = 0

    def spend(self, work: int) -> None:
        self.work += work
        if self.work > self.most:
            raise Damaged(f"more than {self.most} instructions")

    def step(self, op: str, argument: Any) -> None:
        self.spend(1)
        stack = self.stack
        if op in _VALUES:
            stack.append(bytes(argument) if isinstance(argument, bytearray) else argument)
        elif op in _NEW:
            stack.append(_NEW[op]())
        elif op in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[self.index(argument)] = stack[-1]
        elif op in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self.memo[self.index(argument)])
        elif op == "MARK":
            if len(self.marks) >= MAX_MARKS:
                raise Damaged("too deep a nesting")
            self.marks.append(stack)
            self.stack = []
        elif op in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(op[-1])
            if len(stack) < count:
                raise Damaged("an empty stack")
            stack[-count:] = [tuple(stack[-count:])]
        elif op == "PROTO":
            self.found.plain &= argument == 2
        elif op not in ("STOP", "FRAME"):
            rare = getattr(self, f"do_{op.lower()}", None)
            if rare is None:
                raise Damaged(f"the instruction {op}")
            rare(argument)

    def index(self, argument: Any) -> int:
        index = int(argument)
        if not 0 <= index < 2**32:
            raise Damaged("an absurd memo index")
        return index

    def pop_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def key(self, key: Any) -> Any:
        # Nested tuples take for ever to hash, and numbers can be chosen to collide.
        if key is None or type(key) in (str, bytes, bool) or (type(key) is int and abs(key) < 2**60):
            return key
        self.found.plain = False
        if isinstance(key, Placeholder) or (isinstance(key, type) and issubclass(key, Placeholder)):
            return f"<{key.name}>"
        if isinstance(key, float):
            return repr(key)
        return f"<{type(key).__name__} {self.work}>"

    def fill(self, target: Any, items: list[Any]) -> None:
        if len(items) % 2:
            raise Damaged("a key without a value")
        pairs = ((self.key(key), value) for key, value in zip(items[::2], items[1::2], strict=True))
        if isinstance(target, Placeholder):
            self.found.plain = False
            target.items.extend(pairs)
        elif isinstance(target, dict):
            target.update(pairs)
        else:
            raise Damaged("a key set in what is no dictionary")

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Placeholder):
            self.found.plain = False
            target = target.items
        if not isinstance(target, list):
            raise Damaged("an item for what is no list")
        target.extend(items)

    def do_append(self, _: Any) -> None:
        item = self.stack.pop()
        self.extend([item])

    def do_appends(self, _: Any) -> None:
        items = self.pop_mark()
        self.extend(items)

    do_additems = do_appends

    def do_setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.fill(self.stack[-1], [key, value])

    def do_setitems(self, _: Any) -> None:
        items = self.pop_mark()
        self.fill(self.stack[-1], items)

    def do_list(self, _: Any) -> None:
        items = self.pop_mark()
        self.stack.append(items)

    do_frozenset = do_list

    def do_tuple(self, _: Any) -> None:
        items = self.pop_mark()
        self.stack.append(tuple(items))

    def do_dict(self, _: Any) -> None:
        items, made = self.pop_mark(), dict[Any, Any]()
        self.fill(made, items)
        self.stack.append(made)

    def do_pop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.pop_mark()

    def do_pop_mark(self, _: Any) -> None:
        self.pop_mark()

    def do_dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def do_memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

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
