"""A vector as a strip of bars around zero."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QHelpEvent, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from vitviz.render.scale import signed


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
                QToolTip.showText(event.globalPos(), f"value {index}: {signed(f'{self.values[index]:.4g}')}", self)
            return True
        return super().event(event)

    def _bars(self, width: int, height: int) -> QImage:
        """The bars as pixels: hundreds of rectangles would take longer than there is between two frames."""
        color = self.palette().highlight().color()
        word = np.array([color.blue(), color.green(), color.red(), 255], dtype=np.uint8).view(np.uint32)[0]
        heights = np.clip(self.values / self.scale, -1.0, 1.0) * (height / 2)
        at = np.arange(width) * len(heights) // width
        if len(heights) > width:
            ups, downs = np.maximum.reduceat(heights, at), np.minimum.reduceat(heights, at)
        else:
            ups = downs = heights[at]
        rows = height / 2 - (np.arange(height) + 0.5)[:, None]  # above zero
        filled = (rows <= np.maximum(ups, 0.0)) & (rows >= np.minimum(downs, 0.0))
        if len(heights) * 3 <= width:  # with room for it, a gap between two bars
            filled &= np.append(at[1:] == at[:-1], True)
        pixels = np.where(filled, word, np.uint32(0))
        return QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_ARGB32).copy()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        ink = self.palette().color(self.foregroundRole())
        metrics = QFontMetricsF(self.font())
        line = metrics.height()
        painter.setPen(ink)
        text = metrics.elidedText(self.words(), Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(QRectF(0, 0, self.width(), line), Qt.AlignmentFlag.AlignVCenter, text)
        area = QRectF(0, line + 1, self.width(), self.height() - line - 3)
        middle = area.center().y()
        count, width = self.values.size, max(1, int(area.width()))
        if count and self.scale > 0:
            bars = self._bars(width, max(1, int(area.height())))
            painter.drawImage(area.topLeft(), bars)
        ink.setAlpha(110)
        painter.setPen(ink)
        painter.drawLine(QPointF(0, middle), QPointF(self.width(), middle))
        painter.end()
