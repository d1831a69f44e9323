"""The stack, memo and containers of the machine for pickles: plain keys, nothing copied uncounted, nothing recursive.

Instructions as in PEP 307 and `pickletools`. CPython's own unpickler grows its memo to any index that a file names, and
hashes nested keys without end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vitviz.models.reading.inert import Array, Damaged, Found, Placeholder, Storage

MAX_MARKS = 10_000
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


class Stack:
    """What a pickle's instructions work on; a method `do_...` for each of the rarer ones."""

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
