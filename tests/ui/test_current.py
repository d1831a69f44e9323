"""What stands for the current pane: by its names and signals the docks see whichever pane that is."""

import pytest
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QApplication

from vitviz.ui.current import CurrentPane, CurrentStore
from vitviz.ui.pane import Pane
from vitviz.ui.store import State, Store

SIGNALS = ("traced", "maps_changed", "map_changed", "restyled")


@pytest.fixture
def current(pair):
    return CurrentPane(pair[0])


@pytest.fixture
def heard(current):
    log = []
    for name in SIGNALS:
        getattr(current, name).connect(lambda value, name=name: log.append((name, value)))
    current.store.changed.connect(lambda old, new: log.append(("changed", new)))
    return log


def signals_of(kind):
    return {name for name, value in vars(kind).items() if isinstance(value, Signal)}


def test_every_signal_of_a_pane_and_of_a_store_is_forwarded():
    assert signals_of(Pane) == signals_of(CurrentPane)
    assert signals_of(Store) == signals_of(CurrentStore)


def test_stands_for_the_pane_by_its_names(current, pair, opened):
    assert current.opened is opened
    assert (current.map, current.maps, current.limits()) == (pair[0].map, pair[0].maps, pair[0].limits())
    current.store.update(layer=2)
    assert pair[0].store.state.layer == 2 == current.store.state.layer
    assert current.store.undo() and pair[0].store.state.layer == 5
    with pytest.raises(AttributeError):
        _ = current.nonsense


def test_another_pane_tells_all_that_it_shows(current, pair, heard, ragged):
    current.follow(pair[1])
    assert heard == [
        ("changed", pair[1].store.state),
        ("traced", ragged),
        ("maps_changed", pair[1].maps),
        ("map_changed", pair[1].map),
    ]
    heard.clear()
    current.follow(pair[1])
    assert heard == []


def test_pane_that_is_not_current_is_not_heard(current, pair, heard):
    current.follow(pair[1])
    heard.clear()
    pair[0].store.update(layer=0, opacity=0.1)
    QApplication.processEvents()
    assert heard == []
    pair[1].store.update(opacity=0.2)
    assert [name for name, _ in heard] == ["restyled", "changed"]


def test_style_of_another_pane_is_told(current, pair, heard):
    pair[1].store.update(opacity=0.9)
    current.follow(pair[1])
    assert ("restyled", pair[1].store.state.style) in heard


def test_pane_that_shows_nothing_yet_says_nothing(current, worker, heard):
    current.follow(Pane(Store(State()), worker, number=2))
    assert [name for name, _ in heard] == ["changed"] and current.opened is None
