"""Every test of the window: off screen, with settings of its own, and nothing left behind."""

import gc
import os
import sys
import threading
import weakref

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is imported

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtWidgets import QApplication

from vitviz.ui.jobs import THREAD_NAME


@pytest.fixture(autouse=True)
def config_dir(tmp_path_factory, monkeypatch):
    """A configuration folder for this test alone."""
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("VITVIZ_CONFIG_DIR", str(folder))
    return folder


def _top_levels():
    return set(QApplication.topLevelWidgets()) if QApplication.instance() else set()


def _workers():
    return {thread for thread in threading.enumerate() if thread.name == THREAD_NAME}


@pytest.fixture(autouse=True)
def no_leaks(config_dir, monkeypatch):
    """Fail a test that leaves a top-level widget, a worker thread or a running timer of ours."""
    widgets_before, workers_before = _top_levels(), _workers()
    timers = []
    start = QTimer.start

    def recording_start(self, *arguments):
        caller = sys._getframe(1)
        if caller.f_globals.get("__name__", "").startswith("vitviz"):
            timers.append((weakref.ref(self), f"{caller.f_code.co_filename}:{caller.f_lineno}"))
        return start(self, *arguments)

    monkeypatch.setattr(QTimer, "start", recording_start)
    yield

    def leaks():
        widgets = [repr(each) for each in _top_levels() - widgets_before]
        workers = [repr(each) for each in _workers() - workers_before]
        alive = [(timer(), place) for timer, place in timers]
        ticking = [place for timer, place in alive if timer and shiboken6.isValid(timer) and timer.isActive()]
        return widgets + workers + ticking

    if QApplication.instance():
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    if leaks():
        gc.collect()  # slow with torch loaded, so only where it may acquit
    left = leaks()
    if left:
        pytest.fail("left behind: " + "; ".join(left))
