"""The colour bar: which colour is which value, with numbers."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from vitviz.render.scale import TICKS, exponent_of, labels_of
from vitviz.render.style import color_table

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class ColorBar(QWidget):
    """A vertical bar with five numbers, and what the scale is shared over."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colormap, self.limits, self._note = "viridis", (0.0, 1.0), ""
        self._quantity = "attention weight"
        self.setAccessibleName("Colour bar")

    def show_scale(
        self, colormap: str, limits: tuple[float, float], note: str, quantity: str = "attention weight"
    ) -> None:
        """Show a colormap between two values of a quantity without unit."""
        if (colormap, limits, note, quantity) != (self._colormap, self.limits, self._note, self._quantity):
            self._colormap, self.limits, self._note, self._quantity = colormap, limits, note, quantity
            self.setToolTip(f"{quantity.capitalize()}, {note}: {limits[0]:.4g} to {limits[1]:.4g}")
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

    def unit(self) -> str:
        """What stands over the numbers: "×10⁻³", or "" where they are what they are."""
        return f"×10{str(self.exponent).translate(_RAISED)}" if self.exponent else ""

    def sizeHint(self) -> QSize:
        # The same for every scale, so that the picture does not jump while one hovers.
        metrics = QFontMetricsF(self.font())
        return QSize(int(18 + 7 + metrics.horizontalAdvance("00.000") + 1.3 * metrics.height()), 200)

    def minimumSizeHint(self) -> QSize:
        return QSize(self.sizeHint().width(), 100)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        metrics = QFontMetricsF(self.font())
        space = metrics.height()
        # The note runs upwards beside the numbers; the bar leaves half a line above and below for the end numbers, and
        # a line more for the power of ten, which is never shortened.
        over = space if self.exponent else 0.0
        bar = QRectF(2, over + space / 2 + 1, 16, self.height() - over - space - 2)
        flat = self.limits[0] == self.limits[1]
        colors = color_table(self._colormap)[::-1]
        table = np.ascontiguousarray(colors[-1:].repeat(256, axis=0) if flat else colors)
        image = QImage(table.data, 1, 256, 3, QImage.Format.Format_RGB888)
        painter.drawImage(bar, image)
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
        room = self.height() - space
        text = self.text() if metrics.horizontalAdvance(self.text()) <= room else self._quantity
        text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRectF(-self.height() / 2, 0, self.height(), space), Qt.AlignmentFlag.AlignCenter, text)
        painter.end()
