"""Every test of the window: off screen, with settings of its own, and nothing left behind."""

import gc
import os
import sys
import threading
import weakref

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is imported

import pytest
import shiboken6
from mouse import move_mouse
from pane_cases import settled
from PySide6.QtCore import QCoreApplication, QEvent, Qt, QTimer
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget

from vitviz.ui.jobs import THREAD_NAME, Worker
from vitviz.ui.pane import Pane
from vitviz.ui.store import State, Store


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

    # One that was told to stop may be in a pass of a model still; one that never ends is left behind.
    for worker in _workers() - workers_before:
        worker.join(30)
    if QApplication.instance():
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    if leaks():
        gc.collect()  # slow with torch loaded, so only where it may acquit
    left = leaks()
    if left:
        pytest.fail("left behind: " + "; ".join(left))


@pytest.fixture
def worker(qapp):
    """A worker that has ended when the test has."""
    made = Worker()
    yield made
    assert made.close(5)


@pytest.fixture(scope="session")
def opened(picture, sharp):
    """A picture through a ViT of 6 layers and 2 heads on 10 x 10 patches, with a class token and sharp attention."""
    import vitviz
    from vitviz.models.wish import ModelWish
    from vitviz.ui.opening import Opened, Wish

    model = vitviz.load_model("test_vit", pretrained=False, device="cpu")
    sharp(model.module)
    return Opened(Wish(picture, ModelWish("test_vit", pretrained=False)), picture, model, vitviz.trace(model, picture))


@pytest.fixture(scope="session")
def ragged(picture, make):
    """The same picture through a Swin of four layers with 3, 6, 12 and 24 heads, without a class token."""
    import vitviz
    from vitviz.models.wish import ModelWish
    from vitviz.ui.opening import Opened, Wish

    sizes = {"img_size": (64, 64), "window_size": 4, "embed_dim": 12, "num_classes": 5}
    model = make("swin_tiny_patch4_window7_224", (64, 64), depths=(1, 1, 1, 1), num_heads=(3, 6, 12, 24), **sizes)
    return Opened(Wish(picture, ModelWish("ragged")), picture, model, vitviz.trace(model, picture))


@pytest.fixture
def pair(worker, opened, ragged):
    """Two panes without a window: a ViT of 6 layers, and a Swin of 4 at its second."""
    first, second = Pane(Store(State()), worker), Pane(Store(State(layer=1)), worker, number=1)
    first.show(opened)
    second.show(ragged)
    return first, second


@pytest.fixture
def bare_window(qtbot):
    """The window on the screen, with nothing opened."""
    from vitviz.ui.app import create

    window = create()
    window.first_paint = 0.0  # what was painted before begins no opening
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    yield window
    for box in window.findChildren(QMessageBox):
        box.close()


@pytest.fixture
def window(bare_window, opened):
    """The window with a picture and a model in it."""
    bare_window.opener.opened.emit(opened)
    QApplication.processEvents()
    return bare_window


@pytest.fixture
def parent(qtbot):
    """A widget on the screen, for dialogs and boxes to belong to."""
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.show()
    return widget


@pytest.fixture
def in_front(window):
    """Bring a dock to the front by its title."""

    def show(title):
        window.docks.show(title)
        QApplication.processEvents()

    return show


@pytest.fixture
def run_to_end(qtbot):
    """Press Run of a panel that computes when asked to, and wait for what comes of it."""

    def run(panel):
        qtbot.mouseClick(panel.run, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: not panel.running, timeout=60000)
        return panel.result

    return run


@pytest.fixture
def swin(bare_window, tiny_swin, picture):
    """The window with the padded Swin of two stages in it."""
    import vitviz
    from vitviz.ui.opening import ModelWish, Opened, Wish

    trace = vitviz.trace(tiny_swin, picture)
    bare_window.opener.opened.emit(Opened(Wish(picture, ModelWish("tiny")), picture, tiny_swin, trace))
    QApplication.processEvents()
    return bare_window


@pytest.fixture
def hover():
    """`move_mouse` as a fixture."""
    return move_mouse


@pytest.fixture
def two(window, ragged):
    """A ViT of 6 layers and 2 heads beside a Swin of 4 layers, which is current."""
    window.comparing.add.trigger()
    window.opener.opened.emit(ragged)
    QApplication.processEvents()
    return window


@pytest.fixture
def measured(monkeypatch):
    """The names of the models that were counted."""
    from vitviz.attention import costs

    names, real = [], costs.measure

    def once(model, *args, **how):
        names.append(model.name)
        return real(model, *args, **how)

    monkeypatch.setattr(costs, "measure", once)
    return names


@pytest.fixture
def costed(qtbot, window, measured, ragged):
    """Two panes with their costs measured."""
    window.comparing.add.trigger()
    window.opener.opened.emit(ragged)
    settled(qtbot, window)
    return window


@pytest.fixture
def demo(qtbot, bare_window):
    """The window with a demo picture and the demo that is asked for."""

    from vitviz.ui.opening import ModelWish
    from vitviz.ui.samples import pictures

    def opened(name):
        with qtbot.waitSignal(bare_window.opened, timeout=60_000):
            bare_window.panes.open(picture=pictures()[0], model=ModelWish(name, device="cpu"))
        QApplication.processEvents()
        return bare_window

    return opened
