"""What looking into a network does to it while it lasts: hooks that leave other threads alone, and eval mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import get_ident
from typing import Any

from torch import nn


def of_this_thread(hook: Callable[..., Any]) -> Callable[..., Any]:
    """A hook on a module that does nothing where another thread runs it: a script may use the network meanwhile."""
    mine = get_ident()

    @wraps(hook)
    def own(*given: Any) -> Any:
        return hook(*given) if get_ident() == mine else None

    return own


@contextmanager
def in_eval(module: nn.Module) -> Iterator[None]:
    """While it lasts nothing is dropped and no statistics are changed; a network in training goes on with it after."""
    training = [each for each in module.modules() if each.training]
    try:
        for each in training:
            each.training = False
        yield
    finally:
        for each in training:
            each.training = True
