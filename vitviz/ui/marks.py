"""Frames, grids and words drawn by Qt over a picture, in picture coordinates and one screen pixel wide."""

from __future__ import annotations

from collections.abc import Iterable

import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainterPath
from PySide6.QtWidgets import QGraphicsPathItem, QGraphicsRectItem

from vitviz.images import View
from vitviz.models.layout import Grid
from vitviz.render.windows import Segment


def frame_item(box: pg.ViewBox, color: tuple[int, int, int] = (255, 255, 255), width: float = 1.5) -> QGraphicsRectItem:
    """A hidden frame in a view box."""
    item = QGraphicsRectItem()
    item.setPen(pg.mkPen(*color, width=width, cosmetic=True))
    item.setZValue(10)
    item.hide()
    box.addItem(item, ignoreBounds=True)
    return item


def text_item(
    box: pg.ViewBox,
    text: str,
    place: tuple[float, float],
    anchor: tuple[float, float],
    color: QColor,
    angle: float = 0,
) -> pg.TextItem:
    """Words in a view box, as large at every zoom, with the point `anchor` of their box (0 to 1) at a place (x, y)."""
    item = pg.TextItem(text, color=color, anchor=anchor, angle=angle)
    item.setPos(*place)
    box.addItem(item, ignoreBounds=True)
    return item


class MouseFrame:
    """The frame of what is under the mouse: dashed, so that it can't be taken for that of the query."""

    def __init__(self, box: pg.ViewBox) -> None:
        self.item = frame_item(box, (255, 255, 255), 2.0)
        self._edge = frame_item(box, (0, 0, 0), 2.0)
        pen = self.item.pen()
        pen.setDashPattern([3.0, 3.0])
        self.item.setPen(pen)
        self.item.setZValue(11)

    def show(self, rect: QRectF | None) -> None:
        """Move it to a rectangle, or hide it."""
        set_frame(self._edge, rect)
        set_frame(self.item, rect)


class Pin(pg.ScatterPlotItem):
    """The mark of what is pinned: square handles at its corners, as large at every zoom."""

    def __init__(self, box: pg.ViewBox) -> None:
        super().__init__(symbol="s", size=9, pen=pg.mkPen(0, 0, 0, width=1.5), brush=pg.mkBrush(255, 255, 255))
        self.rect: QRectF | None = None
        self.setZValue(12)
        box.addItem(self, ignoreBounds=True)

    def show_at(self, rect: QRectF | None) -> None:
        """Move it to a rectangle, or hide it."""
        if rect != self.rect:
            self.rect = rect
            corners = () if rect is None else (rect.topLeft(), rect.topRight(), rect.bottomLeft(), rect.bottomRight())
            self.setData([p.x() for p in corners], [p.y() for p in corners])


def cross_item(box: pg.ViewBox) -> QGraphicsPathItem:
    """A hidden crosshair in a view box."""
    item = QGraphicsPathItem()
    item.setPen(pg.mkPen(255, 255, 255, 200, width=1, cosmetic=True))
    item.setZValue(11)
    item.hide()
    box.addItem(item, ignoreBounds=True)
    return item


def cross_path(x: float, y: float, extent: QRectF) -> QPainterPath:
    """Lines through a point over the whole picture, open around the point so that what is there can be seen."""
    path = QPainterPath()
    gap = 0.012 * max(extent.width(), extent.height())
    for start, end in (
        ((extent.left(), y), (x - gap, y)),
        ((x + gap, y), (extent.right(), y)),
        ((x, extent.top()), (x, y - gap)),
        ((x, y + gap), (x, extent.bottom())),
    ):
        path.moveTo(*start)
        path.lineTo(*end)
    return path


def set_frame(item: QGraphicsRectItem, rect: QRectF | None) -> None:
    """Move a frame to a rectangle, or hide it."""
    item.setVisible(rect is not None)
    if rect is not None:
        item.setRect(rect)


def cross_items(box: pg.ViewBox) -> tuple[QGraphicsPathItem, QGraphicsPathItem]:
    """Two items for the same path, a wide dark one below a light one, to be seen on any colour."""
    items = QGraphicsPathItem(), QGraphicsPathItem()
    for item, color, width in zip(items, ((0, 0, 0, 200), (255, 255, 255, 255)), (4.5, 1.75), strict=True):
        item.setPen(pg.mkPen(*color, width=width, cosmetic=True))
        item.setZValue(8)
        box.addItem(item, ignoreBounds=True)
    return items


def cell_rect(grid: Grid, view: View, cell: tuple[int, int]) -> QRectF:
    """The pixels of the picture that a patch covers."""
    u0, v0, u1, v1 = grid.box(*cell)
    x0, y0 = view.to_picture(u0, v0)
    x1, y1 = view.to_picture(u1, v1)
    return QRectF(x0, y0, x1 - x0, y1 - y0)


def grid_path(grid: Grid, view: View) -> QPainterPath:
    """The lines between the patches."""
    path = QPainterPath()
    left, top = view.to_picture(0.0, 0.0)
    right, bottom = view.to_picture(grid.cols * grid.stride[1], grid.rows * grid.stride[0])
    for row in range(grid.rows + 1):
        y = top + (bottom - top) * row / grid.rows
        path.moveTo(left, y)
        path.lineTo(right, y)
    for col in range(grid.cols + 1):
        x = left + (right - left) * col / grid.cols
        path.moveTo(x, top)
        path.lineTo(x, bottom)
    return path


def segments_path(segments: Iterable[Segment], grid: Grid, view: View) -> QPainterPath:
    """Straight lines between corners of a grid, (row, column, row, column), in pixels of the picture."""
    path = QPainterPath()
    for r0, c0, r1, c1 in segments:
        path.moveTo(*view.to_picture(c0 * grid.stride[1], r0 * grid.stride[0]))
        path.lineTo(*view.to_picture(c1 * grid.stride[1], r1 * grid.stride[0]))
    return path
