"""The scatter of the ViT paper: a dot for every head, the layer below, a number of the head beside."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFontMetricsF
from PySide6.QtWidgets import QWidget

from vitviz.render.scale import signed

_DOT = (47, 111, 181, 190)
_CHOSEN = (255, 80, 60)
_POINTED = (255, 200, 60)
_LOWEST = 130  # pixels in which ticks can be told apart


class _Axis(pg.AxisItem):
    """An axis whose numbers have a minus, as those of colour bars."""

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return [signed(text) for text in super().tickStrings(values, scale, spacing)]


class _Upright(_Axis):
    """An axis at the left whose title ends in an ellipsis where the plot is too low for all of it."""

    def __init__(self) -> None:
        self._title = ""
        super().__init__("left")

    def entitle(self, text: str) -> None:
        """Name what is drawn, with its unit."""
        self._title = text
        self._fit()

    def resizeEvent(self, event: Any = None) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        shown = QFontMetricsF(self.font()).elidedText(self._title, Qt.TextElideMode.ElideRight, self.height())
        if shown != self.labelText:
            self.setLabel(shown)


class Plot(pg.GraphicsView):
    """A view box with an axis below and one beside. pyqtgraph's own plot makes menus that outlive the window."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, useOpenGL=False)
        self.box = pg.ViewBox(enableMenu=False, enableMouse=False)
        self.bottom, self.left = _Axis("bottom"), _Upright()
        layout = pg.GraphicsLayout()
        layout.setContentsMargins(4, 8, 8, 4)
        layout.setSpacing(0)
        layout.addItem(self.left, 0, 0)
        layout.addItem(self.box, 0, 1)
        layout.addItem(self.bottom, 1, 1)
        self.setCentralItem(layout)
        for axis in (self.bottom, self.left):
            axis.linkToView(self.box)
            axis.enableAutoSIPrefix(False)
        self.setMinimumHeight(_LOWEST)
        # Arrows choose layer and head everywhere in the window.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """Canvas and axes."""
        self.setBackground(background)
        for axis in (self.bottom, self.left):
            axis.setPen(foreground)
            axis.setTextPen(foreground)

    def show_layers(self, count: int) -> None:
        """Let x be the layers."""
        step = max(1, -(-count // 14))
        self.bottom.setLabel("layer")
        self.bottom.setTicks([[(i, str(i)) for i in range(0, count, step)]])
        self.box.setXRange(-0.5, count - 0.5, padding=0.02)

    def point_of(self, x: float, y: float) -> QPoint:
        """The point of this widget where a value is drawn."""
        return self.mapFromScene(self.box.mapViewToScene(QPointF(x, y)))


class HeadPlot(Plot):
    """Layer on x, a number on y. `chosen(layer, head)` on a click at a dot, `pointed(layer, head)` under the mouse,
    (-1, -1) where there is none."""

    chosen = Signal(int, int)
    pointed = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._where: list[tuple[int, int]] = []
        self._values = np.empty((0, 0), dtype=np.float32)
        self.setAccessibleName("A dot for every head: layer against the chosen number")
        self.dots = pg.ScatterPlotItem(
            size=8, pen=None, brush=pg.mkBrush(*_DOT), hoverable=True, hoverSize=13, tip=None
        )
        self.ring = pg.ScatterPlotItem(size=13, pen=pg.mkPen(*_CHOSEN, width=2), brush=None)
        self.hint = pg.ScatterPlotItem(size=15, pen=pg.mkPen(*_POINTED, width=2), brush=None)
        # Under the dots, or they would take their clicks.
        for item in (self.hint, self.ring, self.dots):
            self.box.addItem(item)
        self.dots.sigClicked.connect(self._clicked)
        self.dots.sigHovered.connect(self._hovered)

    def show_values(self, values: np.ndarray, title: str, off: Collection[tuple[int, int]] = ()) -> None:
        """Show (L, H_max), NaN where there is no head; `title` names the y axis with its unit. The heads (layer, head)
        that are `off` are hollow."""
        layers, heads = np.nonzero(np.isfinite(values))
        self._where = [(int(a), int(b)) for a, b in zip(layers, heads, strict=True)]
        self._values = values
        hollow, full = (pg.mkPen(*_DOT, width=1.5), pg.mkBrush(None)), (pg.mkPen(None), pg.mkBrush(*_DOT))
        looks = [hollow if at in off else full for at in self._where]
        self.dots.setData(
            x=layers, y=values[layers, heads], data=np.arange(len(layers)),
            pen=[pen for pen, _ in looks], brush=[brush for _, brush in looks],
        )  # fmt: skip
        self.left.entitle(title)
        self.show_layers(len(values))
        top = float(np.nanmax(values)) if len(layers) else 1.0
        self.box.setYRange(0.0, top if top > 0 else 1.0, padding=0.06)

    def clear_values(self) -> None:
        """Show no dots."""
        self._where, self._values = [], np.empty((0, 0), dtype=np.float32)
        self.dots.clear()
        self.ring.clear()
        self.hint.clear()

    @Slot(int, int)
    def point_at(self, layer: int, head: int) -> None:
        """Ring the dot of a head that another panel points at, or none with -1."""
        if (layer, head) in self._where:
            self.hint.setData(x=[layer], y=[self._values[layer, head]])
        else:
            self.hint.clear()

    def mark(self, layer: int, head: int | None) -> None:
        """Ring the chosen head; all of its layer where several are fused."""
        if not 0 <= layer < len(self._values):
            self.ring.clear()
            return
        row = self._values[layer]
        heads = [h for h in (range(len(row)) if head is None else [head]) if h < len(row) and np.isfinite(row[h])]
        self.ring.setData(x=[layer] * len(heads), y=row[heads])

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.pointed.emit(-1, -1)

    def _clicked(self, item: Any, points: Any, event: Any = None) -> None:
        if len(points):
            self.chosen.emit(*self._where[int(points[0].data())])

    def _hovered(self, item: Any, points: Any, event: Any = None) -> None:
        if len(points):
            self.pointed.emit(*self._where[int(points[0].data())])
        else:
            self.pointed.emit(-1, -1)
