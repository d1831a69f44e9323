"""What a command over many pictures says of those that failed, after all others are done."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def say_failed(problems: Sequence[str]) -> int:
    """Print a sentence for each; the exit status: 1 if there was one."""
    for problem in problems:
        print(f"vitviz: {problem}", file=sys.stderr)
    return 1 if problems else 0
