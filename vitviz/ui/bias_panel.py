"""The relative position bias of the chosen layer: all heads side by side, the value of the offset under the mouse."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QGridLayout, QWidget

from vitviz.attention.values import Place
from vitviz.errors import VitvizError
from vitviz.render.bias import LABEL, BiasTable
from vitviz.render.scale import signed
from vitviz.render.studies.bias import BiasStudy
from vitviz.render.studies.study import Subject
from vitviz.render.titles import layer_text
from vitviz.ui.bias_view import BiasView
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.labels import plain_label
from vitviz.ui.lazy import GIVEN_UP, LazyPanel
from vitviz.ui.newest import Newest
from vitviz.ui.pane import Pane
from vitviz.ui.settings import Settings
from vitviz.ui.steady_label import SteadyLabel
from vitviz.ui.study_buttons import ShownStudy, StudyButtons
from vitviz.ui.wrapping import Wrapping

KIND = "relative bias"


class BiasPanel(LazyPanel):
    """Follows the layer and head of the pane; a click on a tile chooses the head.

    Nothing is computed while the panel is hidden.
    """

    def __init__(self, pane: Pane, worker: Worker, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane, self._job = pane, Newest(worker, KIND, self)
        self._tables: tuple[Any, dict[str, Any]] | None = None  # the model and its tables
        self._asked: Any = None
        self.table: BiasTable | None = None
        self.title, self.reading = plain_label(wrap=True, bold=True), SteadyLabel()  # its words change under the mouse
        self.view = BiasView(self)
        self.bar = ColorBar(self)
        self.buttons = StudyButtons(worker, settings, self._shown, "relative bias", self)
        layout = QGridLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.title, 0, 0, 1, 2)
        layout.addWidget(self.view, 1, 0)
        layout.addWidget(self.bar, 1, 1)
        layout.addLayout(Wrapping(self.reading, self.buttons), 2, 0, 1, 2)
        layout.setColumnStretch(0, 1)
        layout.setRowStretch(1, 1)
        self.view.hovered.connect(self._hovered)
        self.view.left.connect(lambda: self._say(None))
        self.view.clicked.connect(self._clicked)
        pane.traced.connect(self.touch)
        self.watch(pane, "layer", "head")
        self._job.finished.connect(self._finished)
        self._job.failed.connect(self._failed)
        self._job.cancelled.connect(self._cancelled)
        self._nothing("")

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colour around the tables, which the gaps between them take too."""
        self.view.set_canvas(background, foreground)
        self._draw()

    def refresh(self) -> None:
        """Have the tables of the shown model computed, if they are not there, and show those of the layer."""
        opened = self._pane.opened
        if opened is None:
            return
        model = opened.model
        if self._tables is not None and self._tables[0] is model:
            self._follow()
            return
        if self._asked is model:
            return
        self._asked = model
        self._nothing("Reading the tables…")

        def work(progress: Progress) -> object:
            from vitviz.embeddings.relative_bias import has_relative_position_bias, relative_position_bias

            return model, relative_position_bias(model) if has_relative_position_bias(model.module) else {}

        self._job.submit(work)

    @Slot(object)
    def _finished(self, result: Any) -> None:
        opened = self._pane.opened
        if opened is not None and result[0] is opened.model:
            self._asked, self._tables = None, result
            self._follow()

    @Slot(object)
    def _failed(self, error: Any) -> None:
        self._asked = None
        self._nothing(str(error) if isinstance(error, VitvizError) else "The tables could not be read.")

    @Slot()
    def _cancelled(self) -> None:
        self._asked, self._stale = None, True
        self._nothing(GIVEN_UP)

    def _follow(self) -> None:
        """Show the layer and head that are chosen."""
        opened = self._pane.opened
        if opened is None or self._tables is None or self._tables[0] is not opened.model:
            return
        tables, layer = self._tables[1], opened.trace.layers[self._pane.store.state.layer]
        name = layer.name if layer.name in tables else next((n for n in tables if len(tables) == 1), "")
        if not tables:
            self._nothing(
                f"{opened.model.name} has no relative position bias; Swin, BEiT, MaxViT and TinyViT have one."
            )
        elif not name:
            self._nothing(f"{layer_text(layer.index, layer.title)} has no relative position bias of its own.")
        else:
            if self.table is None or self.table.values is not tables[name]:
                self.table = BiasTable(tables[name], name, opened.model.name)
                self._draw()
            heads, high, wide = self.table.values.shape
            self.title.setText(f"{layer_text(layer.index, layer.title)} · {heads} heads · {high} x {wide} offsets")
            self.title.setToolTip(self.table.title)
            head = self._pane.store.state.head
            self.view.frame(head if isinstance(head, int) and head < heads else None)

    def _draw(self) -> None:
        if self.table is None:
            return
        self.view.show_table(self.table)
        self.bar.show_scale(self.table.colormap, self.table.limits, "scale of the layer", LABEL)
        for widget in (self.view, self.bar, self.reading, self.buttons):
            widget.show()
        self._say(None)

    def _nothing(self, reason: str) -> None:
        self.table = None
        self.title.setText(reason)
        self.title.setToolTip("")
        self.reading.setText(" ")
        self.view.clear()
        for widget in (self.view, self.bar, self.reading, self.buttons):
            widget.hide()

    @Slot(object)
    def _hovered(self, place: Place) -> None:
        self._say(self.table.at(place.x, place.y) if self.table is not None else None)

    def _say(self, found: tuple[int, int, int, float] | None) -> None:
        if found is None:
            self.reading.setText(" " if self.table is None else "Offset of the key from the query; framed: (0, 0)")
        else:
            head, down, right, value = found
            self.reading.setText(signed(f"head {head} · dy {down:+d}, dx {right:+d} · bias {value:+.4f}"))

    @Slot(object)
    def _clicked(self, place: Place) -> None:
        found = self.table.at(place.x, place.y) if self.table is not None else None
        if found is not None:
            self._pane.store.update(head=found[0])

    def _shown(self) -> ShownStudy | None:
        opened = self._pane.opened
        if self.table is None or opened is None:
            return None
        return ShownStudy(BiasStudy(self.table.layer_name), Subject(opened.model), self.table)

    def show_study(self, study: BiasStudy) -> None:
        """Show what an exported figure shows."""
        layers = () if self._pane.opened is None else self._pane.opened.trace.layers
        if found := [layer.index for layer in layers if layer.name == study.layer_name]:
            self._pane.store.update(layer=found[0])
