"""A column of the window's middle: one pane, with its title and its map, and all that is its own."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vitviz.attention.values import Place
from vitviz.ui.altering import Alteration
from vitviz.ui.jobs import Worker
from vitviz.ui.loaded import Loaded
from vitviz.ui.map_view import MapView
from vitviz.ui.opening import Opened, Opener
from vitviz.ui.pane import Pane
from vitviz.ui.pane_title import PaneTitle
from vitviz.ui.store import State, Store

_FAINT = 0.3
_BY_KEY = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason, Qt.FocusReason.ShortcutFocusReason)


class PaneColumn(QWidget):
    """One pane with all that is its own: the store of its state, the opener of its model, its map on the screen.

    `chosen()` when the user clicks into it or brings the keyboard there, `close_asked()` from its close button.

    Attributes:
        number: tells its jobs in the worker from those of the others, from 0.
        settling: True while another trace makes its state legal.
    """

    chosen = Signal()
    close_asked = Signal()

    def __init__(
        self, number: int, state: State, worker: Worker, loaded: Loaded, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.number, self.settling = number, False
        self._first_click = False
        self.title = PaneTitle(self)
        self.title.hide()
        self.store = Store(state, self)
        self.opener = Opener(worker, self, number=number, loaded=loaded)
        self.pane = Pane(self.store, worker, self, number=number)
        self.alteration = Alteration(self.pane, worker, self)
        self.map_view = MapView(self.pane, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.title)
        layout.addWidget(self.map_view, 1)
        self.map_view.view.installEventFilter(self)
        self.map_view.view.viewport().installEventFilter(self)
        self.title.pressed.connect(self.chosen)
        self.title.close_asked.connect(self.close_asked)
        self.pane.traced.connect(self.title.show_model)  # of altered models, too
        self.opener.waiting_changed.connect(self._show_waiting)
        self._read: Place | None = None
        self.pane.map_changed.connect(lambda _: self.read(self._read))
        self.opener.opened.connect(self.show_opened)
        self.opener.pictured.connect(self.map_view.show_picture)

    @Slot(object)
    def show_opened(self, opened: Opened) -> None:
        """Show what was opened; the state stays as far as it is legal there."""
        self.settling = True
        try:
            self.pane.show(opened)
        finally:
            self.settling = False

    @Slot()
    def _show_waiting(self) -> None:
        """What is no longer wanted, as another model is being opened, is faint and has another title."""
        awaited = self.opener.awaited
        first = self.pane.opened is None and self.opener.is_waiting
        self.title.show_loading(self.opener.wish.model if first else awaited)
        self.map_view.view.image.setOpacity(1.0 if awaited is None else _FAINT)

    def read(self, place: Place | None) -> None:
        """Say over the pane what its map holds under a place, and say it again when the map is another."""
        self._read = place
        self.title.read(self.pane.weight_at(place) if place is not None else None)

    def take_first_click(self) -> bool:
        """Whether the last press of the mouse was the one that made this pane current; asked once."""
        first, self._first_click = self._first_click, False
        return first

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonPress and watched is self.map_view.view.viewport():
            self._first_click = not self.title.current
            self.chosen.emit()
        # A menu or dialog that closes gives the focus back, too, and chooses nothing.
        by_key = isinstance(event, QFocusEvent) and event.reason() in _BY_KEY
        if by_key and event.type() == QEvent.Type.FocusIn and watched is self.map_view.view:
            self.chosen.emit()
        return False
