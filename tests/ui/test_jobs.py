"""One job at a time, the newest wins, and the worker outlives whatever a job does."""

import gc
import threading
import time
import weakref

import numpy as np
import pytest
from PySide6.QtCore import Qt, QThread, QTimer

from vitviz.errors import Cancelled
from vitviz.ui.jobs import THREAD_NAME, Worker

SIGNALS = ("started", "progressed", "finished", "failed", "cancelled", "busy")


class Payload:
    """Something a weak reference can follow."""


@pytest.fixture
def log(worker):
    """All signals in order, each as (name, *arguments)."""
    entries = []
    for name in SIGNALS:
        getattr(worker, name).connect(lambda *arguments, name=name: entries.append((name, *arguments)))
    return entries


def wait_idle(qtbot, worker):
    qtbot.waitUntil(lambda: not worker.is_busy(), timeout=30000)


def until_cancelled(progress):
    while True:
        progress.check()
        time.sleep(0.001)


def test_result_arrives_in_gui_thread(qtbot, worker, log):
    threads = []
    worker.finished.connect(lambda *_: threads.append(QThread.currentThread()))
    number = worker.submit("trace", lambda _progress: threading.current_thread().name)
    wait_idle(qtbot, worker)
    assert log == [
        ("busy", True),
        ("started", number, "trace"),
        ("finished", number, "trace", THREAD_NAME),
        ("busy", False),
    ]
    assert threads == [worker.thread()]


@pytest.mark.parametrize("result", [None, True, {"a": 1}, [1, 2], (1, 2), 2**70])
def test_results_come_as_they_were(qtbot, worker, log, result):
    worker.submit("trace", lambda _progress: result)
    wait_idle(qtbot, worker)
    assert log[2][3] is result


def test_kinds_take_their_turn_one_at_a_time(qtbot, worker, log):
    running = []

    def work(_progress):
        running.append(1)
        time.sleep(0.01)
        assert len(running) == 1
        running.pop()

    for kind in "abcd":
        worker.submit(kind, work)
    wait_idle(qtbot, worker)
    assert [entry[2] for entry in log if entry[0] == "finished"] == list("abcd")


def test_newest_of_a_kind_replaces_waiting_and_running(qtbot, worker, log):
    ran = []
    first = worker.submit("trace", until_cancelled)
    qtbot.waitUntil(lambda: ("started", first, "trace") in log)
    second = worker.submit("trace", lambda _progress: ran.append("second"))
    third = worker.submit("trace", lambda _progress: ran.append("third"))
    wait_idle(qtbot, worker)
    ends = [entry[:2] for entry in log if entry[0] in ("finished", "cancelled")]
    assert sorted(ends) == [("cancelled", first), ("cancelled", second), ("finished", third)]
    assert ran == ["third"]


def test_late_result_of_superseded_job_is_dropped(qtbot, worker, log):
    deaf = worker.submit("trace", lambda _progress: time.sleep(0.05))
    qtbot.waitUntil(lambda: ("started", deaf, "trace") in log)
    worker.submit("trace", lambda _progress: "new")
    wait_idle(qtbot, worker)
    assert ("cancelled", deaf, "trace") in log
    assert [entry[3] for entry in log if entry[0] == "finished"] == ["new"]


def test_result_that_waits_for_delivery_is_dropped_too(qtbot, worker, log):
    done = threading.Event()
    old = worker.submit("trace", lambda _progress: done.set())
    assert done.wait(5)
    time.sleep(0.02)  # the result is queued; no event loop has run since
    new = worker.submit("trace", lambda _progress: None)
    wait_idle(qtbot, worker)
    assert [entry[:2] for entry in log if entry[0] in ("finished", "cancelled")] == [
        ("cancelled", old),
        ("finished", new),
    ]


def test_without_supersede_the_running_job_ends_as_it_would(qtbot, worker, log):
    go = threading.Event()
    first = worker.submit("export", lambda _progress: go.wait(5))
    qtbot.waitUntil(lambda: ("started", first, "export") in log)
    waiting = worker.submit("export", lambda _progress: None, supersede=False)
    last = worker.submit("export", lambda _progress: None, supersede=False)
    go.set()
    wait_idle(qtbot, worker)
    assert [entry[1] for entry in log if entry[0] == "finished"] == [first, last]
    assert ("cancelled", waiting, "export") in log


def test_a_cancelled_job_stops_at_its_first_check_and_a_waiting_one_never_runs(qtbot, worker, log):
    steps, reached, cancelled = [], threading.Event(), threading.Event()

    def work(progress):
        for step in range(100):
            progress.check()
            steps.append(step)
            if step == 3:
                reached.set()
                assert cancelled.wait(30)

    worker.submit("trace", work)
    worker.submit("other", lambda _progress: steps.append("other"))
    assert reached.wait(30)
    worker.cancel()  # returns although the job has not stopped
    assert steps == [0, 1, 2, 3] and worker.running == "trace"
    cancelled.set()
    wait_idle(qtbot, worker)
    assert steps == [0, 1, 2, 3]
    assert sum(entry[0] == "cancelled" for entry in log) == 2


def test_a_job_that_never_checks_holds_nobody_up(qtbot, worker, log):
    entered, released = threading.Event(), threading.Event()

    def deaf(progress):
        progress(0.5, "deaf")
        entered.set()
        assert released.wait(30)

    worker.submit("trace", deaf)
    assert entered.wait(30)
    later = worker.submit("trace", lambda _progress: "new")
    worker.cancel("other")
    assert worker.is_busy() and worker.running == "trace" and not released.is_set()
    qtbot.waitUntil(lambda: ("started", later - 1, "trace") in log)
    assert not released.is_set()
    released.set()
    wait_idle(qtbot, worker)
    assert [entry[3] for entry in log if entry[0] == "finished"] == ["new"]


def test_cancel_of_one_kind_leaves_the_other(qtbot, worker, log):
    worker.submit("trace", until_cancelled)
    worker.submit("export", lambda _progress: "kept")
    worker.cancel("trace")
    wait_idle(qtbot, worker)
    assert [entry[3] for entry in log if entry[0] == "finished"] == ["kept"]


@pytest.mark.parametrize(
    "error", [ValueError("bad"), MemoryError(), SystemExit(3), GeneratorExit(), RecursionError(), KeyboardInterrupt()]
)
def test_worker_outlives_any_exception(qtbot, worker, log, error):
    def fail(_progress):
        raise error

    worker.submit("trace", fail)
    wait_idle(qtbot, worker)
    assert log[2][0] == "failed"
    assert log[2][3] is error
    worker.submit("trace", lambda _progress: "alive")
    wait_idle(qtbot, worker)
    assert log[-2][3] == "alive"


def test_work_may_cancel_itself(qtbot, worker, log):
    def stop(_progress):
        raise Cancelled("no more")

    worker.submit("trace", stop)
    wait_idle(qtbot, worker)
    assert log[2][0] == "cancelled"


def test_result_is_freed_once_delivered(qtbot, worker):
    seen = []
    worker.finished.connect(lambda _number, _kind, result: seen.append(weakref.ref(result)))
    worker.submit("trace", lambda _progress: Payload())
    wait_idle(qtbot, worker)
    assert seen[0]() is None


def test_result_of_cancelled_job_is_freed(qtbot, worker):
    kept = []

    def work(_progress):
        result = Payload()
        kept.append(weakref.ref(result))
        time.sleep(0.02)
        return result

    worker.submit("trace", work)
    qtbot.waitUntil(lambda: bool(kept))
    worker.cancel()
    wait_idle(qtbot, worker)
    assert kept[0]() is None


def test_work_is_freed_when_done(qtbot, worker):
    payload = Payload()
    reference = weakref.ref(payload)
    worker.submit("trace", lambda _progress, payload=payload: None)
    del payload
    wait_idle(qtbot, worker)
    assert reference() is None


def test_failure_keeps_line_numbers_but_not_the_locals(qtbot, worker, log):
    kept = []

    def fail(_progress):
        tensor = Payload()
        kept.append(weakref.ref(tensor))
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ValueError("outer") from error

    worker.submit("trace", fail)
    wait_idle(qtbot, worker)
    gc.collect()
    error = log[2][3]
    assert kept[0]() is None
    assert error.__traceback__.tb_frame.f_code.co_name == "fail"
    assert error.__cause__.__traceback__ is not None


def test_progress_is_throttled_and_ends_with_the_newest(qtbot, worker, log):
    released = threading.Event()

    def work(progress):
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            progress(0.5, "busy")
        progress(None, "last")
        released.wait(5)

    worker.submit("trace", work)
    qtbot.waitUntil(lambda: any(entry[0] == "progressed" and entry[4] == "last" for entry in log))
    released.set()
    wait_idle(qtbot, worker)
    reports = [entry for entry in log if entry[0] == "progressed"]
    assert 5 <= len(reports) <= 18
    assert reports[-1][3] == -1.0


@pytest.mark.parametrize(("given", "shown"), [(-1, 0.0), (7, 1.0), (0.25, 0.25), (float("nan"), -1.0), (None, -1.0)])
def test_fraction_is_kept_between_zero_and_one(qtbot, worker, log, given, shown):
    released = threading.Event()

    def work(progress):
        progress(given)
        released.wait(5)

    worker.submit("trace", work)
    qtbot.waitUntil(lambda: any(entry[0] == "progressed" for entry in log))
    released.set()
    wait_idle(qtbot, worker)
    assert next(entry for entry in log if entry[0] == "progressed")[3] == shown


def test_cancelled_job_reports_no_more(qtbot, worker, log):
    def work(progress):
        while not progress.cancelled():
            time.sleep(0.001)
        progress(0.9, "too late")
        time.sleep(0.05)

    worker.submit("trace", work)
    qtbot.waitUntil(lambda: any(entry[0] == "started" for entry in log))
    worker.cancel("trace")
    wait_idle(qtbot, worker)
    assert not [entry for entry in log if entry[0] == "progressed"]


def test_gui_thread_keeps_its_beat_under_a_storm_of_requests(qtbot, worker, log):
    beats, left = [], list(range(300))

    def beat():
        beats.append((time.thread_time(), len(log)))  # of this thread alone: another's load is none of its work
        if left:
            left.pop()
            worker.submit("trace", lambda progress: [progress(0.1, "x") or progress.check() for _ in range(50)])

    timer = QTimer()
    timer.timeout.connect(beat)
    timer.start(1)
    qtbot.waitUntil(lambda: not left and not worker.is_busy(), timeout=60_000)
    timer.stop()
    seconds, told = (np.diff(column) for column in zip(*beats, strict=True))
    assert max(seconds) <= 0.05
    assert max(told) <= 12  # what is told between two beats: no more than a few jobs end, start and report
    assert sum(entry[0] in ("finished", "cancelled") for entry in log) == 300


def test_job_may_be_submitted_from_a_slot(qtbot, worker, log):
    worker.finished.connect(lambda _n, kind, _r: worker.submit("b", lambda _p: None) if kind == "a" else None)
    worker.submit("a", lambda _progress: None)
    wait_idle(qtbot, worker)
    assert [entry[2] for entry in log if entry[0] == "finished"] == ["a", "b"]


def test_close_cancels_joins_and_is_silent(qtbot, worker, log):
    worker.submit("trace", until_cancelled)
    worker.submit("other", until_cancelled)
    qtbot.waitUntil(lambda: any(entry[0] == "started" for entry in log))
    count = len(log)
    assert worker.close(2)
    qtbot.wait(20)
    assert len(log) == count
    assert worker.submit("trace", lambda _progress: None) == 0
    assert not worker.is_busy()


def test_close_says_when_a_job_does_not_stop(qtbot):
    worker, released = Worker(), threading.Event()
    worker.submit("trace", lambda _progress: released.wait(5))
    time.sleep(0.02)
    assert not worker.close(0.05)
    released.set()
    assert worker.close(5)


def test_nothing_is_emitted_after_close_by_a_job_that_runs_on(qtbot):
    worker, go, emitted = Worker(), threading.Event(), []
    worker._woken.connect(lambda: emitted.append(threading.current_thread()), Qt.ConnectionType.DirectConnection)
    worker.submit("stubborn", lambda progress: (go.wait(20), progress(0.5), progress(1.0)))
    qtbot.waitUntil(lambda: worker.running == "stubborn", timeout=20000)
    assert emitted and not worker.close(timeout=0)
    emitted.clear()
    go.set()
    worker._thread.join(20)
    assert emitted == []


def test_unused_worker_has_no_thread(qapp):
    worker = Worker()
    assert worker.close()
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


def test_thread_survives_the_death_of_its_object(qtbot):
    worker, released = Worker(), threading.Event()
    worker.submit("trace", lambda _progress: released.wait(5))
    worker.deleteLater()
    qtbot.wait(20)
    released.set()
    assert worker.close(5)


def test_what_was_written_before_cancel_came_to_it_is_told(qtbot, worker, log):
    begun, go = threading.Event(), threading.Event()

    def write(_progress):
        begun.set()
        assert go.wait(10)
        return "written"

    worker.submit("export", write, supersede=False)
    assert begun.wait(10)
    worker.cancel("export")
    go.set()
    wait_idle(qtbot, worker)
    assert [entry[3] for entry in log if entry[0] == "finished"] == ["written"]
