"""End to end: `cli.main` with a job that the event loop does once the window is there, as a user would."""

import os
import traceback

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is imported

import pytest
from mouse import move_mouse
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from vitviz import cli
from vitviz.ui.window import MainWindow


@pytest.fixture(autouse=True)
def own_settings(config_dir):
    """Every run begins with settings of its own."""


def windows():
    """Those that are there, be they on the screen or not."""
    return [each for each in QApplication.topLevelWidgets() if isinstance(each, MainWindow)]


def run(arguments, job):
    """`cli.main` with `job(window)` done by the event loop once the window is there; its exit status."""
    trouble = []

    def begin():
        try:
            (window,) = windows()
            job(window)
            window.close()
        except BaseException as error:  # noqa: BLE001  told outside of the event loop
            traceback.print_exc()
            trouble.append(error)
            QApplication.closeAllWindows()
            QApplication.quit()

    QTimer.singleShot(0, begin)
    status = cli.main(arguments)
    if trouble:
        raise trouble[0]
    # Left to the garbage collector it might be deleted in the worker of the next one.
    assert windows() == []
    return status


@pytest.fixture(name="run")
def run_fixture():
    """`run` as a fixture."""
    return run


@pytest.fixture
def hover():
    """Move the mouse to a place of the picture in a view."""
    return lambda view, place: move_mouse(view, view.position_of(place).toPoint())
