"""The boxes for the numbers among the options of rollout."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox

from vitviz.ui.store import State, Store


class ShareBox(QDoubleSpinBox):
    """An option from 0 to 1."""

    def __init__(self, store: Store, field: str, prefix: str, tip: str) -> None:
        super().__init__()
        self._store, self._field = store, field
        self.setRange(0.0, 1.0)
        self.setSingleStep(0.05)
        self.setDecimals(2)
        self.setPrefix(prefix)
        self.setKeyboardTracking(False)
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.valueChanged.connect(lambda value: store.update(**{field: round(value, 4)}))
        store.changed.connect(lambda old, new: self.follow(new))
        self.follow(store.state)

    def follow(self, state: State) -> None:
        """Show what the store holds."""
        with QSignalBlocker(self):
            self.setValue(getattr(state.options, self._field))

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class FirstLayerBox(QSpinBox):
    """The layer nearest the picture that is taken in."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self.setPrefix("From layer ")
        self.setKeyboardTracking(False)
        self.setToolTip("The layer nearest the picture that is taken in")
        self.setAccessibleName("First layer")
        self.valueChanged.connect(lambda value: store.update(first_layer=value))
        store.changed.connect(lambda old, new: self.follow(new))
        self.follow(store.state)

    def follow(self, state: State) -> None:
        """Show what the store holds."""
        count = len(self._store.reality.heads)
        last = state.options.last_layer
        most = max(0, count - 1 if last is None else last)
        with QSignalBlocker(self):
            if self.maximum() != most:  # Qt lays out anew for every range
                self.setMaximum(most)
            self.setValue(state.options.first_layer)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()
