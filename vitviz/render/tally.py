"""What became of many pictures, counted as they come and said in one sentence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitviz.render.many import Outcome


@dataclass(slots=True)
class Tally:
    """How many were exported, done before or replaced; why others failed, and what of the figures would surprise."""

    exported: int = 0
    skipped: int = 0
    replaced: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one picture."""
        self.exported += bool(outcome.written) and not outcome.problem
        self.skipped += outcome.skipped
        self.replaced += outcome.replaced
        self.problems += [outcome.problem] if outcome.problem else []
        self.notes += [outcome.note] if outcome.note else []

    @property
    def seen(self) -> int:
        """How many pictures were counted."""
        return self.exported + self.skipped + len(self.problems)

    def text(self, *, to: str = "", others: str = "") -> str:
        """Such as "3 pictures exported to figures, 1 was done before, 2 failed."; `others` were no pictures."""
        words = f"{self.exported} picture{'' if self.exported == 1 else 's'} exported"
        words += f" to {to}" if to else ""
        words += f", {self.skipped} {'was' if self.skipped == 1 else 'were'} done before" if self.skipped else ""
        words += f", {len(self.problems)} failed" if self.problems else ""
        words += f"; older figures of {self.replaced} replaced" if self.replaced else ""
        return f"{words}; {others}." if others else f"{words}."
