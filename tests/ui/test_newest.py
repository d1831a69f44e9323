"""Of the jobs of a kind only the newest is told of, and of that one exactly one end."""

import threading

import pytest

from vitviz.ui.newest import Newest

SIGNALS = ("started", "progressed", "finished", "failed", "cancelled")


@pytest.fixture
def job(worker):
    """A kind of jobs, and what was told of them."""
    made = Newest(worker, "sums", worker)
    told = []
    for name in SIGNALS:
        getattr(made, name).connect(lambda *said, name=name: told.append((name, *said)))
    return made, told


def waiting_for(event, result):
    """Work that ends with `result` once the event is set, and never looks whether it is cancelled."""

    def work(progress):
        event.wait(20)
        return result

    return work


def settle(qtbot, worker):
    qtbot.waitUntil(lambda: not worker.is_busy(), timeout=20000)


def test_a_job_is_told_of_from_beginning_to_end(qtbot, worker, job):
    made, told = job

    def work(progress):
        progress(0.5)
        return "sum"

    assert not made.running
    made.submit(work)
    assert made.running
    settle(qtbot, worker)
    assert told[0] == ("started",) and told[-1] == ("finished", "sum") and not made.running
    assert set(told[1:-1]) <= {("progressed", 0.5)}


def test_of_two_only_the_newer_ends(qtbot, worker, job):
    made, told = job
    go = threading.Event()
    made.submit(waiting_for(go, "old"))
    made.submit(waiting_for(go, "new"))
    go.set()
    settle(qtbot, worker)
    assert [each for each in told if each[0] != "started"] == [("finished", "new")]


def test_jobs_of_other_kinds_are_not_told_of(qtbot, worker, job):
    _, told = job
    worker.submit("products", lambda progress: progress(0.5))
    settle(qtbot, worker)
    assert told == []


def test_failure_is_told_and_another_can_be_asked_for_at_once(qtbot, worker, job):
    made, told = job
    made.failed.connect(lambda error: made.submit(lambda progress: "again"))
    made.submit(lambda progress: 1 // 0)
    settle(qtbot, worker)
    ends = [each for each in told if each[0] != "started"]
    assert [name for name, _ in ends] == ["failed", "finished"] and isinstance(ends[0][1], ZeroDivisionError)


@pytest.mark.parametrize(("way", "ends"), [("cancel", [("cancelled",)]), ("drop", [])])
def test_given_up(qtbot, worker, job, way, ends):
    made, told = job
    go = threading.Event()
    made.submit(waiting_for(go, "late"))
    getattr(made, way)()
    assert made.running is (way == "cancel")
    go.set()
    settle(qtbot, worker)
    assert [each for each in told if each[0] != "started"] == ends and not made.running
