"""The Rollout panel: every option both ways, live under the mouse, nothing while hidden."""

import threading

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMessageBox, QTabBar

import vitviz
from vitviz.attention.values import Place
from vitviz.ui import method_maps
from vitviz.ui.rollout_panel import FUSIONS, KIND, VARIANTS


@pytest.fixture
def panel(qtbot, window):
    window.docks.show("Rollout")
    panel = window.analysis.rollout
    qtbot.waitUntil(lambda: panel.is_seen() and panel.shown is not None, timeout=30000)
    return panel


def of(panel, opened, **options):
    return vitviz.rollout(opened.trace, **options).values


def choose(qtbot, box, value):
    index = next(i for i in range(box.count()) if box.itemData(i) == value)
    box.showPopup()
    qtbot.keyClick(box.view(), Qt.Key.Key_Home)
    for _ in range(index):
        qtbot.keyClick(box.view(), Qt.Key.Key_Down)
    qtbot.keyClick(box.view(), Qt.Key.Key_Return)


def test_hidden_panel_computes_nothing(window):
    assert not window.analysis.rollout.is_seen()
    window.store.update(fusion="max")
    QApplication.processEvents()
    assert window.analysis.rollout.shown is None


def test_panel_shows_the_rollout_of_the_query_while_the_map_shows_attention(panel, window, opened):
    np.testing.assert_array_equal(panel.shown.values, of(panel, opened))
    assert window.pane.map.selection.method == "attention"
    assert "From CLS · layers 0 to 5" in panel.title.text() and panel.bar.text().startswith("share")


def test_panel_follows_the_mouse(qtbot, panel, window, opened, hover):
    place = Place(*opened.trace.view.to_picture(*opened.trace.layers[0].grid.centre(4, 6)))
    hover(window.map_view.view, window.map_view.view.position_of(place))
    qtbot.waitUntil(lambda: panel.shown.query_cell == (4, 6))
    np.testing.assert_array_equal(panel.shown.values, of(panel, opened, query=(4, 6)))


def test_its_own_picture_can_be_hovered_and_clicked(qtbot, panel, window, opened, hover):
    place = Place(*opened.trace.view.to_picture(*opened.trace.layers[0].grid.centre(2, 3)))
    hover(panel.view, panel.view.position_of(place))
    qtbot.waitUntil(lambda: window.pane.map.query_cell == (2, 3))
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=panel.view.position_of(place).toPoint())
    assert isinstance(window.store.state.query, Place)


@pytest.mark.parametrize("value", [value for _, value in FUSIONS])
def test_fusion_both_ways(qtbot, panel, window, opened, value):
    window.store.update(fusion="max" if value != "max" else "min")
    choose(qtbot, panel.fusion, value)
    assert window.store.state.options.fusion == value
    np.testing.assert_array_equal(panel.shown.values, of(panel, opened, fusion=value))
    window.store.update(fusion="mean")
    assert panel.fusion.currentData() == "mean"


@pytest.mark.parametrize("value", [value for _, value in VARIANTS])
def test_variant_both_ways(qtbot, panel, window, opened, value):
    window.store.update(variant="vit-explain" if value != "vit-explain" else "abnar")
    choose(qtbot, panel.variant, value)
    assert panel.shown.selection.options.variant == value
    window.store.update(variant="abnar")
    assert panel.variant.currentData() == "abnar"


@pytest.mark.parametrize(("field", "typed"), [("residual", 0.2), ("discard", 0.75)])
def test_shares_both_ways(qtbot, panel, window, opened, field, typed):
    box = getattr(panel, field)
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, str(typed))
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert getattr(window.store.state.options, field) == typed
    np.testing.assert_array_equal(panel.shown.values, of(panel, opened, **{field: typed}))
    window.store.update(**{field: 0.35})
    assert box.value() == 0.35


def test_layers_both_ways(qtbot, panel, window, opened):
    panel.last.setFocus()
    qtbot.keyClick(panel.last, Qt.Key.Key_PageDown)
    assert window.store.state.options.last_layer == 0 and panel.last_text.text() == "Up to layer 0"
    np.testing.assert_array_equal(panel.shown.values, of(panel, opened, last_layer=0))
    window.store.update(last_layer=4)
    assert panel.last.value() == 4 and panel.first.maximum() == 4
    panel.first.setFocus()
    panel.first.selectAll()
    qtbot.keyClicks(panel.first, "2")
    qtbot.keyClick(panel.first, Qt.Key.Key_Return)
    np.testing.assert_array_equal(panel.shown.values, of(panel, opened, first_layer=2, last_layer=4))
    assert "layers 2 to 4" in panel.title.text()
    window.store.update(first_layer=1)
    assert panel.first.value() == 1


def test_play_walks_up_the_layers_from_the_first_again_and_stops(qtbot, panel, window):
    window.store.update(first_layer=2, last_layer=4)
    panel.play.click()
    seen = []
    for _ in range(4):
        panel._step()
        seen.append(window.store.state.options.last_layer)
    assert seen == [5, 2, 3, 4]
    panel.play.click()
    assert not panel._timer.isActive()


def test_hiding_the_panel_stops_its_walk(panel, window):
    panel.play.click()
    assert panel._timer.isActive()
    next(dock for dock in window.docks if dock.windowTitle() == "Rollout").hide()
    assert not panel._timer.isActive()


def test_show_large_makes_it_the_method_of_the_map_and_back(qtbot, panel, window):
    panel.large.click()
    qtbot.waitUntil(lambda: window.pane.map.selection.method == "rollout")
    panel.large.click()
    qtbot.waitUntil(lambda: window.pane.map.selection.method == "attention")
    window.store.update(method="rollout")
    assert panel.large.isChecked()


def test_colours_follow_the_style_of_the_map(panel, window):
    before = panel.view.image.image.copy()
    window.store.update(colormap="inferno")
    assert (panel.view.image.image != before).any()


def test_another_model_is_rolled_out(qtbot, panel, window, ragged):
    window.store.update(last_layer=5)
    window.opener.opened.emit(ragged)
    qtbot.waitUntil(lambda: panel.shown is not None and panel.shown.model_name == ragged.model.name, timeout=30000)
    np.testing.assert_array_equal(panel.shown.values, of(panel, ragged))
    assert panel.last.maximum() == 3


@pytest.mark.parametrize("at_once", [method_maps.AT_ONCE, 0])
def test_variant_that_a_model_has_not_is_said_in_the_panel_alone(
    qtbot, panel, window, ragged, hover, monkeypatch, at_once
):
    monkeypatch.setattr(method_maps, "AT_ONCE", at_once)
    window.store.update(variant="vit-explain")
    qtbot.waitUntil(lambda: panel.shown.selection.options.variant == "vit-explain", timeout=30000)
    window.opener.opened.emit(ragged)
    qtbot.waitUntil(lambda: "choose the variant 'abnar'" in panel.title.text(), timeout=30000)
    assert panel.shown is None and panel.view.image.image is None and not panel.bar.isVisible()
    tried = []
    window.worker.failed.connect(lambda number, kind, error: tried.append(kind))
    for cell in ((1, 1), (3, 5)):
        place = Place(*ragged.trace.view.to_picture(*ragged.trace.layers[0].grid.centre(*cell)))
        hover(window.map_view.view, window.map_view.view.position_of(place))
        qtbot.waitUntil(lambda: KIND in tried, timeout=30000)
        tried.clear()
    assert not [box for box in window.findChildren(QMessageBox) if box.isVisible()]
    window.store.update(variant="abnar")
    qtbot.waitUntil(lambda: panel.shown is not None and panel.bar.isVisible(), timeout=30000)
    assert panel.title.text().startswith("From patch") and panel.view.image.image is not None


def test_variant_that_a_model_has_not_leaves_the_rollout_that_the_map_shows(qtbot, panel, window, ragged):
    window.opener.opened.emit(ragged)
    window.store.update(method="rollout")
    qtbot.waitUntil(lambda: window.pane.map is not None and window.pane.map.selection.method == "rollout")
    before = window.pane.map
    choose(qtbot, panel.variant, "vit-explain")
    qtbot.waitUntil(lambda: window.store.state.options.variant == "abnar", timeout=30000)
    assert window.store.state.method == "rollout" and window.pane.map is before
    (box,) = [box for box in window.findChildren(QMessageBox) if box.isVisible()]
    assert "choose the variant 'abnar'" in box.text()
    qtbot.waitUntil(lambda: not window.worker.is_busy() and panel.shown is not None, timeout=30000)
    np.testing.assert_array_equal(panel.shown.values, before.values)


def test_rollout_that_was_cancelled_is_said_and_asked_for_again(qtbot, panel, window, ragged, monkeypatch):
    real, goes_on = method_maps._made, threading.Event()

    def slow(*args):
        while len(args) > 2 and not goes_on.is_set():
            args[2].check()
        return real(*args)

    monkeypatch.setattr(method_maps, "_made", slow)
    monkeypatch.setattr(method_maps, "AT_ONCE", 0)
    window.opener.opened.emit(ragged)
    qtbot.waitUntil(lambda: window.worker.running == KIND, timeout=30000)
    window.worker.cancel()
    qtbot.waitUntil(lambda: panel.title.text().startswith("Cancelled"), timeout=30000)
    assert panel.view.image.image is None
    goes_on.set()
    window.store.update(query=(1, 1))
    qtbot.waitUntil(lambda: panel.shown is not None and panel.bar.isVisible(), timeout=30000)


def test_every_control_has_a_tooltip_and_a_name(panel):
    for name in ("fusion", "variant", "residual", "discard", "first", "last", "play", "large"):
        widget = getattr(panel, name)
        assert widget.toolTip() and widget.accessibleName()


def bars_of(window):
    return [bar for bar in window.findChildren(QTabBar) if bar.isVisible() and bar.parent() is window]


def test_no_bar_of_tabs_is_left_behind_by_a_layout(qtbot, window):
    for _ in range(2):
        qtbot.waitUntil(lambda: len(bars_of(window)) == 2)
        texts = [[bar.tabText(i) for i in range(bar.count())] for bar in bars_of(window)]
        assert sorted(len(text) for text in texts)[0] == 2 and ["Model", "Rollout"] in texts
        assert all(bar.geometry().bottom() < window.statusBar().geometry().top() for bar in bars_of(window))
        window.reset_layout()
    qtbot.waitUntil(lambda: len(bars_of(window)) == 2)
    bar = next(bar for bar in bars_of(window) if bar.tabText(0) == "Model")
    bar.setCurrentIndex(1)
    qtbot.waitUntil(lambda: window.analysis.rollout.is_seen())
