"""The tokens themselves over the picture: their norms, principal components as colours, likeness to the query."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QCheckBox, QGridLayout, QSlider, QVBoxLayout, QWidget

from vitviz.attention.values import Map, Place
from vitviz.errors import AttentionError
from vitviz.render.overlay import Canvas
from vitviz.render.scale import signed
from vitviz.render.sequence import token_name
from vitviz.render.titles import layer_text, query_text
from vitviz.ui.choice_box import choice_box
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.jobs import Worker
from vitviz.ui.lazy import LazyPanel
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.picture_view import PictureView
from vitviz.ui.steady_label import SteadyLabel
from vitviz.ui.store import State
from vitviz.ui.wrapping import Wrapping

if TYPE_CHECKING:
    from vitviz.attention.token_features import Components, Features

KIND = "token features"
_LARGEST = 600  # drawn pixels along the longer side
_AT_ONCE = 2_000_000  # numbers of a layer's tokens that are looked at between two frames
_SHOWN = (("Norm of the tokens", "norm"), ("Principal components", "components"), ("Likeness to the query", "likeness"))


class TokensPanel(LazyPanel):
    """Follows layer and query of the pane while it is seen; `view` takes part in hovering, zooming and pinning."""

    def __init__(self, pane: Pane, worker: Worker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane, self._worker = pane, worker
        self._features: Features | None = None
        self._canvas: Canvas | None = None
        self._wanted: tuple[Any, ...] | None = None
        self.shown: Map | Components | None = None
        self.what = choice_box(_SHOWN, "What is shown of the tokens after the chosen layer's block")
        self.what.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.foreground = QCheckBox("Foreground")
        self.foreground.setToolTip("Colours of the patches alone whose first component lies beyond the threshold")
        self.threshold = QSlider(Qt.Orientation.Horizontal)
        self.threshold.setRange(0, 100)
        self.threshold.setValue(50)
        self.threshold.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.threshold.setAccessibleName("Threshold on the first component")
        self.below = QCheckBox("Other side")
        self.below.setToolTip("The foreground is where the first component lies below: its sign means nothing")
        self._options = QWidget()
        Wrapping(self.foreground, self.threshold, self.below, parent=self._options)
        self.view = PictureView(self)
        self.view.setAccessibleName("The tokens over the picture")
        self.bar = ColorBar(self)
        self.title, self.note, self.reading = SteadyLabel(), SteadyLabel(), SteadyLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.what)
        layout.addWidget(self._options)
        layout.addWidget(self.title)
        grid = QGridLayout()
        grid.addWidget(self.view, 0, 0)
        grid.addWidget(self.bar, 0, 1)
        grid.setColumnStretch(0, 1)
        layout.addLayout(grid, 1)
        layout.addWidget(self.reading)
        layout.addWidget(self.note)
        # As in the pane: only where the mouse is when the queue is empty counts.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.touch)
        for signal in (self.what.activated, self.foreground.toggled, self.threshold.valueChanged, self.below.toggled):
            signal.connect(self._faced)
        self.view.hovered.connect(self._read)
        self.view.left.connect(lambda: self._read(None))
        worker.finished.connect(self._finished)
        worker.failed.connect(self._failed)
        pane.traced.connect(self._traced)
        pane.store.changed.connect(self._chosen)
        pane.restyled.connect(self._restyled)
        self._face()

    def set_colors(self, background: QColor) -> None:
        """Around the picture."""
        self.view.set_colors(background)

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        self._features = self._canvas = self._wanted = self.shown = None
        self.view.clear()
        self._soon.start()

    @Slot(object, object)
    def _chosen(self, old: State, new: State) -> None:
        if (old.layer, old.effective_query) != (new.layer, new.effective_query):
            self._soon.start()

    @Slot()
    def _restyled(self) -> None:
        if self.is_seen():
            self._draw()
        else:
            self._wanted = None
            self.touch()

    @Slot()
    def _faced(self) -> None:
        self._face()
        self.touch()

    def _face(self) -> None:
        components = self.what.currentData() == "components"
        self._options.setVisible(components)
        self.bar.setVisible(not components)
        for widget in (self.threshold, self.below):
            widget.setEnabled(self.foreground.isChecked())
        self.threshold.setToolTip(f"Threshold on the first component, scaled to 0..1: {self._threshold:.2f}")

    @property
    def _threshold(self) -> float:
        return self.threshold.value() / 100

    def refresh(self) -> None:
        """Compute what is wanted now, if it is not there already."""
        opened, state = self._pane.opened, self._pane.store.state
        if opened is None:
            return
        from vitviz.attention.token_features import Features

        if self._features is None:
            self._features = Features(opened.trace)
            height, width = opened.image.size
            self._canvas = Canvas.for_screen(opened.image, opened.trace.view, _LARGEST)
            self.view.set_extent(height, width)
        what, layer, query = self.what.currentData(), state.layer, state.effective_query
        threshold = self._threshold if self.foreground.isChecked() else None
        side: Literal["above", "below"] = "below" if self.below.isChecked() else "above"
        wanted: tuple[Any, ...] = (what, layer)
        wanted += {"norm": (), "likeness": (query,), "components": (threshold, side)}[what]
        if wanted == self._wanted:
            return
        self._wanted = wanted
        features = self._features
        works: dict[str, Callable[[], Map | Components]] = {
            "norm": lambda: features.norms(layer),
            "likeness": lambda: features.similarity(layer, query),
            "components": lambda: features.components(layer, threshold, side),
        }
        work = works[what]
        try:
            if what == "components" or features.tokens(layer).size > _AT_ONCE:
                self._worker.submit(KIND, lambda progress: (features, wanted, work()))
            else:
                self._worker.cancel(KIND)
                self._take(work())
        except AttentionError as error:
            self._refuse(str(error))

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        if kind == KIND and result[0] is self._features and result[1] == self._wanted:
            self._take(result[2])

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Exception) -> None:
        if kind == KIND:
            self._refuse(str(error) or type(error).__name__)

    def _refuse(self, text: str) -> None:
        self.shown = None
        self.view.clear()
        self.title.setText("Nothing to show")
        self.note.setText(text)

    def _take(self, found: Map | Components) -> None:
        self.shown = found
        self._draw()

    def _draw(self) -> None:
        found, canvas, style = self.shown, self._canvas, self._pane.store.state.style
        if found is None or canvas is None:
            return
        layer = found.selection.layer if isinstance(found, Map) else found.layer
        opened = self._pane.opened
        title = opened.trace.layers[layer].title if opened is not None else ""
        after = f"after {layer_text(layer, title).lower()}"
        if not isinstance(found, Map):
            self.view.set_pixels(canvas.draw_colors(found.grid, found.colors, style))
            self.title.setText(f"Principal components of the patches {after}")
            shares = ", ".join(
                f"{name} {share:.1%}"
                for name, share in zip(("1 red", "2 green", "3 blue"), found.explained, strict=True)
            )
            few = "" if found.foreground.all() else f" · foreground {int(found.foreground.sum())} patches"
            self.note.setText(f"Share of the variance: {shares}{few}")
            return
        norm = found.selection.method == "token norm"
        limits = float(found.values.min()), float(found.values.max())
        self.view.set_pixels(canvas.draw(found, style, limits))
        self.bar.show_scale(
            style.colormap, limits, "scale of this layer", "Euclidean norm" if norm else "cosine similarity"
        )
        if norm:
            self.title.setText(f"Norm of every token {after}")
            notes = [f"median {np.median(found.values):.4g}, largest {limits[1]:.4g}"]
        else:
            self.title.setText(f"Likeness to {query_text(found.selection.query, found.query_cell)} {after}")
            notes = []
        notes += [f"{token_name(name)} {value:.4g}" for name, value in list(found.prefix_weights.items())[:6]]
        self.note.setText(" · ".join(notes) or " ")

    @Slot(object)
    def _read(self, place: Place | None) -> None:
        found = self.shown
        if place is None or found is None or not found.view.contains(place.x, place.y):
            self.reading.setText(" ")
            return
        cell = found.grid.cell_at(*found.view.to_view(place.x, place.y))
        values = found.values[cell] if isinstance(found, Map) else found.scores[cell]
        numbers = ", ".join(signed(f"{float(v):.4g}") for v in np.atleast_1d(values))
        self.reading.setText(f"patch ({cell[0]}, {cell[1]}): {numbers}")
