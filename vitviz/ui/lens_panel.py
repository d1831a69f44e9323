"""The logit lens: the class that every patch is read as after a layer, and how the answer grows over the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from vitviz.attention.values import Place
from vitviz.render.classes import draw_classes
from vitviz.render.overlay import Canvas
from vitviz.render.titles import layer_text
from vitviz.ui.head_plot import Plot
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.labels import plain_label
from vitviz.ui.lazy import LazyPanel
from vitviz.ui.legend import Legend
from vitviz.ui.newest import Newest
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.picture_view import PictureView
from vitviz.ui.steady_label import SteadyLabel

if TYPE_CHECKING:
    from vitviz.attention.lens import LayerLens, LogitLens

KIND = "logit lens"
_LARGEST = 600
_TOP = 5
# Okabe and Ito's colours, told apart by colour-blind people too; grey is for all other classes.
_COLORS = ("#e69f00", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#f0e442", "#0072b2", "#999999")
_OTHER = len(_COLORS) - 1
_READING = "Reading the tokens of every layer…"
_NAMES = {"faithfulness": "“Is it true?”", "head ablation": "“Ablation”", "head statistics": "“Statistics”"}


class LensPanel(LazyPanel):
    """Read once for a trace, when it is seen; then follows the layer. `view` takes part in hovering and zooming."""

    def __init__(self, pane: Pane, worker: Worker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane, self._worker = pane, worker
        self._job = Newest(worker, KIND, self)
        self._canvas: Canvas | None = None
        self._asked = False
        self.found: LogitLens | None = None
        self.classes: list[int] = []  # those with a colour of their own, in its order
        self.title, self.note, self.reading = plain_label(wrap=True), plain_label(wrap=True), SteadyLabel()
        self.view = PictureView(self)
        self.view.setAccessibleName("The class that every patch is read as")
        self.legend = Legend(self)
        self.plot = Plot(self)
        self.plot.setAccessibleName("Probability of the final top classes, layer by layer")
        self.plot.left.entitle("probability")
        self._marker = pg.InfiniteLine(angle=90, pen=pg.mkPen(255, 80, 60, width=1.5))
        self.plot.box.addItem(self._marker, ignoreBounds=True)
        self.curves: list[Any] = []
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.view)
        split.addWidget(self.plot)
        split.setSizes([400, 200])
        split.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.title)
        layout.addWidget(split, 1)
        layout.addWidget(self.legend)
        layout.addWidget(self.reading)
        layout.addWidget(self.note)
        self.view.hovered.connect(self._read)
        self.view.left.connect(lambda: self._read(None))
        self._job.started.connect(lambda: self.title.setText(_READING))
        self._job.finished.connect(self._finished)
        self._job.failed.connect(self._failed)
        self._job.cancelled.connect(self._cancelled)
        self.plot.hide()
        pane.traced.connect(self._traced)
        self.watch(pane, "layer", "style")

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """Around the picture, and of the plot."""
        self.view.set_colors(background)
        self.plot.set_colors(background, foreground)

    @Slot()
    def cancel(self) -> None:
        """Give up reading."""
        self._job.cancel()

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        self._job.drop()
        self._asked, self.found, self._canvas, self.classes = False, None, None, []
        self._clear("")
        self.touch()

    def refresh(self) -> None:
        """Read what is not read yet, else draw the chosen layer."""
        opened = self._pane.opened
        if opened is None:
            return
        if self.found is not None:
            self._draw()
        elif not self._asked:
            model, trace = opened.model, opened.trace

            def work(progress: Progress) -> LogitLens:
                from vitviz.attention.lens import logit_lens

                return logit_lens(model, trace, progress=progress, cancel=progress.cancelled)

            before = self._worker.running
            self._job.submit(work)
            self._asked = True
            self.title.setText(f"Waiting for {_NAMES.get(before, 'what runs')} to end…" if before else _READING)

    @Slot(object)
    def _finished(self, result: LogitLens) -> None:
        self.found = result
        self.classes = classes_of(result)
        names = [result.label(index) for index in self.classes]
        self.legend.show_names([*zip(_COLORS, names, strict=False), (_COLORS[_OTHER], "other classes")])
        self._plot()
        self.touch()

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        self._clear(str(error) or type(error).__name__)

    @Slot()
    def _cancelled(self) -> None:
        self._asked = False
        self._clear("Cancelled; it is read when the layer is changed.")

    def _clear(self, reason: str) -> None:
        self.title.setText("Nothing to show" if reason else " ")
        self.note.setText(reason or " ")
        self.view.clear()
        self.legend.show_names([])
        self.plot.hide()  # its axes would be of nothing
        self._remove_curves()

    def _layer(self) -> LayerLens | None:
        return self.found.layers[self._pane.store.state.layer] if self.found is not None else None

    def _draw(self) -> None:
        opened, found = self._pane.opened, self.found
        assert opened is not None and found is not None
        index = self._pane.store.state.layer
        self._marker.setPos(index)
        lens = found.layers[index]
        title = layer_text(index, opened.trace.layers[index].title)
        self.reading.setText(" ")
        if lens is None:
            self.title.setText(f"{title} can't be read")
            self.note.setText(found.reasons[index])
            self.view.clear()
            return
        if self._canvas is None:
            height, width = opened.image.size
            self._canvas = Canvas.for_screen(opened.image, opened.trace.view, _LARGEST)
            self.view.set_extent(height, width)
        first = lens.classes[..., 0]
        colors = np.tile(_rgb(_COLORS[_OTHER]), (*first.shape, 1))
        for color, one in zip(_COLORS[:_OTHER], self.classes, strict=False):
            colors[first == one] = _rgb(color)
        self.view.set_pixels(draw_classes(self._canvas, lens.grid, colors, self._pane.store.state.style))
        self.title.setText(f"{title}: the class that every patch is read as")
        whole = found.probabilities[index]
        best = np.argsort(-whole)[:3]
        token = "class token" if opened.trace.default_query == "cls" else "whole sequence"
        self.note.setText(f"The {token}: " + ", ".join(f"{found.label(int(i))} {whole[i]:.1%}" for i in best))

    def _plot(self) -> None:
        assert self.found is not None
        self._remove_curves()
        shares = self.found.probabilities
        self.plot.show()
        self.plot.show_layers(len(shares))
        for color, index in list(zip(_COLORS, self.classes, strict=False))[:_TOP]:
            curve = pg.PlotDataItem(
                np.arange(len(shares)), shares[:, index], pen=pg.mkPen(color, width=2), symbol="o", symbolSize=5,
                symbolBrush=color, symbolPen=None, connect="finite",
            )  # fmt: skip
            self.plot.box.addItem(curve)
            self.curves.append(curve)
        # A thousand classes and random weights leave a share of a few thousandths to each.
        top = float(np.nanmax(shares[:, self.classes[:_TOP]]))
        self.plot.box.setYRange(0.0, min(1.0, 1.1 * top), padding=0.02)

    def _remove_curves(self) -> None:
        for curve in self.curves:
            self.plot.box.removeItem(curve)
        self.curves.clear()

    @Slot(object)
    def _read(self, place: Place | None) -> None:
        lens, opened = self._layer(), self._pane.opened
        if place is None or lens is None or opened is None or not opened.trace.view.contains(place.x, place.y):
            self.reading.setText(" ")
            return
        assert self.found is not None
        cell = lens.grid.cell_at(*opened.trace.view.to_view(place.x, place.y))
        pairs = zip(lens.classes[cell][:3], lens.probabilities[cell][:3], strict=True)
        words = ", ".join(f"{self.found.label(int(i))} {share:.1%}" for i, share in pairs)
        self.reading.setText(f"patch ({cell[0]}, {cell[1]}): {words}")


def _rgb(name: str) -> np.ndarray:
    color = QColor(name)
    return np.array([color.red(), color.green(), color.blue()], dtype=np.uint8)


def classes_of(found: LogitLens) -> list[int]:
    """The classes that get a colour: the most probable at the last readable layer, then those of most patches."""
    readable = [each for each in found.layers if each is not None]
    chosen = [int(i) for i in np.argsort(-readable[-1].logits)[:_TOP]]
    seen, counts = np.unique(np.concatenate([each.classes[..., 0].ravel() for each in readable]), return_counts=True)
    for index in seen[np.argsort(-counts, kind="stable")]:
        if len(chosen) == _OTHER:
            break
        if int(index) not in chosen:
            chosen.append(int(index))
    return chosen
