"""Pictures of several panes begin at one height, however many lines stand over each."""

from __future__ import annotations

from PySide6.QtCore import Slot

from vitviz.ui.all_panes import AllPanes
from vitviz.ui.pane_column import PaneColumn


class Levelling(AllPanes):
    """Keeps room over every pane's picture for as many words as the pane with the most of them has."""

    def watch(self, column: PaneColumn) -> None:
        column.map_view.laid_out.connect(self.touch)

    @Slot()
    def settle(self) -> None:
        views = [column.map_view for column in self._panes]
        tallest = max(view.words_height() for view in views)
        for view in views:
            view.keep_words(tallest if len(views) > 1 else 0)
