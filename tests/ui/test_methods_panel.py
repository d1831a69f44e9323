"""Methods side by side: what is small, what is large, how two differ; nothing while hidden."""

import threading

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication

import vitviz
from vitviz.attention.comparison import spearman
from vitviz.attention.methods import METHODS
from vitviz.attention.values import Place
from vitviz.errors import AttentionError, Cancelled
from vitviz.render.scale import MINUS
from vitviz.ui.methods_panel import KIND
from vitviz.ui.words import origins_text


def bring_up(qtbot, window):
    window.docks.show("Methods side by side")
    done(qtbot, window.analysis.methods)
    return window.analysis.methods


def done(qtbot, panel):
    qtbot.waitUntil(lambda: panel.is_seen() and all(s in panel.found for s in panel._wanted()), timeout=30000)
    QApplication.processEvents()


@pytest.fixture
def panel(qtbot, window):
    return bring_up(qtbot, window)


def shown(panel, side):
    return panel.found[panel.selection(side.method, side.target)]


def test_hidden_panel_computes_nothing(window):
    window.store.update(fusion="max")
    QApplication.processEvents()
    assert window.analysis.methods.found == {} and not window.analysis.methods.is_seen()


def test_every_method_is_shown_small(panel):
    for name, tile in panel.tiles.items():
        assert tile.text().replace("\n", " ") == METHODS[name].title
        assert tile.isEnabled() and not tile.icon().isNull()


def test_two_are_large_with_their_difference_and_rank_correlation(panel, opened):
    left, right = shown(panel, panel.left), shown(panel, panel.right)
    assert (panel.left.method, panel.right.method) == ("rollout", "relevance")
    np.testing.assert_array_equal(left.values, vitviz.rollout(opened.trace).values)
    np.testing.assert_array_equal(right.values, vitviz.relevance(opened.model, opened.image, panel.right.target).values)
    assert panel.correlation == pytest.approx(spearman(left.values.ravel(), right.values.ravel()))
    assert f"ρ = {panel.correlation:.3f}" in panel.numbers.text().replace(MINUS, "-")
    assert panel.numbers.text().endswith(" · both from CLS")
    assert panel.bar.limits[0] == -panel.bar.limits[1] < 0


def test_same_method_on_both_sides_agrees_wholly(qtbot, panel):
    panel.right.choose("rollout")
    done(qtbot, panel)
    assert panel.correlation == pytest.approx(1.0)
    assert panel.bar.limits == (0.0, 0.0)


def test_tile_goes_left_on_click_and_right_on_right_click(qtbot, panel):
    qtbot.mouseClick(panel.tiles["token grad-cam"], Qt.MouseButton.LeftButton)
    panel.tiles["attention"].customContextMenuRequested.emit(QPoint(2, 2))
    assert (panel.left.method, panel.right.method) == ("token grad-cam", "attention")
    done(qtbot, panel)
    assert panel.left.bar.text().startswith("relevance") and panel.right.bar.text().startswith("attention weight")


def test_two_classes_of_one_method_stand_side_by_side(qtbot, panel, opened):
    for side, line in ((panel.left, 0), (panel.right, 1)):
        side.choose("relevance")
        side.targets.setCurrentIndex(line)
        side.targets.activated.emit(line)
    done(qtbot, panel)
    best = np.argsort(-opened.trace.logits, kind="stable")[:2]
    assert [shown(panel, side).selection.target for side in (panel.left, panel.right)] == best.tolist()
    assert panel.correlation < 1


def test_class_is_offered_only_where_a_class_is_explained(qtbot, panel):
    panel.left.choose("attention")
    panel.right.choose("relevance")
    QApplication.processEvents()
    assert not panel.left.targets.isVisible() and panel.right.targets.isVisible()
    done(qtbot, panel)


def test_pinned_query_layer_and_options_are_followed(qtbot, panel, window, opened):
    window.store.update(query="mean", layer=2, head=1, fusion="max")
    panel.right.choose("attention")
    done(qtbot, panel)
    expected = vitviz.attention_map(opened.trace, layer=2, head=1, query="mean")
    np.testing.assert_array_equal(shown(panel, panel.right).values, expected.values)
    expected = vitviz.rollout(opened.trace, query="mean", fusion="max")
    np.testing.assert_array_equal(shown(panel, panel.left).values, expected.values)


def test_maps_of_different_queries_are_called_so(qtbot, panel, window):
    """Relevance is of the class token whatever patch is pinned: one label over both would be wrong."""
    window.store.update(query=(2, 3))
    done(qtbot, panel)
    left, right = shown(panel, panel.left), shown(panel, panel.right)
    assert (left.selection.query, right.selection.query) == ((2, 3), "cls")
    assert (panel.left.origin.text(), panel.right.origin.text()) == ("from patch (2, 3)", "from CLS")
    told = panel.numbers.text()
    assert "left from patch (2, 3), right from CLS: these are maps of two queries" in told
    heading = panel.heading.text()
    assert heading.startswith("Attention, rollout from patch (2, 3) (attention: layer 5, mean of heads)")
    assert "relevance, gradients from CLS: class " in heading
    panel.right.choose("attention")
    done(qtbot, panel)
    assert panel.numbers.text().endswith(" · both from patch (2, 3)")
    panel.right.choose("token grad-cam")
    done(qtbot, panel)
    assert panel.right.origin.text() == "of features, which no query looks at"
    assert panel.numbers.text().endswith("left from patch (2, 3), right of features, which no query looks at")


def test_one_place_on_two_grids_is_one_query(swin):
    swin_trace = swin.pane.opened.trace
    place = Place(40.0, 40.0)
    first, last = (vitviz.attention_map(swin_trace, layer=layer, head="mean", query=place) for layer in (0, -1))
    assert first.query_cell != last.query_cell
    told = origins_text(first, last)
    assert told.endswith(", the same place on two grids") and f"left from patch {first.query_cell}" in told
    other = vitviz.attention_map(swin_trace, layer=-1, head="mean", query=(0, 0))
    assert "maps of two queries" in origins_text(first, other)


def test_method_that_a_model_has_not_says_why(qtbot, window, monkeypatch):
    from vitviz.attention import choosing

    real = choosing.relevance

    def refuse(model, image, target, method, **kwargs):
        if method == "relevance":
            raise AttentionError("It is not defined for this model: choose rollout.")
        return real(model, image, target, method, **kwargs)

    monkeypatch.setattr(choosing, "relevance", refuse)
    panel = bring_up(qtbot, window)
    assert not panel.tiles["relevance"].isEnabled() and "not defined" in panel.tiles["relevance"].toolTip()
    assert "not defined" in panel.right.note.text() and panel.right.note.isVisible()
    assert panel.numbers.text() == "There is nothing to compare." and not panel.bar.isVisible()
    panel.right.choose("token grad-cam")
    done(qtbot, panel)
    assert panel.correlation is not None and not panel.right.note.isVisible() and panel.bar.isVisible()


def test_maps_on_grids_of_different_fineness_are_compared(qtbot, panel, window, ragged):
    window.opener.opened.emit(ragged)
    panel.right.choose("token grad-cam")
    done(qtbot, panel)
    assert shown(panel, panel.left).grid != shown(panel, panel.right).grid
    assert -1 <= panel.correlation <= 1


def test_hiding_the_panel_gives_its_work_up_and_it_goes_on_when_shown(qtbot, window):
    dock = next(dock for dock in window.docks if dock.windowTitle() == "Methods side by side")
    dock.show()
    dock.raise_()
    qtbot.waitUntil(lambda: window.analysis.methods.is_seen())
    dock.hide()
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=20000)
    bring_up(qtbot, window)


def test_cancel_is_said_and_a_click_at_a_method_goes_on(qtbot, window, monkeypatch):
    from vitviz.attention import choosing

    real, goes_on = choosing.relevance, threading.Event()

    def slow(*args, cancel, **how):
        while not goes_on.wait(0.005):
            if cancel():
                raise Cancelled("given up")
        return real(*args, cancel=cancel, **how)

    monkeypatch.setattr(choosing, "relevance", slow)
    window.docks.show("Methods side by side")
    panel = window.analysis.methods
    qtbot.waitUntil(lambda: len(panel.found) == 1 and window.worker.running == KIND, timeout=20000)
    assert panel.numbers.text() == "Computing…"
    window.worker.cancel()
    qtbot.waitUntil(lambda: panel.numbers.text().startswith("Cancelled"), timeout=20000)
    window.store.update(opacity=0.3)
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=20000)
    assert panel.numbers.text().startswith("Cancelled") and len(panel.found) == 1
    goes_on.set()
    qtbot.mouseClick(panel.tiles["rollout"], Qt.MouseButton.LeftButton)
    assert panel.numbers.text() == "Computing…"
    done(qtbot, panel)
    assert panel.correlation is not None


def test_every_control_has_a_tooltip_and_a_name(panel):
    for widget in (*panel.tiles.values(), panel.left.box, panel.left.targets, panel.right.box, panel.right.targets):
        assert widget.toolTip() and widget.accessibleName()
