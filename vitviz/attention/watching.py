"""Hooks on a network's modules: which of them are running, how far the pass has come, and whether to give it up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from vitviz.attention.blocks import Frame
from vitviz.attention.calls import Call
from vitviz.errors import Cancelled
from vitviz.models.hooks import in_eval, of_this_thread


class Stack:
    """The modules that are running, and how far the pass has come."""

    def __init__(self, total: int) -> None:
        self.frames: list[Frame] = []
        self._entered, self._total = 0, max(total, 1)
        self._awaited: dict[int, list[Call]] = {}

    def enter(self, frame: Frame) -> None:
        """A module begins to run."""
        self.frames.append(frame)
        self._entered += 1

    def leave(self, output: Any) -> None:
        """The innermost one has returned this; calls that await it get it."""
        frame = self.frames.pop()
        for call in self._awaited.pop(id(frame), ()):
            first = output[0] if isinstance(output, tuple) and output else output
            call.tokens = first if isinstance(first, Tensor) else None

    def await_output(self, frame: Frame, call: Call) -> None:
        """Give `call` what the running module of `frame` will return."""
        self._awaited.setdefault(id(frame), []).append(call)

    @property
    def fraction(self) -> float:
        """The share of the modules that have begun."""
        return min(self._entered / self._total, 1.0)


@contextmanager
def watched(module: nn.Module, cancel: Callable[[], bool]) -> Iterator[Stack]:
    """While it lasts, the network is in eval mode, and the modules that run are known; each asks `cancel` (Cancelled).

    A Linear, a norm or an activation of torch's own makes no attention call: hooks on them would only cost time.
    """
    named = [(name, child) for name, child in module.named_modules() if child is module or not _is_plain(child)]
    stack = Stack(len(named))
    handles = []

    def before(name: str) -> Callable[..., None]:
        def hook(child: nn.Module, args: tuple[Any, ...]) -> None:
            if cancel():
                raise Cancelled("The pass through the model was cancelled.")
            first = args[0] if args else None
            stack.enter(Frame(name, child, tuple(first.shape) if isinstance(first, Tensor) else ()))

        return hook

    def after(child: nn.Module, args: Any, output: Any) -> None:
        if stack.frames and stack.frames[-1].module is child:
            stack.leave(output)

    try:
        for name, child in named:
            handles.append(child.register_forward_pre_hook(of_this_thread(before(name))))
            handles.append(child.register_forward_hook(of_this_thread(after)))
        with in_eval(module):
            yield stack
    finally:
        for handle in handles:
            handle.remove()


def _is_plain(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.") and not any(True for _ in module.children())
