"""A number for every head as a coloured cell: rows are layers and columns heads, as in the atlas."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from vitviz.render.style import color_indices, color_table

_WIDEST, _HIGHEST = 64.0, 34.0  # pixels of a cell
_CHOSEN, _POINTED = QColor(255, 80, 60), QColor(255, 200, 60)


class PairMap(QWidget):
    """Cells of (L, H_max) values, of which rows may be of different length; hatched where a head has no value.

    `chosen(layer, head)` on a click at a head, `pointed(layer, head)` when another one is under the mouse, (-1, -1)
    where there is none.
    """

    chosen = Signal(int, int)
    pointed = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.heads: tuple[int, ...] = ()
        self.values = np.empty((0, 0))
        self.limits = (0.0, 1.0)
        self.colormap = "viridis"
        self.words: Mapping[tuple[int, int], str] = {}
        self.marked: tuple[int, int] | None = None
        self.under: tuple[int, int] | None = None
        self._background, self._foreground = QColor("#ffffff"), QColor("#202020")
        self.setMouseTracking(True)
        self.setAccessibleName("Heads of the first model: rows are layers, columns are heads")

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours of the theme."""
        self._background, self._foreground = background, foreground
        self.update()

    def show_values(
        self,
        heads: tuple[int, ...],
        values: np.ndarray,
        limits: tuple[float, float],
        words: Mapping[tuple[int, int], str] | None = None,
    ) -> None:
        """Show values of so many heads a layer, between the ends of the colours; `words` stand in the cells where there
        is room for all of them."""
        self.heads, self.values, self.limits, self.words = heads, values, limits, words or {}
        self.under = None
        self.update()

    def mark(self, head: tuple[int, int] | None) -> None:
        """Frame the head that is shown in the pane."""
        if head != self.marked:
            self.marked = head
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(320, 240)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 90)

    def cell(self, layer: int, head: int) -> QRectF:
        """Where a head is drawn."""
        left, top, wide, high = self._placing()
        return QRectF(left + head * wide, top + layer * high, wide, high)

    def at(self, point: QPointF) -> tuple[int, int] | None:
        """The head under a point of this widget."""
        if not self.heads:
            return None
        left, top, wide, high = self._placing()
        layer, head = int((point.y() - top) // high), int((point.x() - left) // wide)
        inside = 0 <= layer < len(self.heads) and 0 <= head < self.heads[layer]
        return (layer, head) if inside else None

    def _placing(self) -> tuple[float, float, float, float]:
        """Left and top of the first cell, width and height of each."""
        metrics = QFontMetricsF(self.font())
        left = 1.5 * metrics.height() + metrics.horizontalAdvance("00") + 4
        top = 2 * metrics.height() + 6
        wide = min(_WIDEST, (self.width() - left - 3) / max(self.heads, default=1))
        high = min(_HIGHEST, (self.height() - top - 3) / max(1, len(self.heads)))
        return left, top, max(1.0, wide), max(1.0, high)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._background)
        if not self.heads:
            return
        self._numbers(painter)
        gap = 1.0 if self.cell(0, 0).width() > 5 and self.cell(0, 0).height() > 5 else 0.0
        known = np.isfinite(self.values)
        colors = color_table(self.colormap)[color_indices(np.where(known, self.values, 0.0), self.limits)]
        metrics = QFontMetricsF(self.font())
        widest = max((metrics.horizontalAdvance(text) for text in self.words.values()), default=0.0)
        wide, tall = self.cell(0, 0).width() - 4, self.cell(0, 0).height()
        # "L11 H3" goes on two lines where cells are narrow and high.
        parted = widest >= wide
        if parted:
            parts = (part for text in self.words.values() for part in text.split())
            widest = max((metrics.horizontalAdvance(part) for part in parts), default=0.0)
        room = widest < wide and tall >= (2 if parted else 1) * metrics.height() - 2
        for layer, count in enumerate(self.heads):
            for head in range(count):
                box = self.cell(layer, head).adjusted(0, 0, -gap, -gap)
                if not known[layer, head]:
                    painter.fillRect(box, QBrush(self._faint(), Qt.BrushStyle.BDiagPattern))
                    continue
                color = QColor(*colors[layer, head].tolist())
                painter.fillRect(box, color)
                if room and (layer, head) in self.words:
                    painter.setPen(QColor("#000000" if color.lightnessF() > 0.45 else "#ffffff"))
                    text = self.words[layer, head].replace(" ", "\n") if parted else self.words[layer, head]
                    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        for at, color in ((self.under, _POINTED), (self.marked, _CHOSEN)):
            if at is not None and at[0] < len(self.heads) and at[1] < self.heads[at[0]]:
                box = self.cell(*at).adjusted(-0.5, -0.5, -0.5, -0.5)
                for pen in (QPen(QColor("black"), 4), QPen(color, 2)):
                    painter.setPen(pen)
                    painter.drawRect(box)

    def _faint(self) -> QColor:
        faint = QColor(self._foreground)
        faint.setAlpha(110)
        return faint

    def _numbers(self, painter: QPainter) -> None:
        """The numbers of layers and heads, as many as there is room for, and what they are."""
        metrics = QFontMetricsF(self.font())
        line = metrics.height()
        left, top, wide, high = self._placing()
        painter.setPen(self._foreground)
        every = max(1, -int(-(line - 2) // high))
        for layer in range(0, len(self.heads), every):
            box = QRectF(0, top + layer * high, left - 4, high)
            painter.drawText(_tall(box, line), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(layer))
        most = max(self.heads)
        every = max(1, -int(-(metrics.horizontalAdvance(str(most - 1)) + 4) // wide))
        for head in range(0, most, every):
            box = QRectF(left + head * wide - line, top - line - 2, wide + 2 * line, line)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(head))
        painter.drawText(QRectF(left, 0, most * wide, line), Qt.AlignmentFlag.AlignCenter, "head")
        painter.save()
        painter.translate(line / 2, top + len(self.heads) * high / 2)
        painter.rotate(-90)
        painter.drawText(QRectF(-60, -line / 2, 120, line), Qt.AlignmentFlag.AlignCenter, "layer")
        painter.restore()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._point_at(self.at(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        found = self.at(event.position())
        if found is not None and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(*found)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._point_at(None)

    def _point_at(self, head: tuple[int, int] | None) -> None:
        if head != self.under:
            self.under = head
            self.pointed.emit(*(head or (-1, -1)))
            self.update()


def _tall(box: QRectF, line: float) -> QRectF:
    """A box about the same middle that a line of text fits into."""
    return QRectF(box.left(), box.center().y() - line / 2, box.width(), line)
