"""What the models of the panes cost, measured one after the other in the worker as long as somebody looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.opening import Opened
from vitviz.ui.panes import PaneColumn, Panes

if TYPE_CHECKING:
    from vitviz.attention.costs import Cost

KIND = "cost"


class Costing(QObject):
    """`changed()` when a pane's costs are known, or are no longer those of what it shows.

    Nothing is measured until `watch(True)`.
    """

    changed = Signal()

    def __init__(self, panes: Panes, worker: Worker, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._panes, self._worker = panes, worker
        self._known: dict[int, tuple[Opened, Cost | Exception]] = {}
        self._asked: dict[int, Opened] = {}
        self._watched = False
        for column in panes:
            self._add(column)
        panes.added.connect(self._add)
        for signal in (panes.added, panes.removed):
            signal.connect(self._look)
        worker.finished.connect(self._finished)
        worker.failed.connect(self._failed)
        worker.cancelled.connect(self._cancelled)

    @Slot(object)
    def _add(self, column: PaneColumn) -> None:
        column.pane.traced.connect(self._look)
        column.opener.waiting_changed.connect(self._look)

    def watch(self, on: bool) -> None:
        """Measure what the panes show, now and from now on, or stop."""
        self._watched = on
        if on:
            self._look()

    def costs(self) -> list[Cost | None]:
        """Per pane what its model costs, None as long as that is not known."""
        found = [self._of(column) for column in self._panes]
        return [None if isinstance(cost, Exception) else cost for cost in found]

    def _of(self, column: PaneColumn) -> Cost | Exception | None:
        if column.opener.awaited is not None:
            return None  # what it still shows is no result
        opened, cost = self._known.get(column.number, (None, None))
        return cost if opened is not None and opened is column.pane.opened else None

    @Slot()
    def _look(self, *_: object) -> None:
        """Ask for what is not known yet; a twin costs what its twin does."""
        for column in self._panes if self._watched else ():
            opened = column.pane.opened
            if (
                opened is None
                or column.opener.awaited is not None
                or self._of(column) is not None
                or self._asked.get(column.number) is opened
            ):
                continue
            twin = next((c for o, c in self._known.values() if o is opened), None)
            if twin is not None:
                self._known[column.number] = opened, twin
            elif opened not in self._asked.values():
                self._asked[column.number] = opened
                self._worker.submit(f"{KIND} {column.number}", _work(opened))
        self.changed.emit()

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        if kind.startswith(KIND + " "):
            opened, cost = result
            self._asked.pop(int(kind.split()[1]), None)
            self._known[int(kind.split()[1])] = opened, cost
            self._look()

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Exception) -> None:
        if kind.startswith(KIND + " "):
            pane = int(kind.split()[1])
            if (opened := self._asked.pop(pane, None)) is not None:
                self._known[pane] = opened, error
            self._look()

    @Slot(int, str)
    def _cancelled(self, number: int, kind: str) -> None:
        if kind.startswith(KIND + " "):
            self._asked.pop(int(kind.split()[1]), None)


def _work(opened: Opened) -> Any:
    def work(progress: Progress) -> tuple[Opened, Cost]:
        from vitviz.attention.costs import measure

        return opened, measure(opened.model, opened.image, opened.trace, progress=progress, cancel=progress.cancelled)

    return work
