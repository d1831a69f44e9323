"""What was found, inferred, converted and assumed while a model was opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Certainty = Literal["found", "inferred", "converted", "assumed", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report: what it is about, what was found, and how sure that is."""

    topic: str
    text: str
    certainty: Certainty = "found"


@dataclass(slots=True)
class Report:
    """The findings about one model, in the order in which they were made. `print(report)` shows a table."""

    findings: list[Finding] = field(default_factory=list)

    def add(self, topic: str, text: str, certainty: Certainty = "found") -> None:
        """Append one finding."""
        self.findings.append(Finding(topic, text, certainty))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        width = max((len(f.topic) for f in self.findings), default=0)
        return "\n".join(
            f"{f.topic:<{width}}  {f.text}" + ("" if f.certainty == "found" else f"  [{f.certainty}]")
            for f in self.findings
        )
