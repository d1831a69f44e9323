"""Pictures of several panes begin at one height, however many lines stand over each."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Slot

from vitviz.ui.pane_column import PaneColumn
from vitviz.ui.panes import Panes


class Levelling(QObject):
    """Keeps room over every pane's picture for as many words as the pane with the most of them has."""

    def __init__(self, panes: Panes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._panes = panes
        # Once for all panes that are laid out together.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._level)
        for column in panes:
            self._add(column)
        panes.added.connect(self._add)
        panes.removed.connect(self._touch)

    @Slot(object)
    def _add(self, column: PaneColumn) -> None:
        column.map_view.laid_out.connect(self._touch)
        self._touch()

    @Slot()
    def _touch(self) -> None:
        self._soon.start()

    @Slot()
    def _level(self) -> None:
        views = [column.map_view for column in self._panes]
        tallest = max(view.words_height() for view in views)
        for view in views:
            view.keep_words(tallest if len(views) > 1 else 0)
