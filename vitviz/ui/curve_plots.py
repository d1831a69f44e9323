"""The two plots of faithfulness: deletion above, insertion below, one line for each order of the patches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vitviz.attention.curves import RANDOM

if TYPE_CHECKING:
    from vitviz.attention.curves import Faithfulness

# Okabe and Ito 2008: told apart with any colour vision, on light and dark alike.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7570b3")
GREY = "#8a8a8a"
# Random orders are as many as there are grids.
DASHES = (Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine, Qt.PenStyle.DashDotDotLine)
_TITLES = (
    ("deletion", "Deletion (low is true)", "share of patches gone"),
    ("insertion", "Insertion (high is true)", "share of patches shown"),
)


def pens_of(names: Iterable[str]) -> dict[str, QPen]:
    """The line of every order of patches: a colour each; grey for random orders, a dash for each grid of theirs."""
    pens: dict[str, QPen] = {}
    randoms = 0
    for index, name in enumerate(names):
        random = name.startswith(RANDOM)
        style = DASHES[randoms % len(DASHES)] if random else Qt.PenStyle.SolidLine
        pens[name] = pg.mkPen(GREY if random else COLORS[index % len(COLORS)], width=1.75, style=style)
        randoms += random
    return pens


class CurvePlots(QWidget):
    """Curves over shares of patches; random orders grey and dashed, with a band of one standard deviation."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._foreground = QColor("#202020")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.plots: dict[str, pg.PlotWidget] = {}
        self._found: Faithfulness | None = None
        self._strong: str | None = None
        for kind, _, _ in _TITLES:
            plot = pg.PlotWidget(self)
            item = plot.getPlotItem()
            item.setMenuEnabled(False)
            # pyqtgraph makes the menu all the same, of nobody's: it and its state are to go with the plot.
            item.ctrlMenu.setParent(plot, item.ctrlMenu.windowFlags())
            item.stateGroup.setParent(plot)
            item.hideButtons()
            # Room for half of the last number of the axis.
            item.layout.setContentsMargins(2, 2, 14, 2)
            item.setMouseEnabled(False, False)
            item.showGrid(x=True, y=True, alpha=0.15)
            plot.setAccessibleName(f"{kind.capitalize()} curves")
            plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            plot.setMinimumHeight(110)
            self.plots[kind] = plot
            layout.addWidget(plot, 1)

    def sizeHint(self) -> QSize:
        return QSize(380, 420)

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours of the theme."""
        self._foreground = foreground
        for plot in self.plots.values():
            plot.setBackground(background)
        self._draw()

    def show_curves(self, found: Faithfulness | None) -> None:
        """Draw the curves, or empty plots."""
        self._found, self._strong = found, None
        self._draw()

    def emphasise(self, name: str | None) -> None:
        """Draw one order stronger than the others."""
        if name != self._strong:
            self._strong = name
            self._draw()

    def _draw(self) -> None:
        found = self._found
        for kind, title, below in _TITLES:
            item = self.plots[kind].getPlotItem()
            item.clear()
            item.setTitle(title, color=self._foreground, size="9pt")
            for axis in ("left", "bottom"):
                item.getAxis(axis).enableAutoSIPrefix(False)
                item.getAxis(axis).setPen(self._foreground)
                item.getAxis(axis).setTextPen(self._foreground)
            item.getAxis("bottom").setTicks([[(share, f"{share:g}") for share in (0, 0.2, 0.4, 0.6, 0.8, 1)]])
            item.setLabel("bottom", below)
            item.setLabel("left", "probability" if found is None else f"{found.score} of {_plain(found.label)}")
            item.setXRange(0, 1, padding=0.05)
            if found is None:
                item.setYRange(0, 1, padding=0.02)
                continue
            curves = {name: getattr(both, kind) for name, both in found.curves.items()}
            for name, pen in pens_of(curves).items():
                self._line(item, curves[name], pen, name)
            values = np.concatenate([curve.scores for curve in curves.values()])
            low = min(0.0, float(values.min())) if found.score == "probability" else float(values.min())
            item.setYRange(low, float(values.max()), padding=0.05)

    def _line(self, item: pg.PlotItem, curve: object, pen: QPen, name: str) -> None:
        shares, scores, spread = (getattr(curve, part) for part in ("shares", "scores", "spread"))
        if spread is not None:
            edges = [pg.PlotCurveItem(shares, scores + sign * spread) for sign in (-1, 1)]
            pale = pen.color()
            pale.setAlpha(45)
            item.addItem(pg.FillBetweenItem(*edges, brush=pale))
        if name == self._strong:
            pen.setWidthF(3.5)
        item.plot(shares, scores, pen=pen, antialias=True, name=name)


def _plain(text: str) -> str:
    # Labels of axes are HTML.
    return text.replace("&", "&amp;").replace("<", "&lt;")
