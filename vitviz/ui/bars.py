"""The bars around the panels: menus and tools above, the status below, and what they say of all that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QToolBar

from vitviz.ui.controls import ViewControls
from vitviz.ui.menus import Menus
from vitviz.ui.method_controls import MethodControls
from vitviz.ui.pane_title import wish_text
from vitviz.ui.status import Status

if TYPE_CHECKING:
    from vitviz.ui.window import MainWindow

_TOLD = 8000  # milliseconds that a word stays in the status bar


class Bars(QObject):
    """Made once the window has its panels and commands; the status bar's Cancel gives up whatever runs."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.menus = Menus(window)
        self.controls = ViewControls(window.store, window)
        self.method_controls = MethodControls(window.store, window.pane, window)
        self.status = Status(window.pane, window)
        window.addToolBar(self._files())
        window.addToolBar(self.method_controls)
        window.addToolBarBreak()
        window.addToolBar(self.controls)
        window.setStatusBar(self.status)
        self._follow_work()
        self._listen()

    def _files(self) -> QToolBar:
        bar = QToolBar("Files", self._window)
        bar.setObjectName("files")
        bar.addAction(self.menus.open_picture)
        bar.addWidget(self.menus.model_button())
        bar.addAction(self.menus.export)
        bar.addWidget(self._window.comparing.button())
        bar.addWidget(self._window.docks.button(self.menus.panels))
        return bar

    def _follow_work(self) -> None:
        window = self._window
        self._kind = ""  # of the job whose progress is told
        window.worker.progressed.connect(self._progressed)
        window.worker.busy.connect(self._busy)
        self.status.cancel_asked.connect(self._cancel)

    def _listen(self) -> None:
        window = self._window
        for teller in (
            window.panes,
            window.browsing,
            window.comparing,
            window.closed_panes,
            window.exporter,
            window.saver,
            window.restorer,
            window.folder_exporter,
            window.weights,
            window.analysis,
            self.method_controls.target,
        ):
            teller.told.connect(self._say)

    @Slot()
    def _cancel(self) -> None:
        window = self._window
        self._say(self._given_up())
        for runner in (window.panes, window.costing, window.folder_exporter, window.analysis, window.pane.methods):
            runner.cancel()
        if self._kind:
            window.worker.cancel(self._kind)

    def _given_up(self) -> str:
        """What Cancel ends, and that what is on the screen stays."""
        column = next((c for c in self._window.panes if c.opener.is_waiting), None)
        if column is None:
            what = self.status.doing
            return f"Cancelled at “{what}”: what was shown stays." if what else "Cancelled: what was shown stays."
        wish, shown = column.opener.wish, column.pane.opened
        if shown is None:
            return f"Opening {wish_text(wish.model)} was cancelled: open a picture or a model when you like."
        other = wish_text(wish.model)
        if wish.model == shown.wish.model and wish.picture is not None:
            other = wish.picture.name
        return f"Opening {other} was cancelled: {shown.model.name} on {shown.image.name} stays."

    @Slot(str)
    def _say(self, text: str) -> None:
        self.status.showMessage(text, _TOLD)

    @Slot(int, str, float, str)
    def _progressed(self, number: int, kind: str, fraction: float, text: str) -> None:
        self._kind = kind
        self.status.busy(fraction, text)
        self._window.panes.announce(text)

    @Slot(bool)
    def _busy(self, busy: bool) -> None:
        if busy:
            self.status.begin()
        else:
            self._kind = ""
            self.status.idle()
