"""What was found, inferred, converted and assumed while a model was opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Certainty = Literal["found", "inferred", "converted", "assumed", "warning"]

# What a wrong value would do, for what may be wrong; a sentence about the heads stands with their source.
_IF_WRONG = {
    "norm epsilon": "a wrong one moves the logits by some 1e-4 and no map that can be seen; correct it with norm_eps",
    "mean and std": "wrong ones shift every prediction, and maps a little; correct them with mean and std",
    "preprocessing": "wrong ones shift every prediction, and maps a little; correct them with mean and std",
    "crop": "a wrong one shows the model another part of the picture; correct it with crop",
    "activation": "a wrong one costs accuracy and hardly shows in maps; the architecture or a config tells it",
    "norms": "the wrong order spoils predictions and maps; a config with norm_first tells it",
    "pooling": "a wrong one changes the predictions and no map",
    "window": "a wrong one spoils all maps and predictions; a config, window_size or the architecture tells it",
    "image size": "a wrong one shifts positions; correct it with image_size",
    "view": "a wrong one shifts positions; correct it with image_size",
}
# Where a value that was only inferred is worth a look too.
_SPOIL = ("heads", "mean and std", "preprocessing", "mean", "std")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report: what it is about, what was found, and how sure that is.

    `since` names the source that a saved model was opened from, where this was not certain already.
    """

    topic: str
    text: str
    certainty: Certainty = "found"
    since: str = ""

    @property
    def note(self) -> str:
        """What a wrong value would do, "" where it is certain or the text says so itself."""
        return _IF_WRONG.get(self.topic, "") if self.certainty == "assumed" and "wrong" not in self.text else ""

    def __str__(self) -> str:
        if self.certainty == "found":
            return self.text
        since = f" when saved from {self.since}" if self.since else ""
        return f"{self.text}  [{self.certainty}{since}{f': {self.note}' if self.note else ''}]"


@dataclass(slots=True)
class Report:
    """The findings about one model, in the order in which they were made. `print(report)` shows a table."""

    findings: list[Finding] = field(default_factory=list)

    def add(self, topic: str, text: str, certainty: Certainty = "found", since: str = "") -> None:
        """Append one finding."""
        self.findings.append(Finding(topic, text, certainty, since))

    def replace(self, topic: str, text: str, certainty: Certainty = "found", since: str = "") -> None:
        """Append one finding instead of all others on its topic."""
        self.drop(topic)
        self.add(topic, text, certainty, since)

    def drop(self, *topics: str) -> None:
        """Forget what was found on these topics."""
        self.findings = [finding for finding in self.findings if finding.topic not in topics]

    @property
    def guesses(self) -> list[Finding]:
        """What a look at the model should settle: all that was assumed, and inferred heads, mean and std; the number of
        heads, which spoils every map, comes first."""
        assumed = [finding for finding in self.findings if finding.certainty == "assumed"]
        found = assumed + [f for f in self.findings if f.certainty == "inferred" and f.topic in _SPOIL]
        return sorted(found, key=lambda f: _SPOIL.index(f.topic) if f.topic in _SPOIL else len(_SPOIL))

    @property
    def guess_words(self) -> str:
        """These in a line, such as "heads, norm epsilon (assumed)"; "" where there are none."""
        parts = []
        for certainty in ("assumed", "inferred"):
            topics = dict.fromkeys(finding.topic for finding in self.guesses if finding.certainty == certainty)
            parts += [f"{', '.join(topics)} ({certainty})"] if topics else []
        return "; ".join(parts)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        width = max((len(f.topic) for f in self.findings), default=0)
        return "\n".join(f"{finding.topic:<{width}}  {finding}" for finding in self.findings)
