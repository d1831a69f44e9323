"""Names of classes from a text or JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from vitviz.checks import short
from vitviz.errors import SourceError

_MAX_BYTES = 8 * 2**20


def read_labels(labels: Sequence[str] | str | Path) -> tuple[str, ...]:
    """The names of the classes in their order.

    Args:
        labels: the names themselves, or the path of a file: one name a line, or JSON with a list, with a dictionary
            from number to name, or from name to number.

    Raises SourceError where the file is none of these.
    """
    if not isinstance(labels, str | Path | Iterable):
        raise SourceError(f"The labels are {short(labels)}: give a list of names, or the path of a file with them.")
    if not isinstance(labels, str | Path):
        return tuple(str(label) for label in labels)
    path = Path(labels).expanduser()
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SourceError(f"{path.name} is larger than {_MAX_BYTES} bytes: it is no list of labels.")
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() != ".json":
            return tuple(line.strip() for line in text.splitlines() if line.strip())
        return _of_json(json.loads(text))
    except OSError as error:
        raise SourceError(
            f"The labels {path} can't be read: {error.strerror or error}; choose another file."
        ) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SourceError(f"{path.name} holds no labels: give a list, {{number: name}} or {{name: number}}.") from error


def _of_json(content: object) -> tuple[str, ...]:
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        return tuple(content)
    if not isinstance(content, dict) or not content:
        raise ValueError("no list and no dictionary")
    if all(isinstance(number, int) for number in content.values()):
        content = {number: name for name, number in content.items()}
    numbered = {int(number): str(name) for number, name in content.items()}
    if sorted(numbered) != list(range(len(numbered))):
        raise ValueError("the numbers are not 0, 1, 2, ...")
    return tuple(numbered[i] for i in range(len(numbered)))
