"""Names beside squares of their colours."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget


class Legend(QWidget):
    """Names beside squares of their colours, as many in a row as fit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.names: list[tuple[str, str]] = []
        self.setAccessibleName("Colours of the classes")
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_names(self, names: list[tuple[str, str]]) -> None:
        """Show (colour, name)."""
        self.names = names
        self.setToolTip("")
        self.setAccessibleDescription(", ".join(name for _, name in names))
        self.updateGeometry()
        self.update()

    def _boxes(self, width: int) -> list[QRectF]:
        metrics = QFontMetricsF(self.font())
        line, x, y = metrics.height() + 3, 0.0, 0.0
        boxes = []
        for _, name in self.names:
            wide = min(line + metrics.horizontalAdvance(name) + 12, float(width))
            if x > 0 and x + wide > width:
                x, y = 0.0, y + line
            boxes.append(QRectF(x, y, wide, line))
            x += wide
        return boxes

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        boxes = self._boxes(width)
        return int(boxes[-1].bottom()) + 1 if boxes else 0

    def sizeHint(self) -> QSize:
        return QSize(200, self.heightForWidth(max(self.width(), 200)))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        metrics = QFontMetricsF(self.font())
        painter.setPen(self.palette().color(self.foregroundRole()))
        for (color, name), box in zip(self.names, self._boxes(self.width()), strict=True):
            side = box.height() - 6
            painter.fillRect(QRectF(box.left(), box.top() + 3, side, side), QColor(color))
            text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, box.width() - side - 10)
            painter.drawText(box.adjusted(side + 4, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()
