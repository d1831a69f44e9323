"""The curve of operations over patch size or resolution, with the points where the models of the panes stand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from vitviz.models.units import flops_text

if TYPE_CHECKING:
    from vitviz.attention.costs import Cost

COLORS = ("#3b78c3", "#d9822b", "#3a9c5f", "#b0479a")
_PATCHES = (4.0, 8.0, 14.0, 16.0, 32.0, 64.0)
_SIDES = (112.0, 224.0, 384.0, 512.0, 1024.0)


class CostCurve(QWidget):
    """Operations over "patch size", or over "resolution": a curve and a point a pane.

    Both axes are logarithmic: N^2 and N M^2, of N patches and windows of M x M, are nearly straight there, of different
    slope.
    """

    def __init__(self, over: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.over = over
        self.names: list[str] = []
        self.colors: list[QColor] = []
        self.curves: list[tuple[np.ndarray, np.ndarray]] = []
        self.points: list[tuple[float, float]] = []
        self._background = QColor("#ffffff")
        self._foreground = QColor("#202020")
        self.setAccessibleName(f"Operations over {over}")
        self.setToolTip("N: patches; M x M: patches of a window, within which a Swin's attention stays")

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours of the theme."""
        self._background, self._foreground = background, foreground
        self.update()

    def show_costs(self, names: Sequence[str], costs: Sequence[Cost | None]) -> None:
        """Draw what is known."""
        self.names, self.colors, self.curves, self.points = [], [], [], []
        for name, cost, color in zip(names, costs, COLORS, strict=False):
            if cost is None or cost.flops is None or (curve := curve_of(cost, self.over)) is None:
                continue
            xs, ys, at = curve
            grows = "N²" if cost.scaling is not None and cost.scaling.quadratic else "N·M²"
            self.names.append(f"{name}: {flops_text(cost.flops)}, attention ~ {grows}")
            self.colors.append(QColor(color))
            self.curves.append((xs, ys))
            self.points.append((at, cost.flops))
        self.setAccessibleDescription("; ".join(self.names))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), self._background)
        painter.setPen(self._foreground)
        if not self.curves:
            painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter, self._nothing())
            return
        line = QFontMetricsF(self.font()).height()
        box = QRectF(self.rect()).adjusted(7.4 * line, line, -2.2 * line, -2.8 * line)
        xs, ys = (np.concatenate([curve[i] for curve in self.curves]) for i in (0, 1))
        self._axes(painter, box, xs, ys)
        place = _scaled(box, xs, ys)
        for i, (x, y) in enumerate(self.curves):
            painter.setPen(self._pen(i))
            painter.drawPolyline(QPolygonF([place(a, b) for a, b in zip(x, y, strict=True)]))
        for point, color in zip(self.points, self.colors, strict=True):  # over all lines, whose colours may be others
            painter.setPen(QPen(self._background, 1.5))
            painter.setBrush(color)
            painter.drawEllipse(place(*point), 5, 5)
            painter.setBrush(Qt.BrushStyle.NoBrush)
        self._legend(painter, box, line)

    def _pen(self, i: int) -> QPen:
        """The line of a curve; curves that coincide take turns in dashes, so that every colour is seen."""
        pen, (xs, ys) = QPen(self.colors[i], 2), self.curves[i]
        same = [j for j, (x, y) in enumerate(self.curves) if _is_same(xs, ys, x, y)]
        if len(same) > 1:
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            pen.setDashPattern([5.0, 5.0 * (len(same) - 1)])
            pen.setDashOffset(-5.0 * same.index(i))
        return pen

    def _axes(self, painter: QPainter, box: QRectF, xs: np.ndarray, ys: np.ndarray) -> None:
        """Lines and numbers, each number where there is room beside the last."""
        place, metrics = _scaled(box, xs, ys), QFontMetricsF(self.font())
        line = metrics.height()
        faint = QColor(self._foreground)
        faint.setAlpha(40)
        last = -math.inf
        usual = _PATCHES if self.over == "patch size" else _SIDES
        for x in sorted({*(x for x in usual if xs.min() <= x <= xs.max()), *(x for x, _ in self.points)}):
            at, text = place(x, ys[0]).x(), f"{x:g}"
            painter.setPen(faint)
            painter.drawLine(QPointF(at, box.top()), QPointF(at, box.bottom()))
            if at - last < metrics.horizontalAdvance(text) + 8:
                continue
            last = at
            painter.setPen(self._foreground)
            painter.drawText(QRectF(at - 40, box.bottom() + 2, 80, line), Qt.AlignmentFlag.AlignHCenter, text)
        for power in range(math.floor(math.log10(ys.min())), math.ceil(math.log10(ys.max())) + 1):
            at = place(xs[0], 10.0**power).y()
            if not box.top() - 1 <= at <= box.bottom() + 1:
                continue
            painter.setPen(faint)
            painter.drawLine(QPointF(box.left(), at), QPointF(box.right(), at))
            painter.setPen(self._foreground)
            where = QRectF(0, at - line / 2, box.left() - 6, line)
            painter.drawText(
                where,
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                flops_text(10.0**power).replace(".00", "").replace("10.0", "10"),
            )
        words = "patch size, px" if self.over == "patch size" else "height of the view, px (same proportions)"
        below = QRectF(box.left(), box.bottom() + line + 4, box.width(), line)
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, words)
        painter.save()
        painter.translate(line / 4, box.center().y())
        painter.rotate(-90)
        painter.drawText(QRectF(-box.height() / 2, 0, box.height(), line), Qt.AlignmentFlag.AlignCenter, "operations")
        painter.restore()

    def _legend(self, painter: QPainter, box: QRectF, line: float) -> None:
        """In the corner that the curves leave free: they fall with the patch size and rise with the resolution."""
        metrics = QFontMetricsF(self.font())
        widest = max(metrics.horizontalAdvance(name) for name in self.names) + 26
        left = box.right() - widest - 6 if self.over == "patch size" else box.left() + 8
        for i, (name, color) in enumerate(zip(self.names, self.colors, strict=True)):
            top = box.top() + 4 + i * line
            painter.setPen(QPen(color, 2))
            painter.drawLine(QPointF(left, top + line / 2), QPointF(left + 18, top + line / 2))
            painter.setPen(self._foreground)
            painter.drawText(QRectF(left + 24, top, widest, line), Qt.AlignmentFlag.AlignVCenter, name)

    def _nothing(self) -> str:
        if self.over == "patch size":
            return "No model here has a patch size that could be another: windows are tied to their grid."
        return "The operations of these models can't be counted, or are not counted yet."


def _is_same(xs: np.ndarray, ys: np.ndarray, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether two curves can't be told apart where both are drawn."""
    low, high = max(xs[0], x[0]), min(xs[-1], x[-1])
    if low > high:
        return False
    at = np.linspace(np.log(low), np.log(high), 9)
    first, second = (np.interp(at, np.log(a), np.log(b)) for a, b in ((xs, ys), (x, y)))
    return bool(np.allclose(first, second, atol=0.01))


def _scaled(box: QRectF, xs: np.ndarray, ys: np.ndarray) -> Callable[[float, float], QPointF]:
    """From values to points of the box, logarithmic both ways."""
    (x0, x1), (y0, y1) = ((math.log(v.min()), math.log(v.max())) for v in (xs, ys))
    y0, y1 = y0 - 0.08 * (y1 - y0), y1 + 0.08 * (y1 - y0)

    def place(x: float, y: float) -> QPointF:
        across = (math.log(x) - x0) / ((x1 - x0) or 1.0)
        up = (math.log(y) - y0) / ((y1 - y0) or 1.0)
        return QPointF(box.left() + across * box.width(), box.bottom() - up * box.height())

    return place


def curve_of(cost: Cost, over: str) -> tuple[np.ndarray, np.ndarray, float] | None:
    """The curve of a model: where, how many operations, and where the model itself stands; None where it has none.

    Over patch size the view stays; windowed models have no such curve, their windows are tied to the grid.
    """
    scaling = cost.scaling
    if scaling is None:
        return None
    height = float(cost.view[0])
    if over == "patch size":
        own = float(cost.patch[0])
        if not scaling.quadratic or cost.patch[0] != cost.patch[1]:
            return None
        xs = _between([own, *(p for p in _PATCHES if p <= min(cost.view) / 2)], own)
        counts = scaling.patches * (own / xs) ** 2  # as if every size divided the view
        return xs, np.array([scaling.at(count, scaling.pixels) for count in counts]), own
    sides = _between([*_SIDES, height], height)
    times = (sides / height) ** 2
    return sides, np.array([scaling.at(scaling.patches * t, scaling.pixels * t) for t in times]), height


def _between(ends: Sequence[float], own: float) -> np.ndarray:
    """Values from the least to the largest, close enough for a smooth curve, and the model's own."""
    return np.unique([*np.geomspace(min(ends), max(ends), 64), own])
