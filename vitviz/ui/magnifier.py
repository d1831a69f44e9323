"""One head of the atlas enlarged over the picture, beside the atlas."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from vitviz.attention.values import HeadMaps
from vitviz.render.overlay import Canvas
from vitviz.render.style import limits_of
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane

_SIDE = 200  # pixels along the longer side of the enlarged head
_GAP = 8  # pixels between it and the panel


class Magnifier(QFrame):
    """Lies beside the panel at the height of the mouse, over what is next to it in the window: no tile is covered.

    Where there is nothing beside the panel, as in a floating dock, it lies in the corner farthest from the mouse.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._panel = parent
        self._canvas: Canvas | None = None
        self._shown: tuple[Pane, int, int] | None = None
        self.setFrameShape(QFrame.Shape.Box)
        self.setAutoFillBackground(True)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._picture = QLabel(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addWidget(self._picture)
        self.hide()

    def look_at(self, opened: Opened) -> None:
        """Draw over the picture of what was opened."""
        self._canvas = Canvas.for_screen(opened.image, opened.trace.view, _SIDE)

    def show_head(self, pane: Pane, layer: int, head: int, at: QPoint) -> None:
        """Show the map of a head that lies at a point of the panel."""
        self._shown = pane, layer, head
        self.refresh()
        self.adjustSize()
        host = self._panel.window()
        if self.parentWidget() is not host:
            self.setParent(host)
        panel = QRect(self._panel.mapTo(host, QPoint(0, 0)), self._panel.size())
        self.move(placed(self.size(), panel, host.size(), panel.topLeft() + at))
        self.show()
        self.raise_()

    def refresh(self) -> None:
        """Draw the head again, after the maps or the style changed."""
        if self._shown is None or self._canvas is None:
            return
        pane, layer, head = self._shown
        pixels = _drawn(pane, pane.maps, layer, head, self._canvas)
        if pixels is not None:
            height, width = pixels.shape[:2]
            image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBX8888)
            self._picture.setPixmap(QPixmap.fromImage(image))


def placed(lens: QSize, panel: QRect, host: QSize, mouse: QPoint) -> QPoint:
    """Where the lens goes in a window of size `host`: left or right of the panel, else into its farthest corner."""
    y = min(max(0, mouse.y() - lens.height() // 2), max(0, host.height() - lens.height()))
    if panel.left() - _GAP >= lens.width():
        return QPoint(panel.left() - _GAP - lens.width(), y)
    right = panel.left() + panel.width() + _GAP
    if host.width() - right >= lens.width():
        return QPoint(right, y)
    middle = panel.center()
    x = panel.left() if mouse.x() > middle.x() else panel.left() + panel.width() - lens.width()
    y = panel.top() if mouse.y() > middle.y() else panel.top() + panel.height() - lens.height()
    return QPoint(max(0, x), max(0, y))


def _drawn(pane: Pane, maps: HeadMaps | None, layer: int, head: int, canvas: Canvas) -> np.ndarray | None:
    from vitviz.attention.maps import map_of
    from vitviz.attention.values import Selection

    if maps is None or pane.opened is None or layer >= len(maps.values):
        return None
    query = maps.query
    prefix = pane.opened.trace.layers[layer].prefix_tokens
    if isinstance(query, str) and query not in (*prefix, "mean"):
        return None
    one = map_of(pane.opened.trace, Selection(layer, head, query, maps.direction), maps)
    style = pane.store.state.style
    return canvas.draw(one, style, limits_of(one.values, style.limits, maps.values[layer], maps.values))
