"""A panel that does no work as long as nobody can see it."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDockWidget, QWidget


class LazyPanel(QWidget):
    """Calls `refresh` after `touch`, at once where the panel can be seen, else when it is shown next."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stale = False
        self._holder: QDockWidget | None = None

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
