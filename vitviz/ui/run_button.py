"""The button of a panel that computes when asked to: Run, Cancel while it runs, and a bar that says how far it is."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QProgressBar, QPushButton, QWidget

from vitviz.ui.jobs import Work, Worker


class RunButton(QPushButton):
    """Runs one job of a kind at a time; its panel decides in a slot of `clicked` what is to run, and places `progress`.

    `ended()` whenever a run is over, then `done(result)` or `failed(str)`, or neither where it was cancelled.
    """

    ended = Signal()
    done = Signal(object)
    failed = Signal(str)

    def __init__(self, worker: Worker, kind: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__("Run", parent)
        self._worker, self._kind = worker, kind
        self._number = -1
        self.setToolTip(tip)
        self.setEnabled(False)
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.hide()
        worker.progressed.connect(self._progressed)
        worker.finished.connect(self._finished)
        worker.failed.connect(self._failed)
        worker.cancelled.connect(self._cancelled)

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._number >= 0

    def start(self, work: Work) -> None:
        """Run this."""
        self._number = self._worker.submit(self._kind, work)
        self.setText("Cancel")
        self.progress.setValue(0)
        self.progress.show()

    def cancel(self) -> None:
        """Give up what runs."""
        self._worker.cancel(self._kind)

    @Slot(int, str, float, str)
    def _progressed(self, number: int, kind: str, fraction: float, text: str) -> None:
        if number == self._number:
            self.progress.setValue(round(1000 * max(fraction, 0.0)))

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        if number == self._number:
            self._end()
            self.done.emit(result)

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Exception) -> None:
        if number == self._number:
            self._end()
            self.failed.emit(str(error))

    @Slot(int, str)
    def _cancelled(self, number: int, kind: str) -> None:
        if number == self._number:
            self._end()

    def _end(self) -> None:
        self._number = -1
        self.setText("Run")
        self.progress.hide()
        self.ended.emit()
