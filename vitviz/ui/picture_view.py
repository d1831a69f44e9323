"""A picture that can be zoomed and panned, and that says where the mouse is, in pixels of the original picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QWidget

from vitviz.attention.values import Place

pg.setConfigOptions(imageAxisOrder="row-major", antialias=False)


class PictureView(pg.GraphicsView):
    """Shows uint8 pixels over a rectangle of picture coordinates.

    Wheel zooms, drag pans, double click fits. `hovered(Place)` while the mouse is over the picture, `left()` when it
    leaves, `clicked(Place)` and `right_clicked(Place)` on a click that is no drag, `unclicked()` when the last one was
    the first half of a double click, `range_changed(QRectF)` when the user zooms or pans, `fit_asked()` when the user
    asks for the whole.
    """

    hovered = Signal(object)
    left = Signal()
    clicked = Signal(object)
    unclicked = Signal()
    right_clicked = Signal(object)
    range_changed = Signal(object)
    fit_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, useOpenGL=False)
        self.box = pg.ViewBox(lockAspect=True, invertY=True, enableMenu=False, defaultPadding=0.02)
        self.setCentralItem(self.box)
        self.image = pg.ImageItem()
        self.box.addItem(self.image)
        self._extent = QRectF(0, 0, 1, 1)
        self._pressed: QPointF | None = None
        self._inside = False
        self._placed: tuple[object, ...] = ()
        self._following = False
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        # A graphics scene takes every drag and then drops nothing: the window is to have it.
        self.setAcceptDrops(False)
        self.viewport().setAcceptDrops(False)
        self.box.sigRangeChangedManually.connect(self._moved)
        self.box.sigRangeChanged.connect(self._sample)

    def set_colors(self, background: QColor) -> None:
        """The colour around the picture."""
        self.setBackground(background)

    def set_extent(self, height: float, width: float, margin: float = 0.0, left: float | None = None) -> None:
        """The size of the picture in its own pixels, with room for labels at its left and top; shows all of it."""
        left = margin if left is None else left
        before, self._extent = self._extent, QRectF(-left, -margin, width + left, height + margin)
        if self._extent != before:  # what the user zoomed into stays in sight while its model is altered
            self.fit()

    @property
    def extent(self) -> QRectF:
        """The picture in its own pixels, with the room for labels."""
        return self._extent

    def set_pixels(self, pixels: np.ndarray, box: tuple[float, float, float, float] | None = None, **how: Any) -> None:
        """Draw pixels (H, W[, 3 or 4]) uint8 over `box` = x0, y0, x1, y1, the whole picture where None."""
        x0, y0, x1, y1 = box or (0.0, 0.0, self._extent.right(), self._extent.bottom())
        self.image.setImage(pixels, autoLevels=False, levels=how.pop("levels", None), **how)
        placed = (x0, y0, x1 - x0, y1 - y0, pixels.shape[:2])
        if placed != self._placed:
            # Placing makes the whole scene be laid out again; the same pixels over the same place need none of it.
            self._placed = placed
            self.image.setRect(QRectF(*placed[:4]))
            self._sample()

    def clear(self) -> None:
        """Show nothing."""
        self.image.clear()

    def fit(self) -> None:
        """Show the whole picture."""
        self.box.setRange(self._extent, padding=0.02, disableAutoRange=True)

    def shows_all(self) -> bool:
        """Whether the whole picture is in sight, with whatever room beside it."""
        slack = 0.005 * max(self._extent.width(), self._extent.height())
        return bool(self.box.viewRect().adjusted(-slack, -slack, slack, slack).contains(self._extent))

    def follow(self, rect: QRectF) -> None:
        """Show the same part as another view does."""
        self._following = True
        self.box.setRange(rect, padding=0.0, disableAutoRange=True)
        self._following = False

    def place_at(self, position: QPointF) -> Place | None:
        """The place of the picture under a point of this widget, None beside the picture."""
        point = self.box.mapSceneToView(self.mapToScene(position.toPoint()))
        return Place(point.x(), point.y()) if self._extent.contains(point) else None

    def position_of(self, place: Place) -> QPointF:
        """The point of this widget where a place of the picture is drawn."""
        return QPointF(self.mapFromScene(self.box.mapViewToScene(QPointF(place.x, place.y))))

    def _sample(self, *_: object) -> None:
        """Average the pixels where there are more of them than the screen has, or thin lines would come and go.

        Where there are fewer they stay what they are: squares.
        """
        pixels, drawn = self.image.image, self.image.mapRectToParent(self.image.boundingRect())
        if pixels is None or not drawn.width():
            return
        dense = pixels.shape[1] / drawn.width() * self.box.viewPixelSize()[0] / self.devicePixelRatioF()
        self.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, dense > 1.0)

    def _moved(self, *_: object) -> None:
        if not self._following:
            self.range_changed.emit(self.box.viewRect())

    def mouseMoveEvent(self, ev: QMouseEvent) -> None:
        super().mouseMoveEvent(ev)
        if ev.buttons() == Qt.MouseButton.NoButton:
            self._hover(self.place_at(ev.position()))

    def _hover(self, place: Place | None) -> None:
        if place is not None:
            self._inside = True
            self.hovered.emit(place)
        elif self._inside:
            self._inside = False
            self.left.emit()

    def mousePressEvent(self, ev: QMouseEvent) -> None:
        super().mousePressEvent(ev)
        clicks = (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton)
        self._pressed = ev.position() if ev.button() in clicks else None

    def mouseReleaseEvent(self, ev: QMouseEvent) -> None:
        super().mouseReleaseEvent(ev)
        if self._pressed is not None and (ev.position() - self._pressed).manhattanLength() < 5:
            place = self.place_at(ev.position())
            if place is not None:
                (self.right_clicked if ev.button() == Qt.MouseButton.RightButton else self.clicked).emit(place)
        self._pressed = None

    def mouseDoubleClickEvent(self, ev: QMouseEvent) -> None:
        if ev.button() == Qt.MouseButton.LeftButton:
            self.unclicked.emit()
        self._pressed = None
        self.fit()
        self.fit_asked.emit()

    def leaveEvent(self, ev: QEvent) -> None:
        super().leaveEvent(ev)
        self._hover(None)

    def keyPressEvent(self, ev: QKeyEvent) -> None:
        # pyqtgraph and the scroll area would take the arrows, which choose layer and head everywhere in the window.
        ev.ignore()
