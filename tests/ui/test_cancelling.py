"""What the status line says after Cancel: what was given up, and that the picture before it stays."""

import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

import vitviz.errors
from vitviz.models import loading
from vitviz.models.wish import ModelWish


def cancel(qtbot, window):
    qtbot.waitUntil(window.status.cancel.isVisible, timeout=20_000)
    qtbot.mouseClick(window.status.cancel, Qt.MouseButton.LeftButton)
    return window.status.currentMessage()


@pytest.fixture
def endless(monkeypatch):
    """Loading a model never ends, and says what it does."""

    def load_model(source, *, progress, cancel, **options):
        while not cancel():
            progress(0.5, f"Reading {source}")
            time.sleep(0.005)
        raise vitviz.errors.Cancelled("given up")

    monkeypatch.setattr(loading, "load_model", load_model)


def test_model_that_was_given_up_is_named_and_the_shown_one_stays(qtbot, window, endless):
    shown = window.pane.opened
    window.panes.open(model=ModelWish("weights_of_mine.pth", device="cpu"))
    said = cancel(qtbot, window)
    assert said == f"Opening weights_of_mine.pth was cancelled: {shown.model.name} on {shown.image.name} stays."
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=20_000)
    assert window.pane.opened is shown


def test_first_model_that_was_given_up_is_named(qtbot, bare_window, endless):
    bare_window.panes.open(model=ModelWish("weights_of_mine.pth", device="cpu"))
    assert cancel(qtbot, bare_window).startswith("Opening weights_of_mine.pth was cancelled: open a picture")
    qtbot.waitUntil(lambda: not bare_window.worker.is_busy(), timeout=20_000)


def test_work_that_was_given_up_ends_and_is_called_what_it_said_it_did(qtbot, window):
    def work(progress):
        while True:
            progress.check()
            progress(0.5, "Back through layer 3")
            time.sleep(0.005)

    window.worker.submit("some work", work)
    qtbot.waitUntil(lambda: window.status.work.text() == "Back through layer 3", timeout=20_000)
    said = cancel(qtbot, window)
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=20_000)
    QApplication.processEvents()
    assert said == "Cancelled at “Back through layer 3”: what was shown stays."
