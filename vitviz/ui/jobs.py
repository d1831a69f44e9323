"""One worker thread for everything slow, and the one QObject that brings its results to the GUI thread."""

from __future__ import annotations

import contextlib
import math
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from vitviz.errors import Cancelled

THREAD_NAME = "vitviz-worker"
PROGRESS_INTERVAL = 1 / 30  # seconds between two `progressed`


class Progress:
    """What a job is given: call it to report, ask it whether to stop."""

    __slots__ = ("_cancel", "_report")

    def __init__(self, cancel: threading.Event, report: Callable[[float, str], None]) -> None:
        self._cancel = cancel
        self._report = report

    def __call__(self, fraction: float | None, text: str = "") -> None:
        """Report a fraction between 0 and 1, or None where no end is in sight."""
        if fraction is None or not math.isfinite(fraction):
            self._report(-1.0, text)
        else:
            self._report(min(max(float(fraction), 0.0), 1.0), text)

    def cancelled(self) -> bool:
        """Whether the result is no longer wanted."""
        return self._cancel.is_set()

    def check(self) -> None:
        """Raise Cancelled when the result is no longer wanted."""
        if self._cancel.is_set():
            raise Cancelled("The work was cancelled.")


Work = Callable[[Progress], object]


@dataclass(slots=True, eq=False)
class _Job:
    number: int
    kind: str
    work: Work | None
    ends: bool = False  # as it would have: what it has done is told even where it was cancelled too late
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True, eq=False)
class _Event:
    """What the thread has to say: `name` is started, finished, failed or cancelled."""

    name: str
    job: _Job
    content: object = None


class Worker(QObject):
    """Runs jobs one at a time; the newest request of a kind wins, kinds take their turn in order.

    Lives in the GUI thread, as do its callers and all its signals:
    `started(number, kind)`, `progressed(number, kind, fraction, text)` with fraction -1 where unknown and at
    most 30 a second, then exactly one of `finished(number, kind, result)`, `failed(number, kind, exception)`
    and `cancelled(number, kind)`; `busy(bool)` when the first job comes and the last one has gone.
    """

    started = Signal(int, str)
    progressed = Signal(int, str, float, str)
    finished = Signal(int, str, object)
    failed = Signal(int, str, object)
    cancelled = Signal(int, str)
    busy = Signal(bool)
    _woken = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._condition = threading.Condition()  # guards all below; held for microseconds only
        self._waiting: deque[_Job] = deque()
        self._running: _Job | None = None
        self._unsettled: dict[int, _Job] = {}  # submitted, last signal not yet emitted
        self._events: deque[_Event] = deque()
        self._report: tuple[int, str, float, str] | None = None
        self._closed = False
        self._last_number = 0
        self._thread: threading.Thread | None = None
        # The rest belongs to the GUI thread alone.
        self._was_busy = False
        self._last_progress = 0.0
        self._progress_timer = QTimer(self, singleShot=True)
        self._progress_timer.timeout.connect(self._deliver)
        # The signal carries nothing: results wait in a deque that close() can empty, not in Qt's event queue.
        self._woken.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def submit(self, kind: str, work: Work, *, supersede: bool = True) -> int:
        """Queue `work` and return its number, or 0 after `close`.

        A waiting job of this kind is replaced; a running one is asked to cancel and its result dropped,
        unless `supersede` is False: then it ends as it would have, and is told to have finished where it did although
        it was asked to cancel, since its file is written.
        """
        with self._condition:
            if self._closed:
                return 0
            self._cancel(kind, waiting_only=not supersede)
            self._last_number += 1
            job = _Job(self._last_number, kind, work, not supersede)
            self._unsettled[job.number] = job
            self._waiting.append(job)
            if self._thread is None:
                # A daemon, so that a job that never checks can't keep a closed program alive.
                self._thread = threading.Thread(target=self._loop, name=THREAD_NAME, daemon=True)
                self._thread.start()
            self._condition.notify()
        self._wake()
        return job.number

    def cancel(self, kind: str | None = None) -> None:
        """Ask every job of this kind, or every job, to stop; `cancelled` follows when it has."""
        with self._condition:
            self._cancel(kind)
        self._wake()

    @property
    def running(self) -> str:
        """The kind of the job that runs now, "" where none does."""
        job = self._running
        return "" if job is None else job.kind

    def is_busy(self) -> bool:
        """Whether a job waits, runs or has not yet been told of."""
        return bool(self._unsettled)

    def close(self, timeout: float = 5.0) -> bool:
        """Cancel all jobs, join the thread, emit nothing more; False if a job did not stop within `timeout` seconds."""
        with self._condition:
            self._closed = True
            self._cancel(None)
            self._condition.notify()
        if self._thread is not None:
            self._thread.join(timeout)
        with contextlib.suppress(RuntimeError):  # Qt may have deleted the timer with the window
            self._progress_timer.stop()
        with self._condition:
            self._events.clear()
            self._unsettled.clear()
        return self._thread is None or not self._thread.is_alive()

    def _cancel(self, kind: str | None, *, waiting_only: bool = False) -> None:
        waiting = [job for job in self._waiting if kind in (None, job.kind)]
        for job in waiting:
            self._waiting.remove(job)
            job.work = None
            self._events.append(_Event("cancelled", job))
        for job in waiting if waiting_only else self._unsettled.values():
            if kind in (None, job.kind):
                job.cancel.set()

    # In the worker thread.

    def _loop(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        """Run one job in a frame of its own, so that no reference to it outlives it while the thread waits."""
        with self._condition:
            while not self._waiting and not self._closed:
                self._condition.wait()
            if self._closed:
                return False
            job = self._running = self._waiting.popleft()
            self._events.append(_Event("started", job))
        self._wake()
        event = _outcome(job, lambda fraction, text: self._note_progress(job, fraction, text))
        with self._condition:
            job.work = self._running = None
            if not self._closed:
                self._events.append(event)
        self._wake()
        return True

    def _note_progress(self, job: _Job, fraction: float, text: str) -> None:
        with self._condition:
            asleep, self._report = self._report is None, (job.number, job.kind, fraction, text)
        if asleep:  # otherwise the GUI thread knows, and will show the newest
            self._wake()

    def _wake(self) -> None:
        with self._condition:
            # After close() the window may be taking this QObject down this very moment.
            if self._closed:
                return
            try:
                self._woken.emit()
            except RuntimeError:
                # It did so before close() was called: nobody is left to be told.
                self._closed = True

    # In the GUI thread.

    @Slot()
    def _deliver(self) -> None:
        self._note_busy()
        while not self._closed and self._events:
            event = self._events.popleft()
            self._tell(event)
            del event  # the result must not outlive its delivery
        if self._report is not None and not self._progress_timer.isActive():
            wait = self._last_progress + PROGRESS_INTERVAL - time.monotonic()
            if wait <= 0:
                self._show_progress()
            else:
                self._progress_timer.start(math.ceil(wait * 1000))
        self._note_busy()

    def _tell(self, event: _Event) -> None:
        job = event.job
        if event.name == "started":
            self.started.emit(job.number, job.kind)
            return
        with self._condition:
            self._unsettled.pop(job.number, None)
            if self._report is not None and self._report[0] == job.number:
                self._report = None
        if event.name == "cancelled" or (job.cancel.is_set() and not (job.ends and event.name == "finished")):
            self.cancelled.emit(job.number, job.kind)
        elif event.name == "finished":
            self.finished.emit(job.number, job.kind, event.content)
        else:
            self.failed.emit(job.number, job.kind, event.content)

    def _show_progress(self) -> None:
        with self._condition:
            report, self._report = self._report, None
        if report is None or self._closed:
            return
        self._last_progress = time.monotonic()
        job = self._unsettled.get(report[0])
        if job is not None and not job.cancel.is_set():
            self.progressed.emit(*report)

    def _note_busy(self) -> None:
        if self._closed:
            return
        if self.is_busy() != self._was_busy:
            self._was_busy = not self._was_busy
            self.busy.emit(self._was_busy)


def _outcome(job: _Job, report: Callable[[float, str], None]) -> _Event:
    """Run the job and say how it ended; whatever it raises, the thread lives on."""
    work = job.work
    try:
        if work is None or job.cancel.is_set():
            return _Event("cancelled", job)
        return _Event("finished", job, work(Progress(job.cancel, report)))
    except Cancelled:
        return _Event("cancelled", job)
    except BaseException as error:  # noqa: BLE001  SystemExit and MemoryError end the job, not the thread
        _release_frames(error)
        return _Event("failed", job, error)


def _release_frames(error: BaseException) -> None:
    """Empty the frames of a traceback and of its causes: they hold the job's tensors. The line numbers stay."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        traceback.clear_frames(each.__traceback__)
        pending += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
    if error.__traceback__ is not None:  # this module's own frame is still running, so it can't be emptied
        error.__traceback__ = error.__traceback__.tb_next
