"""What can this token see: the receptive field of the token under the mouse, growing layer after layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Slot
from PySide6.QtGui import QColor, QHideEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QSlider, QToolButton, QVBoxLayout, QWidget

from vitviz.attention.values import Place
from vitviz.errors import VitvizError
from vitviz.render.overlay import Canvas
from vitviz.render.reach import draw_step
from vitviz.render.reach_words import AXES, LEGEND, growth_text, step_text, tick_texts
from vitviz.render.studies.reach import ReachStudy
from vitviz.render.studies.study import Subject
from vitviz.ui.choice_box import choice_box
from vitviz.ui.growth_bars import GrowthBars
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.labels import plain_label
from vitviz.ui.lazy import LazyPanel
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.picture_view import PictureView
from vitviz.ui.settings import Settings
from vitviz.ui.steady_label import SteadyLabel
from vitviz.ui.study_buttons import ShownStudy, StudyButtons
from vitviz.ui.wrapping import Wrapping, narrow

if TYPE_CHECKING:
    from vitviz.attention.reach import Reach

KIND = "receptive field"
WAYS = (
    ("Downwards: a token of the last layer", "down", "Through the last layer alone, the last two, and so on"),
    ("Upwards: the token after each layer", "up", "Through all layers up to each, at one place of the picture"),
)
_LARGEST, _PLAY_MS = 640, 600
_ANY_LAST = 10_000  # a step behind the last one of any network


class ReachPanel(LazyPanel):
    """Follows the place under the mouse or the pinned one; without one it takes the middle of the view.

    The slider, a bar or the play button choose the step; nothing runs while the panel is hidden.
    """

    def __init__(self, pane: Pane, worker: Worker, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane, self._worker = pane, worker
        self.found: Reach | None = None
        self._canvas: tuple[Any, Canvas] | None = None
        self._opened: Opened | None = None
        self._wished: int | None = None
        self.text, self.note, self.axis = SteadyLabel(), SteadyLabel(), SteadyLabel()
        self.ways = choice_box(WAYS, "Which way the layers are added")
        # A click must not take the arrow keys away from layers and heads.
        self.ways.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.view = PictureView(self)
        self.view.setAccessibleName("What the token can see")
        self.view.setToolTip(LEGEND)
        self.legend = plain_label(LEGEND, wrap=True)
        self.bars = GrowthBars(self)
        self.play = QToolButton()
        self.play.setText("Play")
        self.play.setCheckable(True)
        self.play.setToolTip("Let it grow, one layer after another")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Step")
        self.slider.setToolTip("How many layers the token looks through")
        self.slider.setPageStep(1)
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.all_steps = QCheckBox("All steps")
        self.all_steps.setToolTip("Copy and export a sheet of all steps instead of the one that is shown")
        self.buttons = StudyButtons(worker, settings, self._shown, "receptive field", self)
        self._timer = QTimer(self)
        self._timer.setInterval(_PLAY_MS)
        self._lay_out()
        self.ways.currentIndexChanged.connect(self._chosen_way)
        self.slider.valueChanged.connect(self._draw)
        self.bars.chosen.connect(self.slider.setValue)
        self.play.toggled.connect(self._play)
        self._timer.timeout.connect(self._step)
        pane.traced.connect(self.touch)
        self.watch(pane, "effective_query")
        worker.finished.connect(self._finished)
        worker.failed.connect(self._failed)
        self._nothing("Open a picture and a model")

    def _lay_out(self) -> None:
        playing = QHBoxLayout()
        playing.addWidget(self.play)
        playing.addWidget(self.slider, 1)
        below = Wrapping(self.note, self.all_steps, self.buttons)
        for widget in (self.all_steps, self.buttons):
            below.setAlignment(widget, Qt.AlignmentFlag.AlignBottom)
        narrow(self.ways)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.ways)
        layout.addWidget(self.text)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.legend)
        layout.addWidget(self.axis)
        layout.addWidget(self.bars)
        layout.addLayout(playing)
        layout.addLayout(below)

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colour around the picture."""
        self.view.set_colors(background)

    def start(self) -> None:
        """Begin anew: stand still at the patch that is pinned in a layer, or else let it grow from the first step on.

        Downwards it is a token of the last layer that grows, which a patch pinned after an earlier one is not.
        """
        picked = self._picked()
        if picked is not None:
            with QSignalBlocker(self.ways):
                self.ways.setCurrentIndex(self.ways.findData("up"))
        self._wished = picked
        self.slider.setValue(0)
        self.play.setChecked(picked is None)
        self.touch()

    def _picked(self) -> int | None:
        """The layer of the patch that is pinned, as far as it is not the last one; None elsewhere."""
        opened, state = self._pane.opened, self._pane.store.state
        if opened is None or not isinstance(state.query, Place):
            return None
        layers = [layer for layer in opened.trace.layers if layer.kind != "pool"]
        chosen = min(state.layer, len(layers) - 1)
        return chosen if 0 <= chosen < len(layers) - 1 else None

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.play.setChecked(False)

    @Slot()
    def _chosen_way(self) -> None:
        self.slider.setValue(0)
        self.touch()

    def refresh(self) -> None:
        """Ask for the receptive field of the place that is chosen now."""
        opened = self._pane.opened
        if opened is None:
            return
        trace, query, way = opened.trace, self._pane.store.state.effective_query, self.ways.currentData()
        x0, y0, x1, y1 = trace.view.box
        place = query if isinstance(query, Place) else Place((x0 + x1) / 2, (y0 + y1) / 2)

        def work(progress: Progress) -> object:
            from vitviz.attention.reach import reach

            return opened, reach(trace, place, way)

        self._worker.submit(KIND, work)

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        opened = self._pane.opened
        if kind != KIND or opened is None or result[0] is not opened or result[1].way != self.ways.currentData():
            return
        fresh, (self._opened, self.found) = self._opened is not opened, result
        if self._canvas is None or self._canvas[0] is not opened:
            height, width = opened.image.size
            self._canvas = opened, Canvas.for_screen(opened.image, opened.trace.view, _LARGEST)
            self.view.set_extent(height, width)
        last = len(self.found.steps) - 1
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, last)
            if self._wished is not None:
                self.slider.setValue(self._wished)
            elif fresh and not self.play.isChecked():
                # Upwards the layer that is chosen in the window, as far as it is one between patches.
                at = self._pane.store.state.layer if self.found.way == "up" else 1
                self.slider.setValue(min(at, last))
        self._wished = None
        grows = len(set(self.found.counts)) > 1
        for widget, on in ((self.slider, True), (self.play, grows), (self.bars, True)):
            widget.setEnabled(on)
        if not grows:  # as in a ViT: there is nothing to watch
            self.play.setChecked(False)
        self._draw()

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Any) -> None:
        if kind == KIND:
            self._nothing(str(error) if isinstance(error, VitvizError) else "It could not be found out.")

    def _nothing(self, reason: str) -> None:
        self.found = None
        self.text.setText(reason)
        self.note.setText(" ")
        self.view.clear()
        self.axis.hide()
        self.legend.hide()
        for widget in (self.slider, self.play, self.bars, self.all_steps, self.buttons):
            widget.setEnabled(False)

    @Slot()
    def _draw(self) -> None:
        opened, found = self._pane.opened, self.found
        if opened is None or found is None or self._canvas is None or self._opened is not opened:
            return
        at = min(self.slider.value(), len(found.steps) - 1)
        self.view.set_pixels(draw_step(self._canvas[1], found, at))
        query = self._pane.store.state.effective_query
        named = "" if isinstance(query, Place) else "The middle of the view, as no place is chosen. "
        self.text.setText(named + step_text(opened.trace, found, at))
        self.axis.setText(AXES[found.way])
        self.axis.show()
        self.legend.show()
        self.note.setText(growth_text(opened.trace, found))
        self.bars.show_counts([count / found.grid.size for count in found.counts], at, tick_texts(found))
        for widget in (self.all_steps, self.buttons):
            widget.setEnabled(True)

    @Slot(bool)
    def _play(self, on: bool) -> None:
        self.play.setText("Stop" if on else "Play")
        if on:
            self._timer.start()
        else:
            self._timer.stop()

    @Slot()
    def _step(self) -> None:
        self.slider.setValue((self.slider.value() + 1) % (self.slider.maximum() + 1))

    def _shown(self) -> ShownStudy | None:
        opened, found = self._opened, self.found
        if opened is None or found is None:
            return None
        study = ReachStudy(found.place, found.way, None if self.all_steps.isChecked() else self.slider.value())
        return ShownStudy(study, Subject(opened.model, opened.image, opened.trace), found)

    def show_study(self, study: ReachStudy) -> None:
        """Show the step of an exported figure at its place, the last one of a sheet of all."""
        self.play.setChecked(False)
        self.all_steps.setChecked(study.step is None)
        self._wished = _ANY_LAST if study.step is None else study.step
        with QSignalBlocker(self.ways):
            self.ways.setCurrentIndex(self.ways.findData(study.way))
        self._pane.store.update(query=study.place, hover=None)
        self.touch()
