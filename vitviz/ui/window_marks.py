"""The windows of a layer over a picture that is not the map: outline, seam, keys that are shut out, the partition."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainterPath
from PySide6.QtWidgets import QGraphicsPathItem

from vitviz.attention.values import Map
from vitviz.render.style import Style
from vitviz.render.windows import NEIGHBOUR, SEAM, WINDOW, window_marks
from vitviz.ui.marks import segments_path


class WindowItems:
    """The same marks as `render.windows.draw_windows` makes in pixels, drawn by Qt one screen pixel wide."""

    def __init__(self, box: pg.ViewBox) -> None:
        dashed, solid = Qt.PenStyle.DashLine, Qt.PenStyle.SolidLine
        self._neighbour = _lines(box, NEIGHBOUR, 1.5, dashed)
        self._partition = _lines(box, WINDOW, 1.5, solid)
        self._hidden = QGraphicsPathItem()
        self._hidden.setPen(pg.mkPen(None))
        self._hidden.setBrush(QBrush(QColor(0, 0, 0, 150)))
        self._hatch = QGraphicsPathItem()
        self._hatch.setPen(pg.mkPen(None))
        # Hatched in pixels of the screen, whatever the zoom.
        self._hatch.setBrush(QBrush(QColor(220, 220, 220, 200), Qt.BrushStyle.BDiagPattern))
        for item in (self._hidden, self._hatch):
            item.setZValue(8)
            box.addItem(item, ignoreBounds=True)
        self._edge = _lines(box, (0, 0, 0), 4.0, solid)
        self._outline = _lines(box, WINDOW, 2.0, solid)
        self._seam = _lines(box, SEAM, 3.0, dashed)

    def show(self, shown: Map, style: Style) -> None:
        """Draw what the style asks for."""
        marks = window_marks(shown, style)
        for item, lines in (
            (self._neighbour, marks.neighbour),
            (self._partition, marks.partition),
            (self._edge, marks.outline),
            (self._outline, marks.outline),
            (self._seam, marks.seam),
        ):
            item.setPath(segments_path(lines, shown.grid, shown.view))
        hidden = QPainterPath()
        down, across = shown.grid.stride
        for piece in marks.shut_out:
            x0, y0 = shown.view.to_picture(piece.cols[0] * across, piece.rows[0] * down)
            x1, y1 = shown.view.to_picture(piece.cols[1] * across, piece.rows[1] * down)
            hidden.addRect(QRectF(x0, y0, x1 - x0, y1 - y0))
        self._hidden.setPath(hidden)
        self._hatch.setPath(hidden)


def _lines(box: pg.ViewBox, color: tuple[int, int, int], width: float, style: Qt.PenStyle) -> QGraphicsPathItem:
    item = QGraphicsPathItem()
    item.setPen(pg.mkPen(*color, width=width, cosmetic=True, style=style))
    item.setZValue(9)
    box.addItem(item, ignoreBounds=True)
    return item
