"""Wrapped words that change under the mouse without moving what stands below them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget


class SteadyLabel(QLabel):
    """A plain label that wraps, and keeps the height of the tallest text that it had at its width."""

    def __init__(self, text: str = " ", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)

    def setText(self, text: str) -> None:
        super().setText(text or " ")
        self.setMinimumHeight(max(self.minimumHeight(), self.heightForWidth(self.width())))

    def forget(self) -> None:
        """Be as high as the text that is shown now, or the next one: what was there before had other lines."""
        self.setMinimumHeight(0)
        self.setText(self.text())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.setMinimumHeight(0)  # or it would be part of what is measured
            self.setMinimumHeight(self.heightForWidth(event.size().width()))
