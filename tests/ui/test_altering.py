"""Heads switched off in the window: clicks, keys, what is said about it, and the way back."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

import vitviz
from vitviz import Ablation
from vitviz.attention.values import Place
from vitviz.errors import ModelError
from vitviz.ui.opening import Opened, Wish


@pytest.fixture
def settled(qtbot, window):
    """Wait until what is shown is what was asked for."""

    def wait():
        pane = window.panes.current_column.pane
        qtbot.waitUntil(lambda: pane.opened.trace.ablation.heads == pane.store.state.ablation.heads, timeout=20000)
        qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=20000)
        return pane

    return wait


def right_click(qtbot, window, layer, head):
    view = window.atlas.view
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.RightButton, pos=window.atlas.tile_center(layer, head))


def test_right_click_on_a_tile_switches_the_head_off_and_on(qtbot, window, opened, settled):
    plain = window.pane.opened.trace
    right_click(qtbot, window, 1, 0)
    assert window.store.state.ablation == Ablation([(1, 0)])
    pane = settled()
    expected = vitviz.trace(opened.model, opened.image, ablation=Ablation([(1, 0)]))
    np.testing.assert_allclose(pane.opened.trace.logits, expected.logits, atol=1e-5)
    np.testing.assert_allclose(pane.maps.values[5], vitviz.head_maps(expected).values[5], atol=1e-5)
    assert pane.map.ablation == Ablation([(1, 0)])
    right_click(qtbot, window, 1, 0)
    assert settled().opened.trace is plain
    assert pane.map.ablation == Ablation()


def test_right_click_on_the_number_of_a_row_switches_the_layer(qtbot, window, settled):
    view = window.atlas.view
    tiles = window.atlas._mosaic.tiles
    at = view.position_of(Place(-2 * tiles.gap, tiles.box(2, 0)[1] + tiles.tile[0] / 2)).toPoint()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.RightButton, pos=at)
    assert settled().opened.trace.ablation.heads == ((2, 0), (2, 1))
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.RightButton, pos=at)
    assert settled().opened.trace.ablation.heads == ()


def test_right_click_beside_the_tiles_and_a_left_click_switch_nothing(qtbot, window):
    tiles = window.atlas._mosaic.tiles
    view = window.atlas.view
    for place in (Place(tiles.size[1] / 2, -2 * tiles.gap), Place(-2 * tiles.gap, -2 * tiles.gap)):
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.RightButton, pos=view.position_of(place).toPoint())
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=window.atlas.tile_center(0, 1))
    assert not window.store.state.ablation


def test_keys_switch_the_chosen_head_the_layer_and_all_on(qtbot, window, settled):
    told = []
    window.browsing.told.connect(told.append)
    qtbot.keyClick(window, Qt.Key.Key_X)
    assert told and not window.store.state.ablation  # the mean of heads is chosen, which is no head
    window.store.update(layer=3, head=1)
    qtbot.keyClick(window, Qt.Key.Key_X)
    assert settled().opened.trace.ablation.heads == ((3, 1),)
    qtbot.keyClick(window, Qt.Key.Key_X, Qt.KeyboardModifier.ShiftModifier)
    assert settled().opened.trace.ablation.heads == ((3, 0), (3, 1))
    qtbot.keyClick(window, Qt.Key.Key_X, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert settled().opened.trace.ablation.heads == ()


def test_undo_takes_it_back(qtbot, window, settled):
    right_click(qtbot, window, 0, 1)
    settled()
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert settled().opened.trace.ablation.heads == ()


def test_badge_title_and_prediction_say_it_and_reset_takes_it_back(qtbot, window, settled):
    badge, top = window.map_view.badge, window.model_panel.top
    assert not badge.isVisible() and top.before == []
    plain = window.pane.opened.trace.top_k(5)
    right_click(qtbot, window, 4, 1)
    assert badge.isVisible() and "computed" in badge.text.text()
    pane = settled()
    assert badge.text.text() == "Altered model: 1 head off (L4 H1)"
    assert "1 head off (L4 H1)" in window.windowTitle()
    assert "altered: 1 head off (L4 H1)" in window.model_panel.text()
    changes = pane.opened.trace.top_changes(5)
    assert top.classes == [(label, now) for label, _, now in changes]
    assert top.before == [before for _, before, _ in changes]
    assert "now" in top.accessibleDescription()
    qtbot.mouseClick(badge.reset, Qt.MouseButton.LeftButton)
    settled()
    assert not badge.isVisible() and "off" not in window.windowTitle()
    assert top.classes == plain and top.before == []


def test_tiles_that_are_off_are_crossed_out(qtbot, window, settled):
    assert all(item.path().isEmpty() for item in window.atlas._off)
    right_click(qtbot, window, 2, 1)
    box = window.atlas._off[0].path().boundingRect()
    assert (box.x(), box.y(), box.width(), box.height()) == window.atlas._mosaic.tiles.box(2, 1)
    settled()
    window.atlas.view.grab()  # drawing it raises nothing
    window.browsing.switch_on()
    assert all(item.path().isEmpty() for item in window.atlas._off)
    settled()


def test_mean_over_the_tokens_is_another_model_and_the_menu_follows(qtbot, window, opened, settled):
    right_click(qtbot, window, 0, 0)
    zero = settled().opened.trace.logits
    mean = window.menus.ablation_to.actions()[1]
    mean.trigger()
    pane = window.panes.current_column.pane
    qtbot.waitUntil(lambda: pane.opened.trace.ablation.to == "mean", timeout=20000)
    assert abs(pane.opened.trace.logits - zero).max() > 1e-4
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not mean.isChecked() and window.menus.ablation_to.actions()[0].isChecked()
    settled()


def test_mean_with_all_heads_on_changes_nothing_shown(window, settled):
    shown = window.pane.opened
    window.menus.ablation_to.actions()[1].trigger()
    assert settled().opened is shown and not window.map_view.badge.isVisible()


def test_another_picture_goes_through_the_altered_model_another_model_does_not(
    qtbot, window, opened, ragged, settled, picture
):
    right_click(qtbot, window, 1, 1)
    settled()
    other = vitviz.Image.from_array(np.ascontiguousarray(picture.pixels[::-1]), name="turned")
    again = Opened(Wish(other, opened.wish.model), other, opened.model, vitviz.trace(opened.model, other))
    window.opener.opened.emit(again)
    pane = settled()
    assert pane.opened.image is other and pane.opened.trace.ablation.heads == ((1, 1),)
    with qtbot.waitSignal(window.panes.told) as told:
        window.opener.opened.emit(ragged)
    assert "is another network" in told.args[0]
    QApplication.processEvents()
    assert settled().opened is ragged and not window.store.state.ablation


def test_heads_stay_off_at_another_crop_and_size_of_the_same_network(qtbot, window, opened, settled):
    right_click(qtbot, window, 1, 1)
    settled()
    for changes in ({"crop": "squash"}, {"image_size": (96, 96)}):
        model = vitviz.load_model("test_vit", pretrained=False, device="cpu", **changes)
        wish = replace(opened.wish, model=replace(opened.wish.model, **changes))
        window.opener.opened.emit(Opened(wish, opened.image, model, vitviz.trace(model, opened.image)))
        shown = settled().opened
        assert shown.model is model and shown.trace.ablation == Ablation([(1, 1)])
        expected = vitviz.trace(model, opened.image, ablation=Ablation([(1, 1)]))
        np.testing.assert_allclose(shown.trace.logits, expected.logits, atol=1e-5)
        assert "1 head off (L1 H1)" in window.map_view.badge.text.text()


def test_other_numbers_of_heads_are_said_to_drop_what_was_off(qtbot, window, opened, settled):
    right_click(qtbot, window, 1, 1)
    settled()
    model = vitviz.load_model("test_vit", pretrained=False, device="cpu", num_heads=4)
    wish = replace(opened.wish, model=replace(opened.wish.model, num_heads=4))
    with qtbot.waitSignal(window.panes.told) as told:
        window.opener.opened.emit(Opened(wish, opened.image, model, vitviz.trace(model, opened.image)))
    assert told.args == ["All heads are on again: test_vit now has other layers or heads."]
    assert not settled().opened.trace.ablation and window.status.currentMessage() == told.args[0]


def test_what_was_zoomed_into_stays_in_sight(qtbot, window, settled):
    view = window.map_view.view
    view.box.setRange(xRange=(10, 40), yRange=(10, 40), padding=0)
    before = view.box.viewRect()
    right_click(qtbot, window, 1, 1)
    settled()
    after = view.box.viewRect()  # a little lower, since a line above it says what is off
    assert (after.left(), after.width()) == (before.left(), before.width())


def test_failure_says_so_and_goes_back(qtbot, window, monkeypatch, settled):
    def fail(*args, **kwargs):
        raise ModelError("The device has not enough memory.")

    monkeypatch.setattr("vitviz.attention.trace.trace", fail)
    shown = []
    monkeypatch.setattr("vitviz.ui.window.show_error", lambda parent, error: shown.append(str(error)))
    right_click(qtbot, window, 1, 1)
    qtbot.waitUntil(lambda: bool(shown), timeout=30000)
    assert shown == ["The device has not enough memory."]
    assert not window.store.state.ablation and not window.map_view.badge.isVisible()


def test_cancel_in_the_status_bar_goes_back(qtbot, window, monkeypatch):
    from vitviz.attention import trace as module

    real = module.trace

    def slow(*args, cancel, **kwargs):
        while not cancel():
            pass
        return real(*args, cancel=cancel, **kwargs)

    monkeypatch.setattr(module, "trace", slow)
    right_click(qtbot, window, 1, 1)
    qtbot.waitUntil(lambda: window.worker.is_busy())
    window.status.cancel_asked.emit()
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=30000)
    assert not window.store.state.ablation


def test_exported_figure_tells_of_the_altered_model(qtbot, window, settled, tmp_path):
    from vitviz.render.reading import read_recipe

    right_click(qtbot, window, 1, 1)
    settled()
    with qtbot.waitSignal(window.exporter.exported, timeout=20000):
        window.exporter.export(tmp_path / "figure.png")
    assert read_recipe(tmp_path / "figure.png").ablation == Ablation([(1, 1)])


def test_heads_that_are_not_there_are_left_out(window, settled):
    window.store.update(ablation=Ablation([(1, 1), (40, 0)]))
    assert settled().opened.trace.ablation.heads == ((1, 1),)


def test_x_takes_the_head_under_the_mouse_and_else_the_chosen_one(qtbot, window, settled, hover):
    told = []
    window.browsing.told.connect(told.append)
    window.store.update(head="mean")
    hover(window.atlas.view, window.atlas.tile_center(2, 1))
    qtbot.keyClick(window, Qt.Key.Key_X)
    settled()
    assert window.store.state.ablation == Ablation([(2, 1)]) and window.store.state.head == "mean" and not told
    qtbot.keyClick(window, Qt.Key.Key_X)
    settled()
    assert window.store.state.ablation == Ablation()
    window.atlas.view.left.emit()
    qtbot.keyClick(window, Qt.Key.Key_X)
    assert window.store.state.ablation == Ablation() and "Choose one head" in told[0]


def test_the_row_of_a_head_that_is_off_is_shown_and_called_off(qtbot, window, settled):
    window.store.update(layer=1, head=0, ablation=Ablation([(1, 0)]))
    pane = settled()
    assert "head 0 (off)" in window.map_view.title.text() and "Head 0 is off" in window.map_view.note.text()
    assert pane.map.values.any()
    window.store.update(head="mean")
    assert "(off)" not in window.map_view.title.text() and "1 of 2 heads" in window.map_view.note.text()
    window.store.update(ablation=Ablation([(1, 0), (1, 1)]))
    assert not settled().map.values.any() and "All heads of layer 1 are off" in window.map_view.note.text()


def test_pane_beside_one_without_a_head_has_all_heads_on_and_can_switch_its_own(qtbot, window, settled):
    right_click(qtbot, window, 1, 0)
    settled()
    window.comparing.add.trigger()
    first, second = window.panes.columns
    assert second.pane.opened.trace.ablation == Ablation() == second.store.state.ablation
    assert first.pane.opened.trace.ablation == Ablation([(1, 0)]) == first.store.state.ablation
    right_click(qtbot, window, 2, 1)
    assert settled() is second.pane and second.pane.opened.trace.ablation == Ablation([(2, 1)])
    right_click(qtbot, window, 2, 1)
    assert settled().opened.trace.ablation == Ablation()


def test_trace_of_a_script_without_a_head_comes_with_its_state_and_the_way_back(window, opened, settled):
    off = Ablation([(1, 0)])
    altered = vitviz.trace(opened.model, opened.image, ablation=off)
    window.opener.present(Opened(opened.wish, opened.image, opened.model, altered))
    QApplication.processEvents()
    assert window.store.state.ablation == off and not window.worker.is_busy()
    expected = vitviz.trace(opened.model, opened.image, ablation=Ablation([(2, 1)]))
    window.store.update(ablation=Ablation([(2, 1)]))
    np.testing.assert_allclose(settled().opened.trace.logits, expected.logits, atol=1e-5)
    window.store.update(ablation=Ablation())
    np.testing.assert_allclose(settled().opened.trace.logits, opened.trace.logits, atol=1e-5)
