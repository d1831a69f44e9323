"""Panes that were closed, and the command that brings the last of them back."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from vitviz.models.wish import ModelWish
from vitviz.ui.actions import action
from vitviz.ui.opening import Opened
from vitviz.ui.pane_column import PaneColumn
from vitviz.ui.pane_title import model_text
from vitviz.ui.panes import MOST
from vitviz.ui.store import State

if TYPE_CHECKING:
    from vitviz.ui.window import MainWindow

_KEPT = 10
_KEYS = "Ctrl+Shift+T"


@dataclass(frozen=True, slots=True)
class _Closed:
    """What a pane showed, and where it stood from the left; its weights are no longer held."""

    place: int
    model: ModelWish
    state: State


class ClosedPanes(QObject):
    """Keeps what the last panes showed that were closed. `told(str)` with a word for the status bar."""

    told = Signal(str)

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._panes, self._linking = window.panes, window.linking
        self._kept: list[_Closed] = []
        self._awaited: dict[PaneColumn, _Closed] = {}
        self.reopen = action(
            window, "Reopen the close&d pane", self.bring_back, shortcut=_KEYS,
            tip="The pane that was closed last, with its model and what it showed of the picture that is open now",
        )  # fmt: skip
        self._enable()
        self._panes.added.connect(self._enable)
        self._panes.removed.connect(self._removed)
        self._panes.opened.connect(self._opened)

    @Slot()
    def _enable(self, *_: object) -> None:
        self.reopen.setEnabled(bool(self._kept) and len(self._panes) < MOST)

    @Slot(object)
    def _removed(self, column: PaneColumn) -> None:
        self._awaited.pop(column, None)
        if (shown := column.pane.opened) is not None:
            state = replace(column.store.state, hover=None)
            self._kept = [*self._kept, _Closed(self._panes.gap, shown.wish.model, state)][-_KEPT:]
            self.told.emit(f"{model_text(shown)} closed; {_KEYS} brings it back")
        self._enable()

    def bring_back(self) -> None:
        """Open the pane that was closed last where it stood."""
        if not self._kept or len(self._panes) >= MOST:
            return
        closed = self._kept.pop()
        column = self._panes.add(closed.model)
        self._panes.put_at(column, min(closed.place, len(self._panes) - 1))
        self._awaited[column] = closed
        if not column.opener.is_waiting and column.pane.opened is not None:
            self._opened(column.pane.opened)
        self._enable()

    @Slot(object)
    def _opened(self, opened: Opened) -> None:
        for column, closed in list(self._awaited.items()):
            if column.pane.opened is not opened:
                continue
            del self._awaited[column]
            if opened.wish.model == closed.model:
                state = {f.name: getattr(closed.state, f.name) for f in fields(State) if f.name != "hover"}
                self._linking.bring_in(column, **state)
