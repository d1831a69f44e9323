"""A vector as a strip of bars around zero."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget


class Strip(QWidget):
    """One bar a value, positive ones upwards; where there are more values than pixels, the range of those in a pixel.

    The tooltip names the value under the mouse.
    """

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title, self.values, self.scale = title, np.zeros(0, dtype=np.float32), 1.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(title)

    def show_values(self, values: np.ndarray, scale: float) -> None:
        """Show (D,) values; a bar of the full height is `scale`."""
        self.values, self.scale = values, scale
        self.setAccessibleDescription(self.words())
        self.update()

    def words(self) -> str:
        """What the vector is, in numbers."""
        if not self.values.size:
            return self.title
        return f"{self.title} · {self.values.size} values, length {float(np.linalg.norm(self.values)):.3g}"

    def index_at(self, x: float) -> int | None:
        """The value under a place of the strip."""
        count = self.values.size
        return int(x / self.width() * count) if count and 0 <= x < self.width() else None

    def sizeHint(self) -> QSize:
        return QSize(200, int(QFontMetricsF(self.font()).height() + 34))

    def minimumSizeHint(self) -> QSize:
        return QSize(60, self.sizeHint().height())

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            index = self.index_at(event.pos().x())
            if index is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), f"value {index}: {self.values[index]:.4g}", self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        ink = self.palette().color(self.foregroundRole())
        metrics = QFontMetricsF(self.font())
        line = metrics.height()
        painter.setPen(ink)
        text = metrics.elidedText(self.words(), Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(QRectF(0, 0, self.width(), line), Qt.AlignmentFlag.AlignVCenter, text)
        area = QRectF(0, line + 1, self.width(), self.height() - line - 3)
        middle, half = area.center().y(), area.height() / 2
        count, width = self.values.size, max(1, int(area.width()))
        if count and self.scale > 0:
            heights = np.clip(self.values / self.scale, -1.0, 1.0) * half
            accent = self.palette().highlight().color()
            if count <= width:
                step = area.width() / count
                for i, height in enumerate(heights):
                    top = middle - max(float(height), 0.0)
                    painter.fillRect(QRectF(i * step, top, max(step - 0.3, 0.7), abs(float(height))), accent)
            else:
                edges = np.linspace(0, count, width + 1).astype(int)[:-1]
                ups, downs = np.maximum.reduceat(heights, edges), np.minimum.reduceat(heights, edges)
                for x in range(width):
                    top, bottom = middle - max(float(ups[x]), 0.0), middle - min(float(downs[x]), 0.0)
                    painter.fillRect(QRectF(x, top, 1.0, bottom - top), accent)
        ink.setAlpha(110)
        painter.setPen(ink)
        painter.drawLine(QPointF(0, middle), QPointF(self.width(), middle))
        painter.end()
