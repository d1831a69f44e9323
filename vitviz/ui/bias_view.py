"""The tables of relative position bias as one picture: heads numbered, offsets on the axes."""

from __future__ import annotations

from itertools import pairwise

import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainterPath
from PySide6.QtWidgets import QGraphicsPathItem, QWidget

from vitviz.render.bias import AXES, BiasTable, mosaic_of
from vitviz.ui.axed_view import AxedView, Ticks

_TICK = 22.0  # screen pixels from one number to the next
_WORD = 48.0  # screen pixels of "head 23"


class BiasView(AxedView):
    """Draws a BiasTable; entry (0, 0) of every head is outlined. `frame` frames a head."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Relative position bias: a table for every head", AXES, parent)
        self._table: BiasTable | None = None
        self._centres = QGraphicsPathItem()
        self._centres.setPen(pg.mkPen(0, 0, 0, 160, width=1, cosmetic=True))
        self.box.addItem(self._centres, ignoreBounds=True)

    def show_table(self, table: BiasTable) -> None:
        """Draw another table."""
        self._table = table
        background = self._background
        pixels = mosaic_of(table, (background.red(), background.green(), background.blue()))
        height, width = pixels.shape[:2]
        # The number of a head stands under its table.
        self.set_axes((height + table.tiles.gap, width), self._ticks(0, True), self._ticks(1, True))
        self.set_pixels(pixels, (0.0, 0.0, width, height))
        centres = QPainterPath()
        for head in range(len(table.values)):
            x, y, wide, high = table.tile_box(head)
            centres.addRect(QRectF(x + wide // 2, y + high // 2, 1, 1))
        self._centres.setPath(centres)
        self._centres.show()

    def clear(self) -> None:
        super().clear()
        self._table = None
        self._centres.hide()
        self.mark(None)
        self._number()

    def frame(self, head: int | None) -> None:
        """Frame the table of a head, or none."""
        if self._table is None or head is None:
            self.mark(None)
            return
        x, y, wide, high = self._table.tile_box(head)
        edge = 2.0 / self.room
        self.mark(QRectF(x - edge, y - edge, wide + 2 * edge, high + 2 * edge))

    def _ticks(self, axis: int, everywhere: bool) -> list[tuple[float, str]]:
        """The least offset, 0 and the largest, along the first table or along each."""
        if self._table is None:
            return []
        tiles = self._table.tiles
        length = tiles.tile[axis]
        count = (len(tiles.heads) if axis == 0 else max(tiles.heads)) if everywhere else 1
        return [
            (i * (length + tiles.gap) + at + 0.5, text) for i in range(count) for at, text in self._table.ticks(axis)
        ]

    def _thinned(self, axis: int, room: float) -> Ticks:
        all_ticks = self._ticks(axis, True)
        near = min((b[0] - a[0] for a, b in pairwise(all_ticks)), default=1.0)
        ticks = all_ticks if near * room >= _TICK else self._ticks(axis, False)
        within = (ticks[1][0] - ticks[0][0]) * room if len(ticks) > 1 else _TICK
        return ticks if within >= _TICK * 0.7 else [ticks[0], ticks[-1]]

    def _number(self) -> None:
        super()._number()
        if self._table is None:
            return
        for head in range(len(self._table.values)):
            x, y, wide, high = self._table.tile_box(head)
            text = f"head {head}" if wide * self.room >= _WORD else str(head)
            self._write(text, x + wide / 2, y + high, (0.5, 0.08))
