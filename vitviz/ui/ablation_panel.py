"""What the prediction owes to every head: the change of a class's logit when the head is switched off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPoint, QRectF, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QWidget

from vitviz.attention.values import AblateTo, Place
from vitviz.render.scale import signed
from vitviz.render.style import color_table
from vitviz.render.titles import layer_text
from vitviz.ui.asked_panel import AskedPanel, Form
from vitviz.ui.choice_box import choice_box
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.marks import frame_item, set_frame, text_item
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.picture_view import PictureView

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

    def csv(self) -> str:
        """The numbers as a table."""
        from vitviz.attention.ablation import changes_csv

        return changes_csv(self.values, self.trace, self.target, self.to)


class AblationPanel(AskedPanel[Changes]):
    """Runs the ablation of every head, and shows it as a map of layers by heads: a click chooses a head."""

    def __init__(self, pane: Pane, worker: Worker) -> None:
        super().__init__(
            pane,
            worker,
            kind=KIND,
            tip="Switch every head off, one at a time: a pass for each layer, its heads in one batch",
            target_tip="The class whose logit is watched",
            least_classes=1,
            forms=[Form(".csv", "Numbers as CSV…", "Numbers", lambda changes: changes.csv().encode())],
        )
        self._foreground = QColor("#e4e4e4")
        self._labels: list[pg.TextItem] = []
        self.instead = choice_box(_INSTEAD, "What a head gives instead of its output")
        self.view = PictureView(self)
        self.view.setAccessibleName("Change of the logit: rows are layers, columns are heads")
        self._frame = frame_item(self.view.box, (20, 20, 20), 2.5)
        self.bar = ColorBar(self)
        chart = QWidget()
        row = QHBoxLayout(chart)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.view, 1)
        row.addWidget(self.bar)
        self.lay_out([self.instead], chart)
        self.view.hovered.connect(self._hovered)
        self.view.left.connect(self._say)
        self.view.clicked.connect(self._clicked)
        pane.store.changed.connect(self._mark)
        self.show_result()

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours of the panel."""
        self._foreground = foreground
        self.view.set_colors(background)
        for label in self._labels:
            label.setColor(foreground)

    def work(self, opened: Opened, target: int) -> Callable[[Progress], Changes]:
        """Switch every head off, one at a time."""
        to: AblateTo = self.instead.currentData()
        model, image, seen = opened.model, opened.image, opened.trace

        def ablate(progress: Progress) -> Changes:
            from vitviz.attention.ablation import head_ablation

            values = head_ablation(model, image, target, to=to, seen=seen, progress=progress, cancel=progress.cancelled)
            return Changes(values, seen, target, to)

        return ablate

    def draw(self) -> None:
        """The map of layers by heads, with its numbers and its bar."""
        changes = self.result
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

    def stem(self, result: Changes) -> str:
        """Of head ablation, for a class."""
        return f"head ablation {result.trace.label(result.target)}"

    def words(self) -> str:
        """What the colours say, or what Run would do."""
        changes = self.result
        if changes is not None:
            how = next(title for title, value in _INSTEAD if value == changes.to)
            off = f", {changes.trace.ablation.words}" if changes.trace.ablation else ""
            return (
                f"Change of the logit of {changes.trace.label(changes.target)}{off} when one head is {how}. Blue: the "
                "class loses, so the head spoke for it. Red: it gains."
            )
        if self.pane.opened is not None and not self.has_classes:
            return "This model has no classes, so there is no logit to watch."
        return "Which heads speak for a class? Run switches them off, one at a time."

    @Slot()
    def _say(self) -> None:
        self.caption.setText(self.words())

    def _label(self, layers: int, heads: int) -> None:
        far = -0.06 * max(layers, heads) - 0.35
        for count, horizontal in ((heads, True), (layers, False)):
            for i in range(0, count, 1 + count // 26):
                x, y = (i + 0.5, -0.06) if horizontal else (-0.1, i + 0.5)
                self._write(str(i), x, y, (0.5, 1.0) if horizontal else (1.0, 0.5))
        self._write("head", heads / 2, far, (0.5, 1.0))
        self._write("layer", far, layers / 2, (0.5, 1.0), 90)

    def _write(self, text: str, x: float, y: float, anchor: tuple[float, float], angle: float = 0) -> None:
        self._labels.append(text_item(self.view.box, text, (x, y), anchor, self._foreground, angle))

    @Slot()
    def _mark(self) -> None:
        """Frame the chosen head, or the layer where heads are fused."""
        state, changes = self.pane.store.state, self.result
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
        changes = self.result
        if changes is None or place.x < 0 or place.y < 0:
            return None
        layer, head = int(place.y), int(place.x)
        layers = changes.trace.layers
        return (layer, head) if layer < len(layers) and head < layers[layer].num_heads else None

    @Slot(object)
    def _hovered(self, place: Place) -> None:
        if (found := self._at(place)) is None or self.result is None:
            self._say()
            return
        layer, head = found
        trace, target = self.result.trace, self.result.target
        change, logit = float(self.result.values[layer, head]), float(trace.logits[target])
        self.caption.setText(
            f"{layer_text(layer, trace.layers[layer].title)} head {head} · logit of {trace.label(target)} "
            + signed(f"{logit:.3f} → {logit + change:.3f} ({change:+.4f})")
        )

    @Slot(object)
    def _clicked(self, place: Place) -> None:
        if (found := self._at(place)) is not None:
            self.pane.store.update(layer=found[0], head=found[1])


def colored(values: np.ndarray, most: float) -> np.ndarray:
    """Values (L, H) from -most to most as (L, H, 4) uint8 of a diverging colormap, 0 in its middle; NaN is clear."""
    there = np.isfinite(values)
    indices = np.where(there, (np.nan_to_num(values) / most + 1) * 127.5, 0).round().clip(0, 255).astype(np.uint8)
    return np.dstack([color_table(COLORMAP)[indices], there.astype(np.uint8) * 255])
