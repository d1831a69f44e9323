"""Hooks on a network's modules that leave other threads alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import get_ident
from typing import Any


def of_this_thread(hook: Callable[..., Any]) -> Callable[..., Any]:
    """A hook on a module that does nothing where another thread runs it: a script may use the network meanwhile."""
    mine = get_ident()

    @wraps(hook)
    def own(*given: Any) -> Any:
        return hook(*given) if get_ident() == mine else None

    return own
