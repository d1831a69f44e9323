"""What the prediction owes to every head: the change of a class's logit when the head is switched off."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPoint, QRectF, Qt, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from vitviz.attention.values import AblateTo, Place
from vitviz.render.style import color_table
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.marks import frame_item, set_frame
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.picture_view import PictureView
from vitviz.ui.run_button import RunButton
from vitviz.ui.targets import TargetBox

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace

KIND = "head ablation"
COLORMAP = "colorbrewer:RdBu_r"  # as differences everywhere: blue where the class loses, red where it gains
_INSTEAD: tuple[tuple[str, AblateTo], ...] = (("set to zero", "zero"), ("set to its mean", "mean"))


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What came of a run: (L, H_max) changes, of which trace, class and way to switch off."""

    values: np.ndarray = field(repr=False)
    trace: Trace = field(repr=False)
    target: int
    to: AblateTo


class AblationPanel(QWidget):
    """Runs the ablation of every head, and shows it as a map of layers by heads: a click chooses a head."""

    def __init__(self, pane: Pane, worker: Worker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane = pane
        self._foreground = QColor("#e4e4e4")
        self._labels: list[pg.TextItem] = []
        self.changes: Changes | None = None
        self.target = TargetBox("The class whose logit is watched", pane)
        self.instead = QComboBox()
        for title, value in _INSTEAD:
            self.instead.addItem(title, value)
        self.instead.setToolTip("What a head gives instead of its output")
        self.instead.setAccessibleName("What a head gives instead of its output")
        tip = "Switch every head off, one at a time: a pass for each layer, its heads in one batch"
        self.run = RunButton(worker, KIND, tip)
        self.progress = self.run.progress
        self.run.clicked.connect(self.toggle)
        self.view = PictureView(self)
        self.view.setAccessibleName("Change of the logit: rows are layers, columns are heads")
        self._frame = frame_item(self.view.box, (20, 20, 20), 2.5)
        self.bar = ColorBar(self)
        self.caption = QLabel()
        self.caption.setTextFormat(Qt.TextFormat.PlainText)
        self.caption.setWordWrap(True)
        top, middle = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.target, 1)
        top.addWidget(self.instead)
        top.addWidget(self.run)
        middle.addWidget(self.view, 1)
        middle.addWidget(self.bar)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addWidget(self.progress)
        layout.addLayout(middle, 1)
        layout.addWidget(self.caption)
        self.setMinimumWidth(260)
        self.bar.hide()
        self.view.hovered.connect(self._hovered)
        self.view.left.connect(self._say)
        self.view.clicked.connect(self._clicked)
        pane.traced.connect(self._traced)
        pane.store.changed.connect(self._mark)
        self.run.ended.connect(self._say)
        self.run.done.connect(self._done)
        self.run.failed.connect(self.caption.setText)
        self._say()

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self.run.running

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours of the panel."""
        self._foreground = foreground
        self.view.set_colors(background)
        for label in self._labels:
            label.setColor(foreground)

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        self.cancel()
        self.changes = None
        self.target.offer(opened.trace)
        self.run.setEnabled(self.target.count() > 0)
        self._draw()

    @Slot()
    def toggle(self) -> None:
        """Run, or cancel what runs."""
        opened = self._pane.opened
        if self.running:
            self.cancel()
            return
        target = self.target.currentData()
        if opened is None or target is None:
            return
        to: AblateTo = self.instead.currentData()
        model, image, seen = opened.model, opened.image, opened.trace

        def work(progress: Progress) -> Changes:
            from vitviz.attention.ablation import head_ablation

            values = head_ablation(model, image, target, to=to, seen=seen, progress=progress, cancel=progress.cancelled)
            return Changes(values, seen, target, to)

        self.run.start(work)

    @Slot()
    def cancel(self) -> None:
        """Give up what runs."""
        self.run.cancel()

    @Slot(object)
    def _done(self, changes: Changes) -> None:
        if self._pane.opened is not None and changes.trace is self._pane.opened.trace:
            self.changes = changes
            self._draw()

    def _draw(self) -> None:
        changes = self.changes
        for label in self._labels:
            self.view.box.removeItem(label)
        self._labels.clear()
        self.bar.setVisible(changes is not None)
        if changes is None:
            self.view.clear()
        else:
            values = changes.values
            most = max(float(np.nanmax(np.abs(values))), 1e-12)
            self.view.set_extent(values.shape[0], values.shape[1], 0.09 * max(values.shape) + 0.5)
            self.view.set_pixels(colored(values, most), (0.0, 0.0, values.shape[1], values.shape[0]))
            self.bar.show_scale(COLORMAP, (-most, most), "0 in the middle", "change of the logit")
            self._label(*values.shape)
        self._mark()
        self._say()

    def _label(self, layers: int, heads: int) -> None:
        far = -0.06 * max(layers, heads) - 0.35
        for count, horizontal in ((heads, True), (layers, False)):
            for i in range(0, count, 1 + count // 26):
                x, y = (i + 0.5, -0.06) if horizontal else (-0.1, i + 0.5)
                self._write(str(i), x, y, (0.5, 1.0) if horizontal else (1.0, 0.5))
        self._write("head", heads / 2, far, (0.5, 1.0))
        self._write("layer", far, layers / 2, (0.5, 1.0), 90)

    def _write(self, text: str, x: float, y: float, anchor: tuple[float, float], angle: float = 0) -> None:
        item = pg.TextItem(text, color=self._foreground, anchor=anchor, angle=angle)
        item.setPos(x, y)
        self.view.box.addItem(item, ignoreBounds=True)
        self._labels.append(item)

    @Slot()
    def _mark(self) -> None:
        """Frame the chosen head, or the layer where heads are fused."""
        state, changes = self._pane.store.state, self.changes
        if changes is None or state.layer >= len(changes.trace.layers):
            set_frame(self._frame, None)
            return
        single = isinstance(state.head, int)
        heads = changes.trace.layers[state.layer].num_heads
        left, width = (float(state.head), 1.0) if single else (0.0, float(heads))
        set_frame(self._frame, QRectF(left, state.layer, width, 1.0))

    def cell_center(self, layer: int, head: int) -> QPoint:
        """The point of the picture widget where a head is drawn."""
        return self.view.position_of(Place(head + 0.5, layer + 0.5)).toPoint()

    def _at(self, place: Place) -> tuple[int, int] | None:
        changes = self.changes
        if changes is None or place.x < 0 or place.y < 0:
            return None
        layer, head = int(place.y), int(place.x)
        layers = changes.trace.layers
        return (layer, head) if layer < len(layers) and head < layers[layer].num_heads else None

    @Slot(object)
    def _hovered(self, place: Place) -> None:
        if (found := self._at(place)) is None or self.changes is None:
            self._say()
            return
        layer, head = found
        trace, target = self.changes.trace, self.changes.target
        change, logit = float(self.changes.values[layer, head]), float(trace.logits[target])
        self.caption.setText(
            f"Layer {layer} head {head} · logit of {trace.label(target)} {logit:.3f} → {logit + change:.3f} "
            f"({change:+.4f})"
        )

    @Slot(object)
    def _clicked(self, place: Place) -> None:
        if (found := self._at(place)) is not None:
            self._pane.store.update(layer=found[0], head=found[1])

    @Slot()
    def _say(self) -> None:
        changes, opened = self.changes, self._pane.opened
        if changes is not None:
            how = next(title for title, value in _INSTEAD if value == changes.to)
            self.caption.setText(
                f"Change of the logit of {changes.trace.label(changes.target)} when one head is {how}. Blue: the class "
                "loses, so the head spoke for it. Red: it gains."
            )
        elif opened is not None and not self.target.count():
            self.caption.setText("This model has no classes, so there is no logit to watch.")
        else:
            self.caption.setText("Which heads speak for a class? Run switches them off, one at a time.")


def colored(values: np.ndarray, most: float) -> np.ndarray:
    """Values (L, H) from -most to most as (L, H, 4) uint8 of a diverging colormap, 0 in its middle; NaN is clear."""
    there = np.isfinite(values)
    indices = np.where(there, (np.nan_to_num(values) / most + 1) * 127.5, 0).round().clip(0, 255).astype(np.uint8)
    return np.dstack([color_table(COLORMAP)[indices], there.astype(np.uint8) * 255])
