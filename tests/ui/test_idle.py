"""A window that rests does nothing, and one whose mouse moves is painted, not laid out anew."""

import collections

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QWidget

from vitviz.attention.values import Place
from vitviz.ui.status import Status


class Layouts(QObject):
    """Counts the requests for a new layout that reach widgets of a window."""

    def __init__(self, window):
        super().__init__(window)
        self._window, self._asked = window, collections.Counter()

    def clear(self):
        """Begin again."""
        self._asked.clear()

    @property
    def asked(self):
        """Who asked."""
        return sorted(self._asked)

    def eventFilter(self, watched, event):
        asks = event.type() == QEvent.Type.LayoutRequest and isinstance(watched, QWidget)
        if asks and watched.window() is self._window:
            self._asked[f"{type(watched).__name__} {watched.objectName()}".strip()] += 1
        return False


@pytest.fixture
def layouts(qapp):
    """Begin to count in a window."""
    counting = []

    def count(window):
        counting.append(Layouts(window))
        qapp.installEventFilter(counting[-1])
        return counting[-1]

    yield count
    for each in counting:
        qapp.removeEventFilter(each)


@pytest.fixture(params=["window", "swin", "two"])
def any_window(request, qtbot, monkeypatch):
    """A window with a ViT, with a Swin, or with both, in which all that was begun has ended.

    Its status bar shows neither progress nor words that go after a time: both lay that bar out, and when they come and
    go is a matter of the machine's speed.
    """
    monkeypatch.setattr(Status, "busy", lambda *_: None)
    monkeypatch.setattr(Status, "showMessage", lambda *_: None)
    window = request.getfixturevalue(request.param)
    window.status.clearMessage()
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=30_000)
    qtbot.wait(300)
    return window


def test_a_window_that_rests_lays_nothing_out(any_window, layouts, qtbot):
    counted = layouts(any_window)
    qtbot.wait(300)
    assert not counted.asked


@pytest.fixture
def move_about(any_window, hover, qtbot):
    """Move the mouse to some places of the picture, and let follow what follows."""
    view, (height, width) = any_window.map_view.view, any_window.pane.opened.image.size

    def move():
        for n in range(7):
            hover(view, view.position_of(Place(width * (0.1 + 0.13 * n), height * (0.1 + 0.13 * (n * 3 % 7)))))
            qtbot.wait(5)
        qtbot.waitUntil(lambda: not any_window.worker.is_busy(), timeout=30_000)
        qtbot.wait(20)

    return move


def test_hovering_lays_nothing_out_whatever_panel_is_in_front(any_window, layouts, move_about, qtbot):
    counted, asking = layouts(any_window), {}
    for dock in any_window.docks:
        any_window.docks.show(dock.windowTitle())
        move_about()  # the first time, labels become as high as their words need
        counted.clear()
        move_about()
        asking[dock.windowTitle()] = counted.asked
    assert len(asking) > 10 and not any(asking.values()), asking
