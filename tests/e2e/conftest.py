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


def run(arguments, job):
    """`cli.main` with `job(window)` done by the event loop once the window is there; its exit status."""
    trouble = []

    def begin():
        try:
            # An earlier window may still wait for the garbage collector, hidden.
            tops = QApplication.topLevelWidgets()
            (window,) = [each for each in tops if isinstance(each, MainWindow) and each.isVisible()]
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
    return status


@pytest.fixture(name="run")
def run_fixture():
    """`run` as a fixture."""
    return run


@pytest.fixture
def hover():
    """Move the mouse to a place of the picture in a view."""
    return lambda view, place: move_mouse(view, view.position_of(place).toPoint())
