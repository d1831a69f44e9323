"""The head statistics of what is shown, or the mean over a folder, computed in the worker piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from vitviz.errors import VitvizError
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.newest import Newest

if TYPE_CHECKING:
    from vitviz.attention.statistics import HeadStatistics, LayerStatistics
    from vitviz.attention.tables import Mean
    from vitviz.attention.trace import Trace
    from vitviz.models.model import Model

KIND = "head statistics"


class HeadNumbers(QObject):
    """Computes the statistics of a trace, one layer a job, or of a folder, one picture a job.

    So hovering and opening take their turn in between. `changed()` when `found` is another; `told(str)` with what is
    being done or why it stopped.
    """

    changed = Signal()
    told = Signal(str)

    def __init__(self, worker: Worker, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.found: HeadStatistics | None = None
        self._job = Newest(worker, KIND, self)
        self._trace: Trace | None = None
        self._layers: list[LayerStatistics] = []
        self._model: Model | None = None
        self._files: list[Path] = []
        self._mean: Mean | None = None
        self._skipped: list[str] = []
        self._job.finished.connect(self._finished)
        self._job.failed.connect(self._failed)
        self._job.cancelled.connect(self._cancelled)

    @property
    def running(self) -> bool:
        """Whether something is being computed."""
        return self._job.running

    @property
    def off(self) -> tuple[tuple[int, int], ...]:
        """The heads that were off in what is shown; a folder is passed through the model as it is."""
        return self._trace.ablation.heads if self._trace is not None else ()

    def compute(self, trace: Trace) -> None:
        """Find the statistics of this trace; `found` is None until they are there."""
        self.forget()
        self._trace = trace
        self._next()

    def compute_folder(self, model: Model, files: list[Path]) -> None:
        """Find the mean over these pictures; what was found before stays until then."""
        from vitviz.attention.tables import Mean

        self.cancel()
        self._trace, self._layers = None, []
        self._model, self._files, self._mean, self._skipped = model, files, Mean(), []
        self._next()

    def forget(self) -> None:
        """Nothing is shown any more, or something else."""
        self._job.drop()
        self._trace, self._layers, self._model, self._files, self._mean = None, [], None, [], None
        if self.found is not None:
            self.found = None
            self.changed.emit()

    @Slot()
    def cancel(self) -> None:
        """Give up what is running."""
        self._job.cancel()

    def _next(self) -> None:
        """Submit the next layer or picture, or be done."""
        trace, model = self._trace, self._model
        work: Callable[[Progress], Any]
        if trace is not None and len(self._layers) < len(trace.layers):
            at, count = len(self._layers), len(trace.layers)

            def work(progress: Progress) -> Any:
                from vitviz.attention.statistics import layer_statistics

                progress(at / count, f"Head statistics, layer {at}")
                return layer_statistics(trace.layers[at], progress.cancelled)
        elif trace is not None:
            from vitviz.attention.statistics import gathered

            self._done(gathered(trace, self._layers), "")
            return
        elif model is not None and self._mean is not None and self._files:
            path, left = self._files[0], len(self._files)
            done = len(self._mean) + len(self._skipped)
            self.told.emit(f"{path.name}, {done + 1} of {done + left} pictures")

            def work(progress: Progress) -> Any:
                from vitviz.attention.statistics import head_statistics
                from vitviz.attention.trace import trace as run
                from vitviz.images import read_image

                progress(done / (done + left), f"Head statistics of {path.name}, {done + 1} of {done + left}")
                seen = run(model, read_image(path), features=False, cancel=progress.cancelled)
                return head_statistics(seen, cancel=progress.cancelled)
        else:
            self._end_folder()
            return
        self._job.submit(work)

    def _end_folder(self) -> None:
        mean, self._mean, self._model = self._mean, None, None
        if mean is None:
            return
        skipped = f"; left out: {', '.join(self._skipped[:3])}" if self._skipped else ""
        if len(mean):
            self._done(mean.result(), skipped)
        else:
            self.told.emit(f"None of the pictures could be read{skipped}")

    def _done(self, found: HeadStatistics, skipped: str) -> None:
        self.found = found
        several = len(found.pictures)
        words = f"mean over {several} pictures" if several > 1 else found.pictures[0]
        self.told.emit(f"{found.model_name}, {words}{skipped}")
        self.changed.emit()

    @Slot(object)
    def _finished(self, result: Any) -> None:
        if self._mean is not None:
            self._mean.add(result)
            self._files = self._files[1:]
        else:
            self._layers.append(result)
        self._next()

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        if self._mean is not None and isinstance(error, VitvizError):
            # One bad file among many is no reason to lose the others.
            self._skipped.append(self._files[0].name)
            self._files = self._files[1:]
            self._next()
            return
        self._mean = None
        self.told.emit(str(error) or type(error).__name__)

    @Slot()
    def _cancelled(self) -> None:
        self._mean, self._files = None, []
        self.told.emit("Cancelled.")
