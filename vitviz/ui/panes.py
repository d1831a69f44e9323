"""The middle of the window: one to four panes side by side, one of which is current."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from PySide6.QtCore import QEvent, QObject, Qt, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from vitviz.images import Image
from vitviz.ui.current import CurrentPane
from vitviz.ui.jobs import Worker
from vitviz.ui.map_view import MapView
from vitviz.ui.opening import ModelWish, Opener, Wish
from vitviz.ui.pane import Pane
from vitviz.ui.store import State, Store

MOST = 4


class PaneColumn(QWidget):
    """One pane with all that is its own: the store of its state, the opener of its model, its map on the screen.

    `chosen()` when the user clicks into it or brings the keyboard there.
    """

    chosen = Signal()

    def __init__(self, number: int, state: State, worker: Worker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.number = number
        self.store = Store(state, self)
        self.opener = Opener(worker, self, number=number)
        self.pane = Pane(self.store, worker, self, number=number)
        self.map_view = MapView(self.pane, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.map_view)
        self.map_view.view.installEventFilter(self)
        self.map_view.view.viewport().installEventFilter(self)
        self.opener.opened.connect(self.pane.show)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.FocusIn):
            self.chosen.emit()
        return False


class Panes(QWidget):
    """The panes, and what stands for the current one.

    `opened(Opened)` and `failed(Wish, exception)` tell of every pane's opener, `current_changed(PaneColumn)` when
    another pane becomes current. Docks follow `current`. Of what is asked to be opened, a picture is for all panes, a
    model for the current one.
    """

    opened = Signal(object)
    failed = Signal(object, object)
    current_changed = Signal(object)

    def __init__(self, worker: Worker, state: State, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._worker = worker
        self._colors: QColor | None = None
        self.splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self.splitter.setChildrenCollapsible(False)
        self.columns: list[PaneColumn] = []
        first = self._make(0, state)
        self.current_column = first
        self.current = CurrentPane(first.pane, self)
        # After CurrentPane, so that the panels are told of a trace before the window is.
        self._connect(first)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.splitter, 1)

    def __iter__(self) -> Iterator[PaneColumn]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def _make(self, number: int, state: State) -> PaneColumn:
        column = PaneColumn(number, state, self._worker, self)
        self.columns.append(column)
        self.splitter.addWidget(column)
        if self._colors is not None:
            column.map_view.view.set_colors(self._colors)
        return column

    def _connect(self, column: PaneColumn) -> None:
        column.opener.opened.connect(self.opened)
        column.opener.failed.connect(self.failed)
        column.chosen.connect(lambda: self.set_current(column))

    def set_current(self, column: PaneColumn) -> None:
        """Let docks and toolbar speak of another pane."""
        if column is self.current_column or column not in self.columns:
            return
        self.current_column = column
        self.current.follow(column.pane)
        self.current_changed.emit(column)

    @property
    def wish(self) -> Wish:
        """The newest wish of the current pane."""
        return self.current_column.opener.wish

    def open(self, *, picture: Path | Image | None = None, model: ModelWish | None = None) -> None:
        """Ask for another picture in all panes, another model in the current one, or both."""
        given = {name: value for name, value in (("picture", picture), ("model", model)) if value is not None}
        for column in self.columns:
            if column is self.current_column:
                column.opener.open(**cast(Any, given))
            elif picture is not None:
                column.opener.open(picture=picture)

    @Slot()
    def cancel(self) -> None:
        """Give up all running wishes; what is shown stays."""
        for column in self.columns:
            column.opener.cancel()

    def set_colors(self, background: QColor) -> None:
        """The colour around the pictures."""
        self._colors = background
        for column in self.columns:
            column.map_view.view.set_colors(background)

    def fit(self) -> None:
        """Show the whole pictures."""
        for column in self.columns:
            column.map_view.view.fit()

    def show_grid(self, visible: bool) -> None:
        """Draw the patch grids over the maps, or not."""
        for column in self.columns:
            column.map_view.show_grid(visible)

    def announce(self, text: str) -> None:
        """Say what is being done, in every pane that has no map yet."""
        for column in self.columns:
            column.map_view.announce(text)
