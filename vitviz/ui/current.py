"""The current pane: what docks, toolbar and status bar hold on to while panes come, go and take turns."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Signal

from vitviz.ui.pane import Pane
from vitviz.ui.store import Store

_SIGNALS = ("traced", "maps_changed", "map_changed", "restyled")


class CurrentStore(QObject):
    """The store of the current pane, by all of a Store's names.

    `changed(old, new)` when it changes, and when another pane becomes current whose state is another.
    """

    changed = Signal(object, object)

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        store.changed.connect(self.changed)

    def follow(self, store: Store) -> None:
        """Stand for another store from now on."""
        old, self._store = self._store, store
        old.changed.disconnect(self.changed)
        store.changed.connect(self.changed)
        if old.state != store.state:
            self.changed.emit(old.state, store.state)

    # Methods of its own: one that is kept, as by a connection, is to change the pane that is current by then.
    def update(self, **fields: Any) -> None:
        """Change some fields of the current pane's state."""
        self._store.update(**fields)

    def undo(self) -> bool:
        """Go back to the current pane's state before the last change."""
        return self._store.undo()

    def __getattr__(self, name: str) -> Any:
        return getattr(_held(self, "_store"), name)


class CurrentPane(QObject):
    """The current pane, by all of a Pane's names and signals.

    When another pane becomes current, `traced`, `maps_changed`, `map_changed` and `restyled` say what that one shows:
    a panel that follows them needs to know nothing of panes.
    """

    traced = Signal(object)
    maps_changed = Signal(object)
    map_changed = Signal(object)
    restyled = Signal(object)

    def __init__(self, pane: Pane, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pane = pane
        self.store = CurrentStore(pane.store, self)
        self._connect()

    @property
    def real(self) -> Pane:
        """The pane that this one stands for now."""
        return self._pane

    def follow(self, pane: Pane) -> None:
        """Stand for another pane from now on, and tell what it shows."""
        if pane is self._pane:
            return
        old, self._pane = self._pane, pane
        for name in _SIGNALS:
            getattr(old, name).disconnect(getattr(self, name))
        self._connect()
        styled = old.store.state.style != pane.store.state.style
        self.store.follow(pane.store)
        for signal, shown in ((self.traced, pane.opened), (self.maps_changed, pane.maps), (self.map_changed, pane.map)):
            if shown is not None:
                signal.emit(shown)
        # Last: what is drawn anew is what the panels were told of by now, of other heads than before.
        if styled:
            self.restyled.emit(pane.store.state.style)

    def _connect(self) -> None:
        for name in _SIGNALS:
            getattr(self._pane, name).connect(getattr(self, name))

    def __getattr__(self, name: str) -> Any:
        return getattr(_held(self, "_pane"), name)


def _held(facade: QObject, name: str) -> Any:
    # Before __init__ has set it there is nothing to ask, and asking would never end.
    if name not in facade.__dict__:
        raise AttributeError(name)
    return facade.__dict__[name]
