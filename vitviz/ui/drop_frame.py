"""The frame around the pane that a dragged checkpoint would be opened in."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QWidget

_WIDE = 3  # pixels


class DropFrame(QWidget):
    """Lies over its parent, lets the mouse through, and is hidden as long as it frames nothing."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._under = parent
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def show_over(self, widget: QWidget | None) -> None:
        """Frame a descendant of the parent, or nothing."""
        if widget is not None:
            self.setGeometry(QRect(widget.mapTo(self._under, QPoint()), widget.size()))
            self.raise_()
        self.setVisible(widget is not None)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        pen = QPen(self.palette().color(QPalette.ColorRole.Highlight), _WIDE)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        inset = _WIDE // 2
        painter.drawRect(self.rect().adjusted(inset, inset, -inset - 1, -inset - 1))
        painter.end()
