"""What a command over many pictures says of those that fail: of the first one at once, of all of them at the end."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitviz.cli.progress import Pictures


class Failures:
    """The pictures that failed, none of which stops the others; `shown` is told how many."""

    def __init__(self, shown: Pictures) -> None:
        self._shown = shown
        self._found: list[tuple[Path, str]] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, path: Path, reason: object) -> None:
        """Count one that `shown` has not counted yet, and say the first one, where others are still to come."""
        text = str(reason) if _named(path).search(str(reason)) else f"{path.name}: {reason}"
        self._found.append((path, text))
        self._shown.failed = len(self)
        if len(self) == 1 and self._shown.n + 1 < self._shown.total:
            self._shown.print(f"vitviz: One failed, the others go on: {text}", sys.stderr)

    def say(self, *, stopped: bool = False) -> int:
        """Print a sentence for each, or a single one; the exit status: 1 if any failed.

        That is enough where all pictures failed alike, or all until the user stopped the command: its list may be long.
        """
        problems = [text for _, text in self._found]
        alike = len({_named(path).sub("", text) for path, text in self._found}) == 1
        if alike and len(self) > 2 and (stopped or len(self) == self._shown.total):
            (path, text), *_ = self._found
            count = f"All {len(self)}" if len(self) == self._shown.total else len(self)
            before = "the first" if text.startswith(f"{path.name}: ") else "the first:"
            problems = [f"{count} pictures failed alike, {before} {text}"]
        for problem in problems:
            print(f"vitviz: {problem}", file=sys.stderr)
        return 1 if problems else 0


def _named(path: Path) -> re.Pattern[str]:
    """Where a text names a file."""
    return re.compile(rf"(?<!\w)({re.escape(str(path))}|{re.escape(path.name)})(?!\w)")


def say_lacking(texts: Iterable[str]) -> None:
    """Print which letters of a figure's words its font has not, where there are any."""
    from vitviz.render.letters import lacking

    if note := lacking(texts):
        print(f"vitviz: {note[0].upper()}{note[1:]}.", file=sys.stderr)
