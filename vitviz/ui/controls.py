"""The toolbar's controls for what is shown: layer, head, direction, colours, opacity, scale. All follow the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, QSignalBlocker, QSize, Qt, Slot
from PySide6.QtGui import QIcon, QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QSlider, QSpinBox, QToolBar, QWidget

from vitviz.attention.methods import METHODS
from vitviz.render.style import COLORMAPS, color_table
from vitviz.render.titles import layer_text
from vitviz.ui.labels import plain_label
from vitviz.ui.qimages import pixmap_of
from vitviz.ui.store import State, Store
from vitviz.ui.words import title_text

_FUSED = (("Mean of heads", "mean"), ("Max of heads", "max"), ("Min of heads", "min"))
DIRECTIONS = (("Looks at", "from"), ("Is looked at by", "to"))
SCALES = (("Scale: this map", "map"), ("Scale: its layer", "layer"), ("Scale: all layers", "all"))
MARKED = (("as a contour", "contour"), ("as a mask", "mask"))
_BUTTONS = 40  # pixels of a box of numbers that are none of its words
SMOOTHING = (("Patches", "nearest"), ("Smooth", "smooth"))


Offer = tuple[str, Callable[[], None]]
_DIRECTED = "What the query looks at, or what looks at it (D)"


class ChoiceBox(QComboBox):
    """A combo box of (name, value) whose value is a field of the state; user choices go to the store."""

    def __init__(self, store: Store, field: str, choices: Sequence[tuple[str, Any]], title: str, tip: str) -> None:
        super().__init__()
        self._store, self._field = store, field
        self.setToolTip(tip)
        self.setAccessibleName(title)
        self.setAccessibleDescription(tip)
        # A click must not take the arrow keys away from layers and heads; Tab reaches the box all the same.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.set_choices(choices)
        self.activated.connect(self._chosen)
        store.changed.connect(lambda old, new: self.follow(new))
        self.follow(store.state)

    def offers(self) -> list[Offer]:
        """Its choices, for the palette of commands."""
        # Not "Head 1 (0–5)": who types 5 means head 5.
        return [(self.itemText(i).partition(" (")[0], partial(self._chosen, i)) for i in range(self.count())]

    def set_choices(self, choices: Sequence[tuple[str, Any]]) -> None:
        """Offer other choices; nothing is sent to the store."""
        with QSignalBlocker(self):
            self.clear()
            for title, value in choices:
                self.addItem(title, value)

    def follow(self, state: State) -> None:
        """Show what the store holds."""
        holder = next(part for part in (state.style, state.options, state) if hasattr(part, self._field))
        value = getattr(holder, self._field)
        # findData compares variants, which take 0 and "0" or lists for different things than Python does.
        index = next((i for i in range(self.count()) if self.itemData(i) == value), -1)
        with QSignalBlocker(self):
            self.setCurrentIndex(index)

    def wheelEvent(self, event: QWheelEvent) -> None:
        # Scrolling past a box is no choice.
        event.ignore()

    @Slot(int)
    def _chosen(self, index: int) -> None:
        self._store.update(**{self._field: self.itemData(index)})


class LayerBox(QSpinBox):
    """The layer, with how many there are."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self.setAccessibleName("Layer")
        self.setPrefix("Layer ")
        self.setKeyboardTracking(False)
        self.setButtonSymbols(QSpinBox.ButtonSymbols.PlusMinus)
        self.valueChanged.connect(lambda value: store.update(layer=value))
        store.changed.connect(lambda old, new: self.follow())
        self.follow()

    def offers(self) -> list[Offer]:
        """All layers, for the palette of commands."""
        titles, store = self._store.reality.titles, self._store
        names = [layer_text(i, titles[i] if titles else "") for i in range(len(store.reality.heads))]
        return [(name, partial(store.update, layer=i)) for i, name in enumerate(names)]

    def event(self, event: QEvent) -> bool:
        # A number takes no letters: they stay the window's shortcuts (M, D).
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.text().isalpha():
            event.ignore()
            return False
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # As everywhere in the window, Up goes up in the atlas, whose first row is layer 0.
        step = {Qt.Key.Key_Up.value: -1, Qt.Key.Key_Down.value: 1}.get(event.key())
        if step is None:
            super().keyPressEvent(event)
        else:
            self.stepBy(step)

    def _say(self, span: tuple[int, int], value: int, special: str, suffix: str) -> None:
        """Set what differs: Qt lays the whole toolbar out anew for each of them."""
        with QSignalBlocker(self):
            if self.specialValueText() != special:
                self.setSpecialValueText(special)
            if (self.minimum(), self.maximum()) != span:
                self.setRange(*span)
            if self.suffix() != suffix:
                self.setSuffix(suffix)
            self.setValue(value)

    def _keep_room(self, count: int, titles: Sequence[str]) -> None:
        """Be as wide as the longest that it can say, so that nothing beside it moves."""
        longest = max((f"Layer {i} ({_span(count)}) · {title}" for i, title in enumerate(titles) if title), key=len,
                      default=f"Layer {count} ({_span(count)})")  # fmt: skip
        self.setMinimumWidth(self.fontMetrics().horizontalAdvance(longest) + _BUTTONS)

    def follow(self) -> None:
        """Show what the store holds."""
        if not METHODS[self._store.state.method].of_head:
            self._say((-1, -1), -1, "All layers", "")
            return
        count, titles = len(self._store.reality.heads), self._store.reality.titles
        title = titles[self._store.state.layer] if titles and count else ""
        self._keep_room(count, titles)
        suffix = (f" ({_span(count)})" + (f" · {title}" if title else "")) if count else ""
        self._say((0, max(0, count - 1)), max(0, self._store.state.layer), "", suffix)
        explained = title_text(title)
        self.setToolTip("Layer, counted from 0 at the picture (Up, Down)" + (f"; {explained}" if explained else ""))


class OpacitySlider(QSlider):
    """How much the colours cover the picture, 0 to 100 %."""

    def __init__(self, store: Store) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._store = store
        self.setRange(0, 100)
        self.setFixedWidth(110)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName("Opacity of the map")
        self.valueChanged.connect(lambda value: store.update(opacity=value / 100))
        store.changed.connect(lambda old, new: self.follow(new))
        self.follow(store.state)

    def offers(self) -> list[Offer]:
        """Some values, for the palette of commands."""
        return [(f"{percent} %", partial(self._store.update, opacity=percent / 100)) for percent in range(0, 101, 10)]

    def follow(self, state: State) -> None:
        """Show what the store holds."""
        percent = round(state.style.opacity * 100)
        with QSignalBlocker(self):
            self.setValue(percent)
        self.setToolTip(f"Opacity of the map: {percent} %")


class NamedSlider(QWidget):
    """A slider after its name, which a narrow toolbar hides together; it offers what the slider does."""

    def __init__(self, name: str, slider: OpacitySlider) -> None:
        super().__init__()
        self.offers = slider.offers
        self.setAccessibleName(slider.accessibleName())
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        row.addWidget(plain_label(name))
        row.addWidget(slider)


class ThresholdBox(QSpinBox):
    """The share of the map's mass whose smallest set of patches is marked, 0 to 100 %; 0 marks none."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self.setRange(0, 100)
        self.setSingleStep(5)
        self.setPrefix("Mass ")
        self.setSuffix(" %")
        self.setSpecialValueText("Mass: not marked")
        self.setKeyboardTracking(False)
        self.setAccessibleName("Mass threshold")
        self.setToolTip("Mark the smallest set of patches that holds this share of the map (T; DINO)")
        self.valueChanged.connect(lambda value: store.update(threshold=value / 100))
        store.changed.connect(lambda old, new: self.follow(new))
        self.follow(store.state)

    def offers(self) -> list[Offer]:
        """Some values, for the palette of commands."""
        shares = [(f"{percent} %", percent / 100) for percent in (30, 50, 60, 80, 90, 95)]
        return [(name, partial(self._store.update, threshold=share)) for name, share in (("Not marked", 0.0), *shares)]

    def follow(self, state: State) -> None:
        """Show what the store holds."""
        with QSignalBlocker(self):
            self.setValue(round(state.style.threshold * 100))

    def event(self, event: QEvent) -> bool:
        # A number takes no letters: they stay the window's shortcuts.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.text().isalpha():
            event.ignore()
            return False
        return super().event(event)


class ViewControls(QToolBar):
    """The controls in a row."""

    def __init__(self, store: Store, parent: QWidget | None = None) -> None:
        super().__init__("View controls", parent)
        self.setObjectName("view-controls")
        self._store = store
        self.layer = LayerBox(store)
        self.head = ChoiceBox(store, "head", _FUSED, "Head", "Head (Left, Right; M for the mean)")
        self.head.setMinimumContentsLength(13)
        self.head.setPlaceholderText("All heads")
        self.direction = ChoiceBox(store, "direction", DIRECTIONS, "Direction", _DIRECTED)
        self.colormap = ChoiceBox(store, "colormap", [(name, name) for name in COLORMAPS], "Colormap", "Colormap")
        self.colormap.setIconSize(QSize(48, 12))
        for i, name in enumerate(COLORMAPS):
            self.colormap.setItemIcon(i, colormap_icon(name))
        self.opacity = OpacitySlider(store)
        self.limits = ChoiceBox(store, "limits", SCALES, "Scale", "What the scale of the colours is shared over")
        self.interpolation = ChoiceBox(
            store, "interpolation", SMOOTHING, "Smoothing", "Show the patches as they are, or smoothed"
        )
        self.threshold = ThresholdBox(store)
        self.marked = ChoiceBox(
            store, "marked", MARKED, "Mass threshold", "How the patches of the threshold are marked"
        )
        widgets: list[QWidget] = [
            self.layer,
            self.head,
            self.direction,
            self.colormap,
            NamedSlider("Opacity", self.opacity),
        ]
        for widget in (*widgets, self.limits, self.interpolation):
            self.addWidget(widget)
        self.addWidget(self.threshold)
        self._marked = self.addWidget(self.marked)
        store.changed.connect(lambda old, new: self._follow(new))
        self._follow(store.state)

    @Slot()
    def face(self) -> None:
        """Offer the layers and heads of another trace."""
        self.layer.follow()
        self._heads: int | None = None
        self._follow(self._store.state)

    def _follow(self, state: State) -> None:
        self._marked.setVisible(state.style.threshold > 0)
        about = METHODS[state.method]
        self.layer.setEnabled(about.of_head)
        self.head.setEnabled(about.of_head)
        self.direction.setEnabled(about.of_head)
        heads = self._store.reality.heads
        count = heads[state.layer] if heads else 0
        if count != getattr(self, "_heads", None):
            self._heads = count
            self.head.set_choices([*_FUSED, *((f"Head {i} ({_span(count)})", i) for i in range(count))])
        # A method of no one layer and head has none of them: the boxes say so until they count again.
        self.direction.setPlaceholderText("Looks at" if about.of_query else "No direction")
        self.direction.setToolTip(_DIRECTED if about.of_head else f"{about.title} has no direction to choose")
        for box in (self.head, self.direction):
            if about.of_head:
                box.follow(state)
            else:
                with QSignalBlocker(box):
                    box.setCurrentIndex(-1)


def colormap_icon(name: str) -> QIcon:
    """A strip of the colormap."""
    return QIcon(pixmap_of(color_table(name)[None].repeat(12, axis=0)).scaled(48, 12))


def _span(count: int) -> str:
    """The first and last of so many things: "0–5" for six, counted from 0."""
    return f"0–{count - 1}" if count > 1 else "0"
