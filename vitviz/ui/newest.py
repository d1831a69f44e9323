"""The newest job of one kind, followed from its beginning to its end; what became of older ones is nobody's concern."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from vitviz.ui.jobs import Work, Worker


class Newest(QObject):
    """Submits jobs of a kind and tells of the last one alone.

    `started()` and `progressed(fraction)`, -1 where unknown, on its way; then, when it is no longer `running`, exactly
    one of `finished(result)`, `failed(exception)` and `cancelled()`, or none of them after `drop`.
    """

    started = Signal()
    progressed = Signal(float)
    finished = Signal(object)
    failed = Signal(object)
    cancelled = Signal()

    def __init__(self, worker: Worker, kind: str, parent: QObject) -> None:
        super().__init__(parent)
        self._worker, self._kind = worker, kind
        self._number = 0
        worker.started.connect(self._started)
        worker.progressed.connect(self._progressed)
        worker.finished.connect(self._finished)
        worker.failed.connect(self._failed)
        worker.cancelled.connect(self._cancelled)

    @property
    def running(self) -> bool:
        """Whether a job waits or runs."""
        return self._number > 0

    def submit(self, work: Work) -> None:
        """Run this instead of what runs."""
        self._number = self._worker.submit(self._kind, work)

    @Slot()
    def cancel(self) -> None:
        """Ask the job to stop; `cancelled` follows when it has."""
        if self.running:
            self._worker.cancel(self._kind)

    def drop(self) -> None:
        """Give the job up and say no more about it."""
        self.cancel()
        self._number = 0

    def _ends(self, number: int) -> bool:
        """Whether this is the end of the job that is followed."""
        if number != self._number:
            return False
        self._number = 0
        return True

    @Slot(int, str)
    def _started(self, number: int, kind: str) -> None:
        if number == self._number:
            self.started.emit()

    @Slot(int, str, float, str)
    def _progressed(self, number: int, kind: str, fraction: float, text: str) -> None:
        if number == self._number:
            self.progressed.emit(fraction)

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        if self._ends(number):
            self.finished.emit(result)

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Exception) -> None:
        if self._ends(number):
            self.failed.emit(error)

    @Slot(int, str)
    def _cancelled(self, number: int, kind: str) -> None:
        if self._ends(number):
            self.cancelled.emit()
