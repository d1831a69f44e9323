"""What is settled for several panes at once, soon after something of one of them has changed."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Slot

from vitviz.ui.pane_column import PaneColumn
from vitviz.ui.panes import Panes


class AllPanes(QObject):
    """Heirs watch every pane, `touch` when something changes, and `settle` once for all that changed together."""

    def __init__(self, panes: Panes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._panes = panes
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.settle)
        for column in panes:
            self._add(column)
        panes.added.connect(self._add)
        panes.removed.connect(self.touch)

    def watch(self, column: PaneColumn) -> None:
        """Connect what tells of changes in a pane."""
        raise NotImplementedError

    @Slot()
    def settle(self) -> None:
        """Follow what has changed."""
        raise NotImplementedError

    @Slot()
    def touch(self) -> None:
        """Settle soon."""
        self._soon.start()

    @Slot(object)
    def _add(self, column: PaneColumn) -> None:
        self.watch(column)
        self.touch()
