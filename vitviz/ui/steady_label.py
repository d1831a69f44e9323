"""Wrapped words that change under the mouse without moving what stands below them."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from vitviz.ui.painted_label import PaintedLabel

_WIDE, _NARROW = 240, 60  # pixels that it would like, and that it can do with
_HOW = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap


class SteadyLabel(PaintedLabel):
    """A plain label that wraps, and keeps the height of the tallest text that it had at its width."""

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
        return high + self.fontMetrics().boundingRect(room, _HOW, self.text() or " ").height()

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

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.contentsRect(), _HOW, self.text())
        painter.end()
