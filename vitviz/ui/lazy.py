"""A panel that does no work as long as nobody can see it."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDockWidget, QWidget

from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.store import State

GIVEN_UP = "Cancelled; it is read when this panel is shown again."


class LazyPanel(QWidget):
    """Calls `refresh` after `touch`, at once where the panel can be seen, else when it is shown next.

    After `watch` it does so, or `follow` where it can be seen, whenever one of the watched fields is another. A change
    that comes with another trace is not followed: the panel has what it found of the one before, and `traced` is next.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stale = False
        self._holder: QDockWidget | None = None
        self._watched: tuple[str, ...] = ()
        self._watched_pane: Pane | None = None
        self._told: Opened | None = None

    def is_seen(self) -> bool:
        """Whether the panel is on the screen, and not behind the tab of another."""
        if not self.isVisible():
            return False
        dock = self._holder
        if dock is None or dock.isFloating():
            return True
        # Qt calls a dock behind another tab visible, and moves it out of the window.
        return dock.geometry().right() >= 0 and dock.geometry().bottom() >= 0

    def touch(self) -> None:
        """What is shown is no longer true."""
        self._stale = True
        self._catch_up()

    def refresh(self) -> None:
        """Show what is true now; for the panels to fill in."""
        raise NotImplementedError

    def watch(self, pane: Pane, *fields: str) -> None:
        """Follow these fields of a pane's state; others, as hovering changes many, cost nothing."""
        self._watched, self._watched_pane, self._told = fields, pane, pane.opened
        pane.traced.connect(self._tell)
        pane.store.changed.connect(self._changed)

    def follow(self) -> None:
        """A watched field is another, and the panel can be seen; panels that need not refresh all do less."""
        self.touch()

    @Slot(object, object)
    def _changed(self, old: State, new: State) -> None:
        if all(getattr(old, name) == getattr(new, name) for name in self._watched):
            return
        pane = self._watched_pane
        if self.is_seen() and pane is not None and pane.opened is self._told:
            self.follow()
        else:
            self._stale = True

    @Slot()
    def _tell(self) -> None:
        # Not what the signal carries: whoever heard it earlier may have shown another trace meanwhile.
        self._told = self._watched_pane.opened if self._watched_pane is not None else None

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        dock = self.parentWidget()
        while dock is not None and not isinstance(dock, QDockWidget):
            dock = dock.parentWidget()
        if isinstance(dock, QDockWidget) and dock is not self._holder:
            self._holder = dock
            dock.visibilityChanged.connect(self._catch_up)
        self._catch_up()

    @Slot()
    def _catch_up(self) -> None:
        if self._stale and self.is_seen():
            self._stale = False
            self.refresh()
