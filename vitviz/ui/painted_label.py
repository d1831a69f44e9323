"""Words that change under the mouse: a new text is painted, and no widget around it is laid out anew for it.

`QLabel.setText` asks for a new layout each time, which goes up to the window and costs more than a new map.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QWidget


class PaintedLabel(QLabel):
    """A label of plain text that keeps and paints its text itself; heirs say how large they want to be.

    Attributes:
        how: Qt's flags for the text.
    """

    how = Qt.AlignmentFlag.AlignLeft.value | Qt.AlignmentFlag.AlignVCenter.value

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._words = ""
        self.setText(text)

    def text(self) -> str:
        return self._words

    def setText(self, text: str) -> None:
        if text != self._words:
            self._words = text
            self.setAccessibleName(text)
            self.update()
            self._changed()

    def _changed(self) -> None:
        """Follow a new text."""
        raise NotImplementedError

    def shown_text(self) -> str:
        """What of the text is painted."""
        return self._words

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.contentsRect(), self.how, self.shown_text())
        painter.end()

    def around(self) -> tuple[int, int]:
        """Width and height of the margins."""
        edges = self.contentsMargins()
        return edges.left() + edges.right(), edges.top() + edges.bottom()
