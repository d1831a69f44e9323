"""The bar of a command over many pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

_FORMAT = "{percentage:3.0f} % {bar} {n_fmt}/{total_fmt} · {rate_fmt} · {remaining} left"


def bar(count: int, over: Iterable[Any] | None = None) -> tqdm[Any]:
    """A bar on stderr with rate and time left; none for a single picture, and none where stderr is no terminal."""
    from tqdm import tqdm

    hidden = None if count > 1 else True
    return tqdm(over, total=count, unit="", file=sys.stderr, disable=hidden, bar_format=_FORMAT, dynamic_ncols=True)
