"""Maps of methods that take longer than a frame: at once where they are cheap, else in the worker, and remembered."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from vitviz.attention.values import Map, Place, Selection
from vitviz.errors import VitvizError
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.newest import Newest
from vitviz.ui.opening import Opened

AT_ONCE = 1.5e8  # multiplications: about what two cores do between two frames
_REST_MS = 150
_KEPT = 24


class MethodMaps(QObject):
    """Asks for one map at a time; the newest request wins.

    `ready(Map)` when the map that was asked for last is there, `gave_up(reason)` when it could not be had, "" when it
    was cancelled; then the worker's own signals have told it, too.
    """

    ready = Signal(object)
    gave_up = Signal(str)

    def __init__(self, worker: Worker, kind: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._job = Newest(worker, kind, self)
        self._opened: Opened | None = None
        self._asked: Selection | None = None
        self._known: dict[Selection, Map] = {}
        # A place that the mouse only passes is not worth a job.
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._submit)
        self._job.finished.connect(self._finished)
        self._job.failed.connect(lambda error: self._lost(str(error) or type(error).__name__))
        self._job.cancelled.connect(self._lost)

    def ask(self, opened: Opened, selection: Selection, *, hovered: bool = False) -> None:
        """Ask for the map of a selection; `hovered` says that its query is only under the mouse."""
        if self._opened is not opened:
            self._opened = opened
            self._known.clear()
            self._asked = None
        if selection == self._asked and selection not in self._known:
            return  # on its way
        self.drop()
        self._asked = selection
        if (found := self._known.get(selection)) is not None:
            self.ready.emit(found)
        elif (made := self._at_once(opened, selection)) is not None:
            self._take(selection, made)
        elif hovered and isinstance(selection.query, Place):
            self._rest.start()
        else:
            self._submit()

    def drop(self) -> None:
        """Nothing is wanted any more."""
        self._rest.stop()
        self._asked = None
        self._job.drop()

    def cancel(self) -> None:
        """Give up the map that is on its way, and say so."""
        if self._asked is not None and self._asked not in self._known:
            self._rest.stop()
            self._job.cancel()

    def _at_once(self, opened: Opened, selection: Selection) -> Map | None:
        """The map where it is cheap; None elsewhere, and where it can't be had, of which the worker tells why."""
        if selection.method != "rollout":
            return None
        from vitviz.attention.rollout import rollout_cost

        try:
            return _made(opened, selection) if rollout_cost(opened.trace, selection.options) <= AT_ONCE else None
        except VitvizError:
            return None

    @Slot()
    def _submit(self) -> None:
        opened, selection = self._opened, self._asked
        if opened is None or selection is None:
            return

        def work(progress: Progress) -> object:
            return opened, selection, _made(opened, selection, progress)

        self._job.submit(work)

    @Slot(object)
    def _finished(self, result: tuple[Opened, Selection, Map]) -> None:
        opened, selection, found = result
        if opened is self._opened and selection == self._asked:
            self._take(selection, found)

    @Slot()
    def _lost(self, reason: str = "") -> None:
        if self._asked is not None and self._asked not in self._known:
            self._asked = None
            self.gave_up.emit(reason)

    def _take(self, selection: Selection, found: Map) -> None:
        if len(self._known) >= _KEPT:
            self._known.pop(next(iter(self._known)))
        self._known[selection] = found
        self.ready.emit(found)


def _made(opened: Opened, selection: Selection, progress: Progress | None = None) -> Map:
    from vitviz.attention.choosing import chosen_map

    if progress is None:
        return chosen_map(opened.model, opened.image, opened.trace, selection)
    return chosen_map(opened.model, opened.image, opened.trace, selection, progress=progress, cancel=progress.cancelled)
