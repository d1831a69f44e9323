"""How a receptive field grows, as bars: one for every step, the share of the patches above and its layer below."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget


class GrowthBars(QWidget):
    """The share of the patches that is seen in each step, one bar a step; `chosen(int)` on a click."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shares: list[float] = []
        self.ticks: tuple[str, ...] = ()
        self.current = 0
        self.setAccessibleName("Share of the patches seen in each step")
        self.setToolTip("Share of the patches seen in each step, from 0 to 100 %; dashed: a ViT")
        self._line = self.fontMetrics().height()
        self.setFixedHeight(56 + 2 * self._line)

    def show_counts(self, shares: list[float], current: int, ticks: Sequence[str]) -> None:
        """Show shares between 0 and 1, one of them marked, with a word under each."""
        self.shares, self.current, self.ticks = shares, current, tuple(ticks)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, self.height())

    def bar(self, index: int) -> QRectF:
        """Where a bar is drawn."""
        wide = (self.width() - 2) / max(1, len(self.shares))
        high, floor = max(1.0, self.shares[index] * self._room), self._line + self._room
        return QRectF(1 + index * wide + 1, floor - high, max(1.0, wide - 2), high)

    @property
    def _room(self) -> float:
        """Between the line of shares above and that of ticks below."""
        return float(self.height() - 2 * self._line - 2)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.shares and event.button() == Qt.MouseButton.LeftButton:
            at = int((event.position().x() - 1) / (self.width() - 2) * len(self.shares))
            self.chosen.emit(min(max(at, 0), len(self.shares) - 1))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        palette = self.palette()
        ink = palette.color(self.foregroundRole())
        pale = QColor(ink)
        pale.setAlpha(110)
        if self.shares:
            painter.setPen(QPen(ink, 1, Qt.PenStyle.DashLine))
            painter.drawLine(1, self._line, self.width() - 2, self._line)
        painter.setPen(ink)
        widest = max((self.fontMetrics().horizontalAdvance(f"{text} ") for text in ("100", *self.ticks)), default=1)
        every = max(1, -(-widest * len(self.shares) // max(1, self.width())))
        for i, share in enumerate(self.shares):
            box = self.bar(i)
            painter.fillRect(box, palette.highlight().color() if i == self.current else pale)
            if i % every and i != self.current:
                continue
            wide = QRectF(box.center().x() - 30, 0, 60, self._line)
            above, below = wide.translated(0, box.top() - self._line), wide.translated(0, self._line + self._room + 1)
            if i == self.current or abs(i - self.current) >= every:
                text = f"{100 * share:.0f}"
                # The dashed line must not strike through a number.
                taken = painter.boundingRect(above, Qt.AlignmentFlag.AlignCenter, text).adjusted(-1, 0, 1, 0)
                painter.fillRect(taken, palette.color(self.backgroundRole()))
                painter.drawText(above, Qt.AlignmentFlag.AlignCenter, text)
                painter.drawText(below, Qt.AlignmentFlag.AlignCenter, self.ticks[i])
        painter.end()
