"""From what is asked for to what is shown."""

import threading

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

import vitviz
from vitviz.attention.values import Place
from vitviz.images import Image
from vitviz.ui import pane as panes
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.store import State, Store

CENTRE = Place(62.0, 42.0)


@pytest.fixture
def pane(worker, opened):
    made = Pane(Store(State()), worker)
    made.show(opened)
    return made


@pytest.fixture
def heard(pane):
    log = []
    for name in ("traced", "maps_changed", "map_changed", "restyled"):
        getattr(pane, name).connect(lambda value, name=name: log.append(name))
    return log


def settle():
    QApplication.processEvents()


def test_shown_trace_begins_with_the_last_layer_and_its_default_query(pane):
    assert (pane.store.state.layer, pane.store.reality.heads) == (5, (2,) * 6)
    assert pane.map.selection.layer == 5
    assert (pane.map.selection.head, pane.map.selection.query) == ("mean", "cls")


@pytest.mark.parametrize("query", [CENTRE, "mean", "cls"])
@pytest.mark.parametrize("direction", ["from", "to"])
@pytest.mark.parametrize("head", [0, "max"])
def test_shown_map_is_the_attention_that_was_asked_for(pane, opened, query, direction, head):
    pane.store.update(layer=2, head=head, query=query, direction=direction)
    settle()
    wanted = vitviz.attention_map(opened.trace, layer=2, head=head, query=query, direction=direction)
    assert np.allclose(pane.map.values, wanted.values, atol=1e-6)
    assert pane.map.selection == wanted.selection
    assert pane.map.query_cell == wanted.query_cell


def test_mouse_is_the_query_until_something_is_pinned(pane):
    pane.store.update(hover=CENTRE)
    settle()
    assert pane.map.selection.query == CENTRE
    pane.store.update(query="mean")
    pane.store.update(hover=Place(20, 20))
    settle()
    assert pane.map.selection.query == "mean"
    pane.store.update(query=None)
    settle()
    assert pane.map.selection.query == Place(20, 20)


def test_burst_of_mouse_moves_is_answered_once_for_the_last_place(pane, heard):
    for x in range(40):
        pane.store.update(hover=Place(40 + x, 40))
    settle()
    assert heard == ["maps_changed", "map_changed"]
    assert pane.map.selection.query == Place(79, 40)


def test_other_head_or_layer_takes_the_maps_that_are_there(pane, heard, monkeypatch):
    maps = pane.maps
    pane.store.update(head=1)
    pane.store.update(layer=0)
    settle()
    assert heard == ["map_changed", "map_changed"]
    assert pane.maps is maps and pane.map.selection.layer == 0
    assert np.array_equal(pane.map.values, maps.values[0][1])


def test_style_computes_nothing(pane, heard):
    shown = pane.map
    pane.store.update(opacity=0.1)
    settle()
    assert heard == ["restyled"] and pane.map is shown


@pytest.mark.parametrize("limits", ["map", "layer", "all", (0.1, 0.2)])
def test_limits_are_of_the_shown_map(pane, limits):
    pane.store.update(layer=1, head=0, limits=limits)
    settle()
    own, layer, every = pane.map.values, pane.maps.values[1], pane.maps.values
    wanted = {
        "map": (own.min(), own.max()),
        "layer": (0, layer.max()),
        "all": (0, max(values.max() for values in every)),
    }
    assert pane.limits() == pytest.approx(wanted.get(limits, limits) if isinstance(limits, str) else limits)


def test_limits_before_anything_is_shown_are_harmless(worker):
    assert Pane(Store(), worker).limits() == (0.0, 1.0)


def test_weight_under_a_place_is_that_of_its_patch(pane, opened):
    pane.store.update(layer=3, head=1, query=CENTRE)
    settle()
    row = opened.trace.weights(3, heads=1, queries=pane.map.query_cell[0] * 10 + pane.map.query_cell[1] + 1)[0, 0]
    for place in (Place(30.0, 12.0), Place(62.0, 42.0), Place(100.0, 80.0)):
        (r, c), weight = pane.weight_at(place)
        assert weight == pytest.approx(row[1 + r * 10 + c], abs=1e-6)
        x0, y0 = opened.trace.view.to_picture(c * 16, r * 16)
        x1, y1 = opened.trace.view.to_picture(c * 16 + 16, r * 16 + 16)
        assert x0 <= place.x < x1 and y0 <= place.y < y1


def test_no_weight_where_the_model_saw_nothing(pane):
    assert pane.weight_at(Place(2.0, 45.0)) is None  # the centre crop cuts the sides off


def test_costly_maps_are_made_in_the_worker_and_the_newest_wins(qtbot, pane, monkeypatch, worker):
    from vitviz.attention import maps

    monkeypatch.setattr(panes, "_AT_ONCE", 0.0)
    threads, real = [], maps.head_maps

    def spy(*args):
        threads.append(threading.current_thread())
        return real(*args)

    monkeypatch.setattr(maps, "head_maps", spy)
    before = pane.map
    pane.store.update(hover=Place(30, 30))
    settle()
    pane.store.update(hover=Place(90, 60))
    settle()
    with qtbot.waitSignal(pane.map_changed):
        pass
    qtbot.waitUntil(lambda: not worker.is_busy())
    assert before.selection.query == "cls"
    assert pane.map.selection.query == Place(90, 60)
    assert threads and threading.main_thread() not in threads


def test_maps_that_come_too_late_for_their_trace_are_dropped(qtbot, pane, monkeypatch, worker, ragged):
    monkeypatch.setattr(panes, "_AT_ONCE", 0.0)
    pane.store.update(hover=Place(30, 30))
    settle()
    monkeypatch.setattr(panes, "_AT_ONCE", 1e12)
    pane.show(ragged)
    qtbot.waitUntil(lambda: not worker.is_busy())
    settle()
    assert len(pane.maps.values) == 4 and pane.map.model_name == ragged.trace.model_name


def test_failure_in_the_worker_leaves_the_shown_map_and_the_next_place_works(qtbot, pane, monkeypatch, worker):
    from vitviz.attention import maps

    shown, real = pane.map, maps.head_maps
    monkeypatch.setattr(panes, "_AT_ONCE", 0.0)
    monkeypatch.setattr(maps, "head_maps", lambda *_: 1 / 0)
    with qtbot.waitSignal(worker.failed):
        pane.store.update(hover=Place(30, 30))
    assert pane.map is shown
    monkeypatch.setattr(maps, "head_maps", real)
    with qtbot.waitSignal(pane.map_changed):
        pane.store.update(hover=Place(31, 31))
    assert pane.map.selection.query == Place(31, 31)


def test_another_trace_keeps_the_place_and_gives_up_what_it_has_not(pane, ragged, heard):
    pane.store.update(layer=5, head=1, query=CENTRE)
    settle()
    heard.clear()
    pane.show(ragged)
    settle()
    assert heard.count("traced") == 1
    assert (pane.store.state.layer, pane.store.state.head, pane.store.state.query) == (3, 1, CENTRE)
    assert pane.map.selection.query == CENTRE and pane.map.grid.shape == (2, 2)
    pane.store.update(query="mean")
    settle()
    assert pane.map.selection.query == "mean"


def test_class_token_is_given_up_where_there_is_none(pane, ragged):
    pane.store.update(query="cls")
    settle()
    pane.show(ragged)
    settle()
    assert pane.store.state.query is None and pane.map.selection.query == "mean"


def test_undo_brings_back_no_place_and_no_class_of_another_picture_or_model(window, opened, ragged):
    small = Image.from_array(np.zeros((30, 40, 3), np.uint8), name="small")
    window.store.update(query=Place(120.0, 80.0))
    window.store.update(method="relevance", target=3)
    window.store.update(query=None)
    window.opener.present(Opened(opened.wish, small, opened.model, vitviz.trace(opened.model, small)))
    assert window.store.state.target == 3, "these are the same classes"
    while window.store.undo():
        assert window.store.state.query is None
    window.store.update(method="relevance", target=3)
    window.store.update(target=None)
    window.opener.present(ragged)
    while window.store.undo():
        assert window.store.state.target is None
