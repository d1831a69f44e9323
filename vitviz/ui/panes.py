"""The middle of the window: one to four panes side by side, one of which is current."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from vitviz.attention.values import Ablation
from vitviz.errors import UnknownArchitectureError, ViewWantedError, VitvizError
from vitviz.images import Image
from vitviz.models.wish import ModelWish
from vitviz.ui.current import CurrentPane
from vitviz.ui.jobs import Worker
from vitviz.ui.loaded import Loaded
from vitviz.ui.opening import NetworkWantedError, Wish
from vitviz.ui.pane_column import PaneColumn
from vitviz.ui.scroller import Scroller
from vitviz.ui.store import State

MOST = 4
_LEAST = QSize(200, 200)  # of the room for all of them


class Panes(QWidget):
    """The panes, and what stands for the current one.

    `opened(Opened)` and `failed(Wish, exception)` tell of every pane's opener, `told(str)` is for the status bar,
    `current_changed(PaneColumn)` when another pane becomes current, `added(PaneColumn)` and `removed(PaneColumn)` when
    there are more or fewer. Docks follow `current`. Of what is asked to be opened, a picture is for all panes, a model
    for the current one.
    """

    opened = Signal(object)
    failed = Signal(object, object)
    told = Signal(str)
    current_changed = Signal(object)
    added = Signal(object)
    removed = Signal(object)

    def __init__(self, worker: Worker, state: State, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._worker, self.loaded = worker, Loaded()
        self.loaded.shown = lambda: [c.pane.opened.model for c in list(self.columns) if c.pane.opened is not None]
        self._colors: QColor | None = None
        self.gap = 0  # where the pane stood that was closed last
        self._grid = False
        self.splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self.splitter.setChildrenCollapsible(False)
        self.columns: list[PaneColumn] = []
        first = self._make(0, state)
        self.current_column = first
        self.current = CurrentPane(first.pane, self)
        # After CurrentPane, so that the panels are told of a trace before the window is.
        self._connect(first)
        self.stack = QSplitter(Qt.Orientation.Vertical, self)
        self.stack.setChildrenCollapsible(False)
        self.stack.addWidget(self.splitter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(Scroller(self.stack, _LEAST, self), 1)

    def put_under(self, widget: QWidget) -> None:
        """Let a widget stand under the panes as long as there are several."""
        self.stack.addWidget(widget)
        self.stack.setSizes([600, 400])
        widget.setVisible(len(self.columns) > 1)
        for signal in (self.added, self.removed):
            signal.connect(lambda _: widget.setVisible(len(self.columns) > 1))

    def __iter__(self) -> Iterator[PaneColumn]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def _make(self, number: int, state: State) -> PaneColumn:
        column = PaneColumn(number, state, self._worker, self.loaded, self)
        self.columns.append(column)
        self.splitter.addWidget(column)
        if self._colors is not None:
            column.map_view.view.set_colors(self._colors)
        column.map_view.show_grid(self._grid)
        return column

    def _connect(self, column: PaneColumn) -> None:
        column.opener.opened.connect(self.opened)
        column.alteration.told.connect(self.told)
        column.opener.failed.connect(lambda wish, error: self._fail(column, wish, error))
        column.chosen.connect(lambda: self.set_current(column))
        column.close_asked.connect(lambda: self.close_column(column))

    def _fail(self, column: PaneColumn, wish: Wish, error: Exception) -> None:
        """Tell it; what needs an answer is asked about the pane that becomes current."""
        if isinstance(error, NetworkWantedError | UnknownArchitectureError | ViewWantedError):
            self.set_current(column)
        self.failed.emit(wish, error)

    @Slot()
    def close_empty(self) -> None:
        """Take the panes away that show nothing and wait for nothing; the last one stays."""
        for column in list(self.columns):
            if column.pane.opened is None and not column.opener.is_waiting:
                self.close_column(column)

    def set_current(self, column: PaneColumn) -> None:
        """Let docks and toolbar speak of another pane."""
        if column is self.current_column or column not in self.columns:
            return
        self.current_column = column
        self._mark()
        self.current.follow(column.pane)
        self.current_changed.emit(column)

    def add(self, model: ModelWish | None = None) -> PaneColumn:
        """Another pane beside the others, which becomes current, with this model or that of the current pane.

        It begins with the state of the current pane, with all heads on. VitvizError where there is no more room.
        """
        if len(self.columns) >= MOST:
            raise VitvizError(f"There are {MOST} panes already, the most that fit: close one first.")
        current = self.current_column
        taken = {column.number for column in self.columns}
        column = self._make(
            min(set(range(MOST)) - taken), replace(current.store.state, hover=None, ablation=Ablation())
        )
        self._connect(column)
        # A twin until its own model is there: the docks always have something to speak of.
        column.opener.adopt(current.opener, current.pane.opened)
        if current.pane.opened is not None:
            # With its heads on, where that was seen.
            column.show_opened(current.alteration.plain or current.pane.opened)
        self._mark()
        self.splitter.setSizes([1000] * len(self.columns))
        self.added.emit(column)
        self.set_current(column)
        if current.pane.opened is None or (model is not None and model != current.pane.opened.wish.model):
            column.opener.open(picture=current.opener.wish.picture, model=model or current.opener.wish.model)
        return column

    def put_at(self, column: PaneColumn, to: int) -> None:
        """Let a pane stand at another place from the left, from 0."""
        self.columns.remove(column)
        self.columns.insert(to, column)
        self.splitter.insertWidget(to, column)

    def close_column(self, column: PaneColumn) -> None:
        """Take a pane away; the last one stays."""
        if len(self.columns) == 1 or column not in self.columns:
            return
        at = self.gap = self.columns.index(column)
        if column is self.current_column:
            self.set_current(self.columns[at - 1] if at else self.columns[1])
        self.columns.remove(column)
        column.opener.cancel()
        column.pane.cancel()
        column.hide()
        column.setParent(None)
        column.deleteLater()
        self._mark()
        # The others grow: what was whole is to fill its new room, what was zoomed into stays.
        for view in (each.map_view.view for each in self.columns):
            if view.shows_all():
                view.fit()
        self.removed.emit(column)

    def _mark(self) -> None:
        """Titles tell panes apart where there are several, and which one is current."""
        for column in self.columns:
            column.title.setVisible(len(self.columns) > 1)
            column.title.show_current(column is self.current_column)
            column.map_view.setMinimumWidth(200 if len(self.columns) == 1 else 120)

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
            column.alteration.cancel()
        self.close_empty()

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
        self._grid = visible
        for column in self.columns:
            column.map_view.show_grid(visible)

    def announce(self, text: str) -> None:
        """Say what is being done, in every pane that has no map yet."""
        for column in self.columns:
            column.map_view.announce(text)
