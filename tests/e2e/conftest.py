"""End to end: `cli.main` with a job that the event loop does once the window is there, as a user would."""

import os
import traceback

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is imported

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from vitviz import cli
from vitviz.ui.window import MainWindow


@pytest.fixture(autouse=True)
def config_dir(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("VITVIZ_CONFIG_DIR", str(folder))
    return folder


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


def hover(view, place):
    at = QPointF(view.position_of(place).toPoint())
    target = view.viewport()
    none = Qt.MouseButton.NoButton
    event = QMouseEvent(
        QEvent.Type.MouseMove, at, target.mapToGlobal(at), none, none, Qt.KeyboardModifier.NoModifier
    )  # fmt: skip
    QApplication.sendEvent(target, event)
    QApplication.processEvents()


@pytest.fixture(name="run")
def run_fixture():
    """`run` as a fixture."""
    return run


@pytest.fixture(name="hover")
def hover_fixture():
    """`hover` as a fixture."""
    return hover
