"""The button of a panel that computes when asked to: Run, Cancel while it runs, and a bar that says how far it is."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QProgressBar, QPushButton, QWidget

from vitviz.ui.jobs import Work, Worker
from vitviz.ui.newest import Newest


class RunButton(QPushButton):
    """Runs one job of a kind at a time; its panel decides in a slot of `clicked` what is to run, and places `progress`.

    `done(result)` or `failed(str)` when a run is over, or neither where it was cancelled.
    """

    done = Signal(object)
    failed = Signal(str)

    def __init__(self, worker: Worker, kind: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__("Run", parent)
        self._job = Newest(worker, kind, self)
        self.setToolTip(tip)
        self.setEnabled(False)
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.hide()
        self._job.progressed.connect(self._progressed)
        self._job.finished.connect(self._finished)
        self._job.failed.connect(self._failed)
        self._job.cancelled.connect(self._rest)

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._job.running

    def start(self, work: Work) -> None:
        """Run this."""
        self._job.submit(work)
        self.setText("Cancel")
        self.progress.setValue(0)
        self.progress.show()

    def cancel(self) -> None:
        """Give up what runs."""
        self._job.cancel()

    @Slot(float)
    def _progressed(self, fraction: float) -> None:
        self.progress.setValue(round(1000 * max(fraction, 0.0)))

    @Slot(object)
    def _finished(self, result: Any) -> None:
        self._rest()
        self.done.emit(result)

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        self._rest()
        self.failed.emit(str(error))

    @Slot()
    def _rest(self) -> None:
        self.setText("Run")
        self.progress.hide()
