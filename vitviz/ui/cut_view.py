"""The picture cut into its patches, numbered as in the sequence, with the prefix tokens in front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPixmap, QTransform
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from vitviz.attention.values import Place
from vitviz.render.mosaic import Tiles
from vitviz.render.sequence import token_name
from vitviz.ui.marks import frame_item, set_frame
from vitviz.ui.picture_view import PictureView

_SMALLEST = 22.0  # screen pixels of a patch that can hold its number
Token = tuple[int, int] | int  # a patch (row, column), or the index of a prefix token


class CutView(PictureView):
    """Patches pulled apart, below a row of squares that stand for the prefix tokens."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("The picture as a sequence of tokens")
        self.tiles: Tiles | None = None
        self.prefix: tuple[str, ...] = ()
        self._edge = frame_item(self.box, (0, 0, 0), 4.0)
        self._frame = frame_item(self.box, (255, 80, 60), 2.0)
        self._numbers = _Numbers(self)
        self.box.addItem(self._numbers, ignoreBounds=True)

    def show_patches(self, pixels: np.ndarray, tiles: Tiles, prefix: Sequence[str]) -> None:
        """Show (H, W, 3) pixels that were cut as `tiles` say, and these prefix tokens in front."""
        self.tiles, self.prefix = tiles, tuple(prefix)
        height, width = tiles.size
        above = 1.4 * self._side if prefix else 0.0
        self.set_extent(height, width, margin=above, left=0.0)
        self.fit()
        self.set_pixels(pixels, (0.0, 0.0, width, height))
        self._numbers.prepareGeometryChange()
        self._numbers.update()

    @property
    def _side(self) -> float:
        """The side of the square of a prefix token."""
        assert self.tiles is not None
        height, width = self.tiles.size
        return max(max(self.tiles.tile), 0.11 * min(height, width))

    def prefix_box(self, index: int) -> QRectF:
        """The square of a prefix token."""
        side = self._side
        return QRectF(index * 1.15 * side, -1.25 * side, side, side)

    def token_at(self, place: Place) -> Token | None:
        """The token under a place of the view."""
        if self.tiles is None:
            return None
        if place.y < 0:
            at = QPointF(place.x, place.y)
            return next((i for i in range(len(self.prefix)) if self.prefix_box(i).contains(at)), None)
        found = self.tiles.at(place.x, place.y)
        return (found[0], found[1]) if found is not None else None

    def box_of(self, token: Token) -> QRectF:
        """Where a token is drawn."""
        assert self.tiles is not None
        return self.prefix_box(token) if isinstance(token, int) else QRectF(*self.tiles.box(*token))

    def mark(self, token: Token | None) -> None:
        """Frame a token."""
        rect = None if token is None or self.tiles is None else self.box_of(token)
        set_frame(self._edge, rect)
        set_frame(self._frame, rect)

    def set_ink(self, color: QColor) -> None:
        """The colour of the prefix tokens' squares and names."""
        self._numbers.ink = color
        self._numbers.update()


class _Numbers(pg.GraphicsObject):
    """Paints squares and numbers in screen pixels; of many patches those in sight, none where they are too small."""

    def __init__(self, view: CutView) -> None:
        super().__init__()
        self._view = view
        self.ink = QColor("#e4e4e4")
        self._key: tuple[object, ...] = ()
        self._picture = QPixmap()
        self.setZValue(5)

    def boundingRect(self) -> QRectF:
        return self._view.extent

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        tiles = self._view.tiles
        if tiles is None:
            return
        transform, view = painter.worldTransform(), self._view
        # The frame moves with the mouse and has all be painted again; letters cost more than a picture of them.
        where = (transform.m11(), transform.m22(), transform.dx(), transform.dy(), view.width(), view.height())
        key = (where, tiles, view.prefix, self.ink.name(), view.devicePixelRatioF())
        if key != self._key:
            self._key = key
            self._picture = QPixmap(view.size() * view.devicePixelRatioF())
            self._picture.setDevicePixelRatio(view.devicePixelRatioF())
            self._picture.fill(Qt.GlobalColor.transparent)
            letters = QPainter(self._picture)
            self._paint(letters, transform, tiles)
            letters.end()
        painter.save()
        painter.resetTransform()
        painter.drawPixmap(0, 0, self._picture)
        painter.restore()

    def _paint(self, painter: QPainter, transform: QTransform, tiles: Tiles) -> None:
        font = QFont(painter.font())
        for i, name in enumerate(self._view.prefix):
            rect = transform.mapRect(self._view.prefix_box(i))
            self._square(painter, rect, font, token_name(name), str(i))
        side = min(transform.m11() * tiles.tile[1], abs(transform.m22()) * tiles.tile[0])
        if side >= _SMALLEST:
            font.setPixelSize(int(min(max(side * 0.3, 9), 16)))
            painter.setFont(font)
            self._patches(painter, transform, QFontMetricsF(font))

    def _square(self, painter: QPainter, rect: QRectF, font: QFont, name: str, number: str) -> None:
        painter.setPen(QPen(self.ink, 1))
        painter.drawRect(rect)
        font.setPixelSize(int(min(max(rect.height() * 0.3, 8), 14)))
        while font.pixelSize() > 6 and QFontMetricsF(font).horizontalAdvance(name) > rect.width() - 2:
            font.setPixelSize(font.pixelSize() - 1)
        painter.setFont(font)
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, f"{name}\n{number}")

    def _patches(self, painter: QPainter, transform: QTransform, metrics: QFontMetricsF) -> None:
        view, tiles = self._view, self._view.tiles
        assert tiles is not None
        seen = view.box.viewRect()
        step = tiles.tile[0] + tiles.gap, tiles.tile[1] + tiles.gap
        rows = range(max(0, int(seen.top() // step[0])), min(len(tiles.heads), int(seen.bottom() // step[0]) + 1))
        cols = range(max(0, int(seen.left() // step[1])), min(max(tiles.heads), int(seen.right() // step[1]) + 1))
        for row in rows:
            for col in cols:
                rect = transform.mapRect(QRectF(*tiles.box(row, col)))
                text = str(len(view.prefix) + row * max(tiles.heads) + col)
                plate = QRectF(rect.left(), rect.top(), metrics.horizontalAdvance(text) + 4, metrics.height())
                # A plate behind it, so that a number is legible on any pixels.
                painter.fillRect(plate, QColor(0, 0, 0, 120))
                painter.setPen(QColor(255, 255, 255))
                painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)
