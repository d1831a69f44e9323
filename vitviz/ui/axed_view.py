"""A picture of numbers with numbered rows and columns at its left and top."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QResizeEvent
from PySide6.QtWidgets import QWidget

from vitviz.render.mosaic import table
from vitviz.ui.marks import frame_item, set_frame, text_item
from vitviz.ui.picture_view import PictureView

_MARGIN = 44.0  # screen pixels at the left and top for a title and a line of numbers
_ROOMY = 170.0  # screen pixels below which a picture has numbers but no titles, so that something is left of it
_LETTER = 13.0  # screen pixels that a line of numbers takes
Ticks = Sequence[tuple[float, str]]  # places of a picture and the numbers that stand there


class AxedView(PictureView):
    """Indices into a table of colours as a picture; `mark` frames a part of it.

    `room` is the screen pixels of one of the picture's, as long as the whole is shown.
    """

    def __init__(self, name: str, titles: tuple[str, str] = ("row", "column"), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self._titles = titles
        self._background, self._foreground = QColor("#1b1b1b"), QColor("#e4e4e4")
        self._labels: list[pg.TextItem] = []
        self._axes: tuple[Ticks, Ticks] = ((), ())
        self.room = 1.0
        self._size = (1.0, 1.0)
        self._edge = frame_item(self.box, (0, 0, 0), 4.0)
        self._frame = frame_item(self.box, (255, 80, 60), 2.0)

    def set_canvas(self, background: QColor, foreground: QColor) -> None:
        """The colours around the picture and of its numbers."""
        self._background, self._foreground = background, foreground
        self.set_colors(background)
        self._number()

    def set_axes(self, size: tuple[float, float], rows: Ticks, cols: Ticks) -> None:
        """Another picture of (height, width), with (place, number) of its rows and columns."""
        self._axes, self._size = (rows, cols), size
        self._number()

    def set_cells(self, shape: tuple[int, int]) -> None:
        """Another picture of (rows, columns) of cells of one by one, each with its number."""
        rows, cols = ([(i + 0.5, str(i)) for i in range(count)] for count in shape)
        self.set_axes(shape, rows, cols)

    def show_indices(self, indices: np.ndarray, colormap: str) -> None:
        """Draw (H, W) uint8 indices of `mosaic.table` over the whole."""
        color = self._background
        lut = table(colormap, (color.red(), color.green(), color.blue()))
        self.set_pixels(indices, (0.0, 0.0, self._size[1], self._size[0]), lut=lut, levels=(0, 255))

    def mark(self, rect: QRectF | None) -> None:
        """Frame a part of the picture, or nothing."""
        set_frame(self._edge, rect)
        set_frame(self._frame, rect)

    def _number(self) -> None:
        for label in self._labels:
            self.box.removeItem(label)
        self._labels.clear()
        height, width = self._size
        rows, cols = self._axes
        if not rows or not cols:
            return
        titled = min(self.width(), self.height()) >= _ROOMY
        margin = _MARGIN if titled else _MARGIN - 1.6 * _LETTER
        # As many numbers as there is room for when the whole is shown; zooming in does not bring more.
        room = max(0.1, min((self.width() - 1.2 * margin) / width, (self.height() - 1.2 * margin) / height))
        self.room = room
        self.set_extent(height, width, margin=margin / room)
        near, far = -3.0 / room, -(_MARGIN - 1.6 * _LETTER) / room
        for axis in (0, 1):
            for at, text in self._thinned(axis, room):
                x, y = (near, at) if axis == 0 else (at, near)
                self._write(text, x, y, (1.0, 0.5) if axis == 0 else (0.5, 1.0))
        if not titled:
            return
        self._write(self._titles[1], width / 2, far, (0.5, 1.0))
        self._write(self._titles[0], far, height / 2, (0.5, 1.0), angle=90)

    def _thinned(self, axis: int, room: float) -> Ticks:
        """The numbers of the rows (axis 0) or columns for which there is room."""
        marks = self._axes[axis]
        pitch = (marks[1][0] - marks[0][0]) * room if len(marks) > 1 else 100.0
        every = max(1, int(-(-(_LETTER if axis == 0 else 1.6 * _LETTER) // pitch)))
        return marks[::every]

    def _write(self, text: str, x: float, y: float, anchor: tuple[float, float], angle: float = 0) -> None:
        self._labels.append(text_item(self.box, text, (x, y), anchor, self._foreground, angle))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # pyqtgraph resizes once while it is being made.
        if hasattr(self, "_labels"):
            self._number()
