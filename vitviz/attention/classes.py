"""The class that a question is about: by its number, by its name, or the most probable one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from vitviz.attention.trace import Trace
from vitviz.errors import AttentionError

_FEW, _NEAREST = 10, 5


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
    target_of(seen, None)  # says where there are no classes at all
    wanted = text.casefold()
    named = [(i, label.casefold()) for i, label in enumerate(seen.labels[: seen.logits.size])]
    found = [i for i, label in named if label == wanted] or [i for i, label in named if wanted in label]
    if len(found) > 1:
        some = ", ".join(seen.label(i) for i in found[:5])
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise AttentionError(f"{text!r} is in the names of {len(found)} classes ({some}{more}): give a whole one.")
    if not found:
        raise AttentionError(f"{seen.model_name} has no class {text!r}: {_offered(wanted, seen, named)}.")
    return found[0]


def _offered(wanted: str, seen: Trace, named: Sequence[tuple[int, str]]) -> str:
    """What could have been named instead: all classes where they are few, else those that are spelt alike."""
    if not named:
        return f"its classes have no names; give a number from 0 to {seen.logits.size - 1}"
    if len(named) <= _FEW:
        return f"it knows {', '.join(seen.label(i) for i, _ in named)}"
    alike = set(difflib.get_close_matches(wanted, [label for _, label in named], n=_NEAREST, cutoff=0.5))
    near = [seen.label(i) for i, label in named if label in alike][:_NEAREST]
    instead = f"the nearest are {', '.join(near)}; " if near else ""
    return f"{instead}give a part of a name, or a number from 0 to {seen.logits.size - 1}"
