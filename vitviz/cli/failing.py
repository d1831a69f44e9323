"""What a command over many pictures says of those that failed, after all others are done."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path


def with_name(path: Path, reason: object) -> str:
    """Why a picture failed, with its name."""
    return str(reason) if path.name in str(reason) else f"{path.name}: {reason}"


def say_lacking(texts: Iterable[str]) -> None:
    """Print which letters of a figure's words its font has not, where there are any."""
    from vitviz.render.letters import lacking

    if note := lacking(texts):
        print(f"vitviz: {note[0].upper()}{note[1:]}.", file=sys.stderr)


def say_failed(problems: Sequence[str], count: int) -> int:
    """Print a sentence for each, or one if all of `count` failed alike; the exit status: 1 if any did."""
    reasons = {problem.partition(": ")[2] for problem in problems}
    if len(problems) == count > 2 and len(reasons) == 1 and (reason := reasons.pop()):
        problems = [f"All {count} pictures failed alike. {reason}"]
    for problem in problems:
        print(f"vitviz: {problem}", file=sys.stderr)
    return 1 if problems else 0
