"""The class that a question is about: by its number, by its name, or the most probable one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

from vitviz.attention.trace import Trace
from vitviz.checks import whole
from vitviz.errors import AttentionError

_FEW, _NEAREST = 10, 5


def class_named(seen: Trace, target: int | str | None) -> int:
    """The class of a trace that is asked about, as `class_of` finds it."""
    if not seen.logits.size:
        raise AttentionError(f"{seen.model_name} has no classes, so no logit can change: open a classifier.")
    return class_of(target, seen.logits, seen.labels, seen.model_name)


def class_of(target: int | str | None, logits: np.ndarray, labels: Sequence[str], model_name: str) -> int:
    """The class of a number, or of a name (whole, or held by one class only, in any case); else AttentionError.

    Args:
        target: the most probable class of `logits` (K,) where None.
    """
    if target is None:
        return int(logits.argmax())
    if isinstance(target, str) and not (target.isascii() and target.isdigit()):
        return _named(target, labels[: logits.size], logits.size, model_name)
    index = int(target) if isinstance(target, str) else whole(target, "The class", AttentionError, "its number or name")
    if not 0 <= index < logits.size:
        raise AttentionError(f"There is no class {index}: {model_name} has {logits.size}, numbered from 0.")
    return index


def _named(text: str, labels: Sequence[str], count: int, model_name: str) -> int:
    wanted = text.casefold()
    named = [label.casefold() for label in labels]
    found = [i for i, label in enumerate(named) if label == wanted]
    found = found or [i for i, label in enumerate(named) if wanted in label]
    if len(found) > 1:
        some = ", ".join(labels[i] for i in found[:5])
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise AttentionError(f"{text!r} is in the names of {len(found)} classes ({some}{more}): give a whole one.")
    if not found:
        raise AttentionError(f"{model_name} has no class {text!r}: {_offered(wanted, labels, count)}.")
    return found[0]


def _offered(wanted: str, labels: Sequence[str], count: int) -> str:
    """What could have been named instead: all classes where they are few, else those that are spelt alike."""
    if not labels:
        return f"its classes have no names; give a number from 0 to {count - 1}"
    if len(labels) <= _FEW:
        return f"it knows {', '.join(labels)}"
    alike = set(difflib.get_close_matches(wanted, [each.casefold() for each in labels], n=_NEAREST, cutoff=0.5))
    near = [label for label in labels if label.casefold() in alike][:_NEAREST]
    instead = f"the nearest are {', '.join(near)}; " if near else ""
    return f"{instead}give a part of a name, or a number from 0 to {count - 1}"
