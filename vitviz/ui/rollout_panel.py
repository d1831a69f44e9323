"""The Rollout panel: the rollout of the query, live beside the map, with all its options and a walk up the layers."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QHBoxLayout,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from vitviz.attention.values import Map
from vitviz.render.overlay import Canvas
from vitviz.render.scale import note_of
from vitviz.render.sequence import token_name
from vitviz.render.style import limits_of
from vitviz.render.titles import query_text
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.controls import ChoiceBox
from vitviz.ui.jobs import Worker
from vitviz.ui.labels import plain_label
from vitviz.ui.lazy import LazyPanel
from vitviz.ui.method_maps import MethodMaps
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.picture_view import PictureView
from vitviz.ui.rollout_options import FirstLayerBox, ShareBox
from vitviz.ui.steady_label import SteadyLabel
from vitviz.ui.store import State
from vitviz.ui.wrapping import Wrapping, narrow

KIND = "rollout panel"
_LARGEST, _PLAY_MS = 400, 500
FUSIONS = (("Mean of heads", "mean"), ("Max of heads", "max"), ("Min of heads", "min"))
VARIANTS = (("Abnar & Zuidema", "abnar"), ("ViT paper's figures", "vit-paper"), ("vit-explain (legacy)", "vit-explain"))


class RolloutPanel(LazyPanel):
    """Follows the query and the options of the store, and changes them; computes nothing while it is hidden."""

    def __init__(self, pane: Pane, worker: Worker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane, self._store = pane, pane.store
        self.shown: Map | None = None
        self._canvas: Canvas | None = None
        self.maps = MethodMaps(worker, KIND, self)
        self.view = PictureView(self)
        self.view.setAccessibleName("Rollout over the picture")
        self.bar = ColorBar(self)
        self.title = SteadyLabel()
        store = self._store
        self.fusion = ChoiceBox(store, "fusion", FUSIONS, "Fusion of heads", "How the heads of a layer become one")
        self.variant = ChoiceBox(
            store, "variant", VARIANTS, "Variant", "As whom: the definition, or how published pictures came"
        )
        self.residual = ShareBox(store, "residual", "Residual ", "Weight of the identity beside attention")
        self.discard = ShareBox(store, "discard", "Discard ", "Share of the patches set to 0 in every row, least first")
        self.discard.setMaximum(0.99)
        self.first = FirstLayerBox(store)
        self.last = QSlider(Qt.Orientation.Horizontal)
        self.last.setAccessibleName("Up to layer")
        self.last.setToolTip("Up to layer: where the query stands")
        self.last.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.last_text = plain_label("")
        self.play = _button("Play", "Walk up the layers again and again")
        self.play.setCheckable(True)
        self.large = _button("Show large", "Make rollout the method of the map")
        self.large.setCheckable(True)
        self._timer = QTimer(self, interval=_PLAY_MS)
        self._lay_out()
        self.last.valueChanged.connect(lambda value: store.update(last_layer=value))
        self.play.toggled.connect(lambda on: self._timer.start() if on else self._timer.stop())
        self.large.clicked.connect(lambda on: store.update(method="rollout" if on else "attention"))
        self._timer.timeout.connect(self._step)
        self.maps.ready.connect(self._ready)
        self.maps.gave_up.connect(self._without)
        store.changed.connect(lambda old, new: self._follow(new))
        pane.traced.connect(self._traced)
        self.watch(pane, "options")  # the query is followed by its maps, which come once for many moves of the mouse
        pane.maps_changed.connect(lambda _: self.touch())
        pane.restyled.connect(lambda _: self.draw())
        self._follow(store.state)

    def _lay_out(self) -> None:
        for box in (self.fusion, self.variant):
            narrow(box)
        spins: tuple[QAbstractSpinBox, ...] = self.first, self.residual, self.discard
        for spin in spins:  # so that what stands beside them begins at one line
            spin.setFixedWidth(max(each.sizeHint().width() for each in spins))
        picture = QHBoxLayout()
        picture.addWidget(self.view, 1)
        picture.addWidget(self.bar)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(self.title)
        layout.addLayout(picture, 1)
        layout.addLayout(Wrapping(self.last_text, self.last, self.play))
        for spin, beside in zip(spins, (self.fusion, self.variant, self.large), strict=True):
            layout.addLayout(Wrapping(spin, beside, spacing=4))

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        height, width = opened.image.size
        self._canvas = Canvas.for_screen(opened.image, opened.trace.view, _LARGEST)
        self.view.set_extent(height, width)
        self.shown = None
        self._follow(self._store.state)
        self.touch()

    def _follow(self, state: State) -> None:
        count = len(self._store.reality.heads)
        last = count - 1 if state.options.last_layer is None else state.options.last_layer
        with QSignalBlocker(self.last):
            self.last.setRange(0, max(0, count - 1))
            self.last.setValue(last)
        self.last_text.setText(f"Up to layer {max(0, last)}")
        self.large.setChecked(state.method == "rollout")

    def refresh(self) -> None:
        """Ask for the rollout of what is chosen now."""
        opened, state = self._pane.opened, self._store.state
        if opened is not None:
            self.maps.ask(opened, state.rollout, hovered=state.query is None)

    @Slot(object)
    def _ready(self, shown: Map) -> None:
        self.shown = shown
        self.draw()

    @Slot(str)
    def _without(self, reason: str) -> None:
        """There is no such rollout, and the panel says why; one that was cancelled leaves what is shown."""
        if reason:
            self.shown = None
        if self.shown is None:
            self.view.clear()
            self.bar.hide()
            self.title.setText(reason or "Cancelled; it is made when the query or an option changes.")

    def draw(self) -> None:
        """Draw the rollout in the style of the map."""
        shown = self.shown
        if shown is None or self._canvas is None or not self.is_seen():
            return
        style, whole = self._store.state.style, shown.values[None]
        limits = limits_of(shown.values, style.limits, whole, [whole])
        self.view.set_pixels(self._canvas.draw(shown, style, limits))
        self.bar.show()
        scale = "zero" if style.limits in ("layer", "all") else style.limits
        self.bar.show_scale(style.colormap, limits, note_of(scale, limits), "share")
        prefix = ", ".join(f"{token_name(k)} {v:.3f}" for k, v in list(shown.prefix_weights.items())[:3])
        query = query_text(shown.selection.query, shown.query_cell)
        self.title.setText(f"From {query} · {shown.layer_name}" + (f" · on {prefix}" if prefix else ""))

    @Slot()
    def _step(self) -> None:
        options, count = self._store.state.options, max(1, len(self._store.reality.heads))
        last = count - 1 if options.last_layer is None else options.last_layer
        self._store.update(last_layer=max(options.first_layer, (last + 1) % count))

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.play.setChecked(False)
        self.maps.drop()


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button
