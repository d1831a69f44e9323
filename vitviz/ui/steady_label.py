"""Wrapped words that change under the mouse without moving what stands below them."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from vitviz.ui.painted_label import PaintedLabel

_WIDE, _NARROW = 240, 60  # pixels that it would like, and that it can do with


class SteadyLabel(PaintedLabel):
    """A plain label that wraps, and keeps the height of the tallest text that it had at its width."""

    how = PaintedLabel.how | Qt.TextFlag.TextWordWrap.value

    def __init__(self, text: str = " ", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        policy = self.sizePolicy()
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        wide, high = self.around()
        room = QRect(0, 0, max(1, width - wide), 1 << 20)
        return high + self.fontMetrics().boundingRect(room, self.how, self.text() or " ").height()

    def sizeHint(self) -> QSize:
        return QSize(_WIDE, self.heightForWidth(_WIDE))

    def minimumSizeHint(self) -> QSize:
        return QSize(_NARROW, self.fontMetrics().height() + self.around()[1])

    def _changed(self) -> None:
        if (needed := self.heightForWidth(self.width())) > self.minimumHeight():
            self.setMinimumHeight(needed)

    def forget(self) -> None:
        """Be as high as the text that is shown now: what was there before had other lines."""
        self.setMinimumHeight(self.heightForWidth(self.width()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.forget()
