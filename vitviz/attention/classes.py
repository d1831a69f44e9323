"""The class that a question is about: by its number, by its name, or the most probable one."""

from __future__ import annotations

from vitviz.attention.trace import Trace
from vitviz.errors import AttentionError


def target_of(seen: Trace, target: int | None) -> int:
    """The class that is asked about, the most probable one for None; AttentionError where there is no such class."""
    count = seen.logits.size
    if not count:
        raise AttentionError(f"{seen.model_name} has no classes, so no logit can change: open a classifier.")
    if target is None:
        return int(seen.logits.argmax())
    if not 0 <= target < count:
        raise AttentionError(f"There is no class {target}: {seen.model_name} has {count}, numbered from 0.")
    return target


def class_named(seen: Trace, text: str | None) -> int:
    """The class of a number, or of a name (whole, or held by one class only, in any case); else AttentionError."""
    if text is None or (text.isascii() and text.isdigit()):
        return target_of(seen, None if text is None else int(text))
    wanted = text.casefold()
    named = [(i, label.casefold()) for i, label in enumerate(seen.labels[: seen.logits.size])]
    found = [i for i, label in named if label == wanted] or [i for i, label in named if wanted in label]
    if len(found) != 1:
        some = ", ".join(seen.labels[i] for i in found[:5])
        reason = f"{len(found)} classes hold it: {some}" if found else "no class is called so"
        raise AttentionError(f"The class {text!r} is not clear ({reason}): give its whole name or its number.")
    return found[0]
