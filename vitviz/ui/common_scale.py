"""One scale of colours for the maps of all panes: what is brighter in one picture is more than in the other."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Slot

from vitviz.attention.methods import about
from vitviz.ui.linking import Linking
from vitviz.ui.pane_column import PaneColumn
from vitviz.ui.panes import Panes


class CommonScale(QObject):
    """Gives the panes their limits as long as the scale is linked and their maps are of one quantity."""

    def __init__(self, panes: Panes, linking: Linking, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._panes, self._linking = panes, linking
        # Panes draw one after the other: those that were drawn before the last map came are drawn again.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._catch_up)
        for column in panes:
            self._add(column)
        panes.added.connect(self._add)
        panes.removed.connect(self._touch)
        linking.changed.connect(self._touch)

    def limits(self) -> tuple[float, float] | None:
        """From the least to the largest end of the panes' own scales; None where each has its own."""
        panes = [column.pane for column in self._panes if column.pane.map is not None]
        if not self._linking.links.scale or len(panes) < 2:
            return None
        if len({about(pane.map).unit for pane in panes if pane.map is not None}) > 1:
            return None
        own = [pane.own_limits() for pane in panes]
        return min(low for low, _ in own), max(high for _, high in own)

    @Slot(object)
    def _add(self, column: PaneColumn) -> None:
        column.pane.common_limits = self.limits
        column.pane.map_changed.connect(self._touch)
        column.pane.restyled.connect(self._touch)
        self._touch()

    @Slot()
    def _touch(self) -> None:
        self._soon.start()

    @Slot()
    def _catch_up(self) -> None:
        for column in self._panes:
            if column.pane.map is not None and column.map_view.limits != column.pane.limits():
                column.map_view.draw()
