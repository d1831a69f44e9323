"""The windows of a layer over a picture on the screen: outline, seam, keys that are shut out, the partition."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainterPath
from PySide6.QtWidgets import QGraphicsPathItem

from vitviz.attention.values import Map
from vitviz.models.layout import Grid, Piece
from vitviz.render.style import Style
from vitviz.render.windows import NEIGHBOUR, SEAM, WINDOW, window_marks
from vitviz.ui.marks import segments_path
from vitviz.view import View


class WindowItems:
    """The same marks as `render.windows.draw_windows` makes in pixels, drawn by Qt one screen pixel wide."""

    def __init__(self, box: pg.ViewBox) -> None:
        self._drawn: dict[QGraphicsPathItem, tuple[object, ...]] = {}
        self._where: tuple[Grid, View] | None = None
        dashed, solid = Qt.PenStyle.DashLine, Qt.PenStyle.SolidLine
        self._neighbour = _lines(box, NEIGHBOUR, 1.0, dashed)
        self._borders = _lines(box, (0, 0, 0, 130), 3.0, solid)
        self._partition = _lines(box, WINDOW, 1.0, solid)
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
        marks, where = window_marks(shown, style), (shown.grid, shown.view)
        if where != self._where:
            self._where = where
            self._drawn.clear()
        for item, lines in (
            (self._neighbour, marks.neighbour),
            (self._borders, marks.partition),
            (self._partition, marks.partition),
            (self._edge, marks.outline),
            (self._outline, marks.outline),
            (self._seam, marks.seam),
        ):
            self._put(item, lines, partial(segments_path, lines, *where))
        for item in (self._hidden, self._hatch):
            self._put(item, marks.shut_out, partial(_pieces_path, marks.shut_out, *where))

    def _put(self, item: QGraphicsPathItem, what: tuple[object, ...], path: Callable[[], QPainterPath]) -> None:
        # Most of it stays as the mouse moves, and every new path has the whole scene looked through.
        if self._drawn.get(item) != what:
            self._drawn[item] = what
            item.setPath(path())


def _pieces_path(pieces: tuple[Piece, ...], grid: Grid, view: View) -> QPainterPath:
    path = QPainterPath()
    down, across = grid.stride
    for piece in pieces:
        x0, y0 = view.to_picture(piece.cols[0] * across, piece.rows[0] * down)
        x1, y1 = view.to_picture(piece.cols[1] * across, piece.rows[1] * down)
        path.addRect(QRectF(x0, y0, x1 - x0, y1 - y0))
    return path


def _lines(box: pg.ViewBox, color: tuple[int, ...], width: float, style: Qt.PenStyle) -> QGraphicsPathItem:
    item = QGraphicsPathItem()
    item.setPen(pg.mkPen(*color, width=width, cosmetic=True, style=style))
    item.setZValue(9)
    box.addItem(item, ignoreBounds=True)
    return item
