"""The colour bar: which colour is which value, with numbers."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from vitviz.render.scale import TICKS, exponent_of, labels_of, signed
from vitviz.render.style import color_table
from vitviz.ui.qimages import image_of

_THICK = 16  # pixels of the bar itself
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class ColorBar(QWidget):
    """A bar with five numbers, or two where it lies, and what the scale is shared over, on a line of its own there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colormap, self.limits, self._note = "viridis", (0.0, 1.0), ""
        self._quantity = "attention weight"
        self.lying = False
        self.setAccessibleName("Colour bar")

    def make_room_for_signs(self) -> None:
        """Be as wide as the numbers of a scale of which half are negative."""
        self.setFixedWidth(self.sizeHint().width() + self.fontMetrics().horizontalAdvance("--"))

    def show_scale(
        self, colormap: str, limits: tuple[float, float], note: str, quantity: str = "attention weight"
    ) -> None:
        """Show a colormap between two values of a quantity without unit."""
        if (colormap, limits, note, quantity) != (self._colormap, self.limits, self._note, self._quantity):
            self._colormap, self.limits, self._note, self._quantity = colormap, limits, note, quantity
            self.setToolTip(f"{quantity.capitalize()}, {note}: " + signed(f"{limits[0]:.4g} to {limits[1]:.4g}"))
            self.update()

    @property
    def exponent(self) -> int:
        """The power of ten that the numbers are given in: 0, or less for small values."""
        return exponent_of(self.limits)

    def labels(self) -> list[str]:
        """The numbers beside the bar, from the top down, in units of 10^exponent."""
        return labels_of(self.limits)

    def text(self) -> str:
        """What the numbers are."""
        return f"{self._quantity}, {self._note}"

    def lines(self) -> tuple[str, str]:
        """The same on the two lines below a bar that lies: what the numbers are, and what the scale is shared over."""
        return self._quantity, self._note

    def unit(self) -> str:
        """What stands over the numbers: "×10⁻³", or "" where they are what they are."""
        return f"×10{str(self.exponent).translate(_RAISED)}" if self.exponent else ""

    def lie(self, lying: bool) -> None:
        """Lie below a picture instead of standing beside it, where that has no width to spare."""
        if lying != self.lying:
            self.lying = lying
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        # The same for every scale, so that the picture does not jump while one hovers.
        metrics = QFontMetricsF(self.font())
        if self.lying:
            return QSize(100, int(_THICK + 6 + 3 * metrics.height()))
        return QSize(int(_THICK + 9 + metrics.horizontalAdvance("0.00000") + 1.3 * metrics.height()), 200)

    def minimumSizeHint(self) -> QSize:
        return QSize(60, self.sizeHint().height()) if self.lying else QSize(self.sizeHint().width(), 100)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colors = color_table(self._colormap)
        if self.limits[0] == self.limits[1]:
            colors = colors[-1:].repeat(256, axis=0)
        if self.lying:
            self._paint_lying(painter, colors)
        else:
            self._paint_standing(painter, colors[::-1])

    def _paint_lying(self, painter: QPainter, table: np.ndarray) -> None:
        """Its ends and what they are; the power of ten stands with each."""
        metrics = QFontMetricsF(self.font())
        space = metrics.height()
        bar = QRectF(1, 1, self.width() - 2, _THICK)
        painter.drawImage(bar, image_of(table[None]))
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawRect(bar)
        labels, below = self.labels(), QRectF(1, bar.bottom() + 2, bar.width(), space)
        ends = (labels[-1], Qt.AlignmentFlag.AlignLeft), (labels[0], Qt.AlignmentFlag.AlignRight)
        if not labels[0]:
            ends = ((labels[TICKS // 2], Qt.AlignmentFlag.AlignHCenter),) * 2
        for text, where in ends:
            painter.drawText(below, where, text)
        if self.unit():
            painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, self.unit())
        for line, words in enumerate(self.lines()):
            box = QRectF(1, below.bottom() + line * space, bar.width(), space)
            words = metrics.elidedText(words, Qt.TextElideMode.ElideRight, box.width())
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)

    def _paint_standing(self, painter: QPainter, table: np.ndarray) -> None:
        metrics = QFontMetricsF(self.font())
        space = metrics.height()
        # The note runs upwards beside the numbers; the bar leaves half a line above and below for the end numbers, and
        # a line more for the power of ten, which is never shortened.
        over = space if self.exponent else 0.0
        bar = QRectF(2, over + space / 2 + 1, _THICK, self.height() - over - space - 2)
        painter.drawImage(bar, image_of(table[:, None]))
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawRect(bar)
        painter.drawText(QRectF(2, 0, self.width() - 2, space), Qt.AlignmentFlag.AlignLeft, self.unit())
        for i, label in enumerate(self.labels()):
            if not label:
                continue
            y = bar.top() + bar.height() * i / (TICKS - 1)
            painter.drawLine(int(bar.right()), int(y), int(bar.right()) + 4, int(y))
            box = QRectF(bar.right() + 7, y - space / 2, self.width() - bar.right() - 7, space)
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, label)
        painter.translate(self.width() - space, self.height() / 2 - 2)
        painter.rotate(-90)
        self._write(painter, QRectF(-self.height() / 2, 0, self.height(), space))

    def _write(self, painter: QPainter, box: QRectF) -> None:
        """What the numbers are, as much of it as fits."""
        metrics, room = painter.fontMetrics(), int(box.width() - box.height())
        text = self.text() if metrics.horizontalAdvance(self.text()) <= room else self._quantity
        text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
