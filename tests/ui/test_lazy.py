"""Panels follow their pane where they are seen, once they were told of its trace."""

import threading

import pytest
from PySide6.QtWidgets import QApplication

from vitviz.ui.current import CurrentPane
from vitviz.ui.lazy import LazyPanel


class Counting(LazyPanel):
    """Has something of the trace that it was told of, and notes what it is asked to draw of it."""

    def __init__(self, pane):
        super().__init__()
        self.pane, self.has, self.drawn = pane, pane.opened, []
        pane.traced.connect(self.trace)
        self.watch(pane, "layer")

    def trace(self, opened):
        self.has = opened
        self.touch()

    def refresh(self):
        layer = self.pane.store.state.layer
        self.drawn.append((self.has, layer))


@pytest.fixture
def panel(qtbot, pair):
    """The Swin's pane is the current one."""
    panel = Counting(CurrentPane(pair[1]))
    qtbot.addWidget(panel)
    panel.show()
    return panel


def test_change_of_the_layer_is_followed(panel, ragged):
    panel.pane.store.update(layer=2)
    panel.pane.store.update(head=1)
    assert panel.drawn == [(ragged, 2)]


def test_state_of_another_pane_is_not_drawn_of_the_trace_before(panel, pair, opened, ragged):
    panel.pane.follow(pair[0])
    assert panel.drawn == [(opened, 5)]
    panel.pane.follow(pair[1])
    panel.pane.store.update(layer=3)
    assert panel.drawn[1:] == [(ragged, 1), (ragged, 3)]


def test_state_of_another_trace_is_not_drawn_of_the_one_before(panel, pair, opened, ragged):
    pair[1].store.update(layer=3)
    panel.drawn.clear()
    pair[1].show(opened)
    pair[1].store.update(layer=5)
    panel.drawn.clear()
    pair[1].show(ragged)
    assert panel.drawn == [(ragged, 3)]


def test_hidden_panel_draws_what_is_true_when_it_is_shown(panel, pair, opened):
    panel.hide()
    panel.pane.follow(pair[0])
    assert panel.drawn == []
    panel.show()
    assert panel.drawn == [(opened, 5)]


READERS = {
    "Filters": lambda window: window.weights.filters.text,
    "Relative bias": lambda window: window.analysis.bias.title,
    "Positions": lambda window: window.weights.positions.text,
}


@pytest.mark.parametrize("title", READERS)
def test_reading_of_weights_that_was_cancelled_is_said_and_begins_anew_when_shown_again(qtbot, window, in_front, title):
    said, goes_on = READERS[title](window), threading.Event()
    window.worker.submit("before it", lambda progress: goes_on.wait(20))
    in_front(title)
    assert said.text().startswith("Reading")
    window.worker.cancel()
    goes_on.set()
    qtbot.waitUntil(lambda: said.text().startswith("Cancelled"), timeout=20000)
    in_front("Statistics")
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=20000)
    assert said.text().startswith("Cancelled")
    in_front(title)
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=20000)
    QApplication.processEvents()
    assert not said.text().startswith(("Cancelled", "Reading")) and said.text()
