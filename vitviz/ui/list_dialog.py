"""Asks which of a few things is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QListWidget, QVBoxLayout, QWidget

from vitviz.ui.labels import plain_label

T = TypeVar("T")


class ListDialog(QDialog, Generic[T]):
    """A question over a list of (words, value), the first one chosen; `then(value)` on OK.

    Args:
        title: of the dialog.
        question: what is asked, and why.
        name: of the list, for those who hear the window.
    """

    def __init__(
        self,
        parent: QWidget,
        choices: Sequence[tuple[str, T]],
        then: Callable[[T], object],
        *,
        title: str,
        question: str,
        name: str,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._values = [value for _, value in choices]
        words = plain_label(question, wrap=True)
        self.list = QListWidget()
        self.list.setAccessibleName(name)
        self.list.addItems([text for text, _ in choices])
        self.list.setCurrentRow(0)
        self.list.itemActivated.connect(lambda _: self.accept())
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for widget in (words, self.list, buttons):
            layout.addWidget(widget)
        self.resize(460, 280)
        self.list.setFocus()
        self.accepted.connect(lambda: then(self.chosen()))

    def chosen(self) -> T:
        """The value that is chosen."""
        return self._values[max(0, self.list.currentRow())]
