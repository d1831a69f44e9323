"""Asks which of several networks in a file is meant: teacher or student, averaged or raw."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QWidget

from vitviz.ui.list_dialog import ListDialog

_MEANINGS = {
    "teacher": "the average that DINO and its kin evaluate",
    "student": "the network that was trained by gradients",
    "ema": "an average of the weights over training",
    "model": "the weights as they were trained last",
    "state_dict": "the weights as they were trained last",
}


class NetworkDialog(ListDialog[str]):
    """A list of the networks of one file, its default first and chosen; `then(name)` on OK."""

    def __init__(self, parent: QWidget, file: str, names: Sequence[str], then: Callable[[str], object]) -> None:
        super().__init__(
            parent,
            [(described(name, "" if i else "the default"), name) for i, name in enumerate(names)],
            then,
            title="Which network?",
            question=f"{file} holds {len(names)} networks. Choose one; Model > Sizes, heads and assumptions changes it "
            "later.",
            name="Networks in the file",
        )


def described(name: str, note: str) -> str:
    """A network's name with what it usually is, and a note."""
    last = name.lower().rpartition(".")[2]
    meaning = _MEANINGS.get("ema" if "ema" in last else last, "")
    shown = name or "(the file's own tensors)"
    return f"{shown}{f': {meaning}' if meaning else ''}{f' ({note})' if note else ''}"
