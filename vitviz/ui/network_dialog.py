"""Asks which of several networks in a file is meant: teacher or student, averaged or raw."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QListWidget, QVBoxLayout, QWidget

_MEANINGS = {
    "teacher": "the average that DINO and its kin evaluate",
    "student": "the network that was trained by gradients",
    "ema": "an average of the weights over training",
    "model": "the weights as they were trained last",
    "state_dict": "the weights as they were trained last",
}


class NetworkDialog(QDialog):
    """A list of the networks of one file, its default first and chosen; `then(name)` on OK."""

    def __init__(self, parent: QWidget, file: str, names: Sequence[str], then: Callable[[str], object]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Which network?")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._names = tuple(names)
        words = QLabel(
            f"{file} holds {len(names)} networks. Choose one; Model > Sizes, heads and assumptions changes it later."
        )
        words.setTextFormat(Qt.TextFormat.PlainText)
        words.setWordWrap(True)
        self.list = QListWidget()
        self.list.setAccessibleName("Networks in the file")
        self.list.addItems([described(name, "" if i else "the default") for i, name in enumerate(names)])
        self.list.setCurrentRow(0)
        self.list.itemActivated.connect(lambda _: self.accept())
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for widget in (words, self.list, buttons):
            layout.addWidget(widget)
        self.resize(460, 260)
        self.list.setFocus()
        self.accepted.connect(lambda: then(self.chosen()))

    def chosen(self) -> str:
        """The name of the chosen network."""
        return self._names[max(0, self.list.currentRow())]


def described(name: str, note: str) -> str:
    """A network's name with what it usually is, and a note."""
    last = name.lower().rpartition(".")[2]
    meaning = _MEANINGS.get("ema" if "ema" in last else last, "")
    shown = name or "(the file's own tensors)"
    return f"{shown}{f': {meaning}' if meaning else ''}{f' ({note})' if note else ''}"
