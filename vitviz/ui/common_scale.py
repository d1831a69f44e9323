"""One scale of colours for the maps of all panes: what is brighter in one picture is more than in the other."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from vitviz.attention.methods import about
from vitviz.ui.all_panes import AllPanes
from vitviz.ui.linking import Linking
from vitviz.ui.pane_column import PaneColumn
from vitviz.ui.panes import Panes


class CommonScale(AllPanes):
    """Gives the panes their limits as long as the scale is linked and their maps are of one quantity.

    Panes draw one after the other: those that were drawn before the last map came are drawn again.
    """

    def __init__(self, panes: Panes, linking: Linking, parent: QObject | None = None) -> None:
        self._linking = linking
        super().__init__(panes, parent)
        linking.changed.connect(self.touch)

    def limits(self) -> tuple[float, float] | None:
        """From the least to the largest end of the panes' own scales; None where each has its own."""
        if not self._linking.links.scale or len(self._panes) < 2:
            return None
        shown = [(column.pane, column.pane.map) for column in self._panes if column.pane.map is not None]
        if len(shown) < 2 or len({about(found).unit for _, found in shown}) > 1:
            return None
        own = [pane.own_limits() for pane, _ in shown]
        return min(low for low, _ in own), max(high for _, high in own)

    def watch(self, column: PaneColumn) -> None:
        column.pane.common_limits = self.limits
        column.pane.map_changed.connect(self._changed)
        column.pane.restyled.connect(self._changed)

    @Slot()
    def _changed(self) -> None:
        if self._linking.links.scale:  # else a pane that draws itself is drawn as it should be
            self.touch()

    @Slot()
    def settle(self) -> None:
        common = self.limits()
        for column in self._panes:
            if column.pane.map is not None and column.map_view.limits != (common or column.pane.own_limits()):
                column.map_view.draw()
