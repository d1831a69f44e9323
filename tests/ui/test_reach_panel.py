"""What can this token see: asked by button, key and menu; follows the mouse; plays; idle while hidden."""

import json

import numpy as np
import pytest
from PIL import Image as Pillow
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication

from vitviz.attention.reach import reach
from vitviz.attention.values import Place


def settle(qtbot, window):
    QApplication.processEvents()
    qtbot.waitUntil(lambda: window.analysis.reach.found is not None and not window.worker.is_busy(), timeout=20000)
    return window.analysis.reach


def shown(qtbot, window):
    qtbot.mouseClick(window.patches.reach_button, Qt.MouseButton.LeftButton)
    panel = settle(qtbot, window)
    panel.play.setChecked(False)
    return panel


def test_idle_while_hidden(qtbot, swin):
    swin.store.update(query=Place(20, 20))
    QApplication.processEvents()
    assert not swin.analysis.reach.is_seen() and swin.analysis.reach.found is None and not swin.worker.is_busy()


def test_the_button_shows_it_and_lets_it_grow_and_hiding_stops_it(qtbot, swin):
    qtbot.mouseClick(swin.patches.reach_button, Qt.MouseButton.LeftButton)
    panel = settle(qtbot, swin)
    assert panel.is_seen() and panel.play.isChecked() and panel._timer.isActive() and panel.slider.value() == 0
    panel._timer.setInterval(5)
    qtbot.waitUntil(lambda: panel.slider.value() == 4, timeout=30000)
    qtbot.waitUntil(lambda: panel.slider.value() == 0, timeout=30000)  # from the last on to the first
    panel.window().hide()
    assert not panel._timer.isActive() and not panel.play.isChecked()


def test_the_key_shows_it_too(qtbot, swin):
    swin.activateWindow()
    qtbot.keyClick(swin, Qt.Key.Key_S)
    assert settle(qtbot, swin).is_seen()
    swin.analysis.reach.play.setChecked(False)


def choose(qtbot, window, panel, way):
    """Choose the way in the list that a click opens."""
    qtbot.mouseClick(panel.ways, Qt.MouseButton.LeftButton)
    rows = panel.ways.view()
    qtbot.waitUntil(rows.isVisible, timeout=20000)
    qtbot.keyClick(rows, Qt.Key.Key_End if way == "up" else Qt.Key.Key_Home)
    qtbot.keyClick(rows, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: panel.found is not None and panel.found.way == way, timeout=20000)
    settle(qtbot, window)


@pytest.mark.parametrize("way", ["down", "up"])
def test_words_and_pixels_are_those_of_the_place_and_step(qtbot, swin, picture, way):
    panel = shown(qtbot, swin)
    choose(qtbot, swin, panel, way)
    swin.store.update(query=Place(100, 70))
    QApplication.processEvents()
    settle(qtbot, swin)
    expected = reach(swin.pane.opened.trace, Place(100, 70), way)
    for at, step in enumerate(expected.steps):
        panel.slider.setValue(at)
        words = panel.text.text().replace("\u00a0", " ")
        assert f"{step.count} of 99 patches" in words and f"patch ({step.cell[0]}, {step.cell[1]}) of " in words
        if way == "up":
            assert words.startswith(f"After layer {step.layers[1]} (")
        elif at < 2:
            assert words.startswith(("The last stage's token at", "Through layer 3 (1.1 shifted) the token at")[at])
        else:
            assert words.startswith(f"Through layers 3 down to {step.layers[0]} (")
        assert panel.bars.current == at
        pixels = np.asarray(panel.view.image.image)
        grid, view = expected.grid, swin.pane.opened.trace.view
        for cell in ((0, 0), (8, 10), (7, 8)):
            x, y = (int(v) for v in view.to_picture(*grid.centre(*cell)))
            same = (pixels[y, x, :3] == picture.pixels[y, x]).all()
            assert same == step.seen[cell]
    assert panel.bars.shares == [count / 99 for count in expected.counts]
    assert panel.bars.ticks == (("none", "3", "2", "1", "0") if way == "down" else ("0", "1", "2", "3"))


def test_a_bar_chooses_its_layer(qtbot, swin):
    panel = shown(qtbot, swin)
    for at in (2, 0, 4):
        middle = panel.bars.bar(at).center()
        qtbot.mouseClick(panel.bars, Qt.MouseButton.LeftButton, pos=QPoint(int(middle.x()), 50))
        assert panel.slider.value() == at == panel.bars.current


def test_it_follows_the_mouse(qtbot, swin, hover):
    panel = shown(qtbot, swin)
    for place in (Place(14, 13), Place(112, 76)):
        hover(swin.map_view.view, swin.map_view.view.position_of(place))
        settle(qtbot, swin)
        grid, view = panel.found.grid, swin.pane.opened.trace.view
        assert grid.cell_at(*view.to_view(panel.found.place.x, panel.found.place.y)) == grid.cell_at(
            *view.to_view(place.x, place.y)
        )


def test_a_vit_is_said_to_see_all_from_the_first_layer_on(qtbot, window):
    panel = shown(qtbot, window)
    # The map is of CLS, which has no place.
    assert panel.text.text().startswith("The middle of the view, as no place is chosen. ")
    assert panel.found.counts == (1, *(100,) * 6) and panel.note.text() == "One layer is enough, as in every ViT."
    choose(qtbot, window, panel, "up")
    assert "100 of 100 patches\u00a0(100.0\u00a0%)" in panel.text.text()
    assert panel.note.text() == "All patches from the first layer on, as in every ViT."
    # There is nothing to watch growing.
    panel.start()
    settle(qtbot, window)
    panel.touch()
    settle(qtbot, window)
    assert not panel.play.isEnabled() and not panel.play.isChecked() and panel.play.text() == "Play"


def test_all_steps_and_the_shown_one_are_exported(qtbot, swin, tmp_path):
    panel = shown(qtbot, swin)
    panel.slider.setValue(2)
    for sheet, name, step in ((False, "one.png", 2), (True, "all.pdf", None), (False, "grows.gif", 2)):
        if panel.all_steps.isChecked() != sheet:
            panel.all_steps.click()
        with qtbot.waitSignal(panel.buttons.written, timeout=60000):
            panel.buttons.export(tmp_path / name)
        recipe = json.loads((tmp_path / f"{name}.json").read_text())
        assert recipe["study"]["step"] == step and recipe["values"]["counts"] == list(panel.found.counts)
    with Pillow.open(tmp_path / "grows.gif") as moving:
        assert moving.n_frames == len(panel.found.steps)


def test_the_button_says_what_it_does_next(qtbot, swin):
    panel = shown(qtbot, swin)
    assert panel.play.text() == "Play"
    panel.play.click()
    assert panel.play.text() == "Stop"
    panel.play.click()
    assert panel.play.text() == "Play"


@pytest.mark.parametrize("layer", [1, 2], ids=["earlier stage", "last stage"])
def test_a_patch_picked_in_an_earlier_layer_is_the_one_that_is_asked_about(qtbot, swin, layer):
    place = Place(100, 70)
    swin.store.update(layer=layer, query=place)
    qtbot.mouseClick(swin.patches.reach_button, Qt.MouseButton.LeftButton)
    panel = settle(qtbot, swin)
    qtbot.waitUntil(lambda: panel.found.way == "up", timeout=20000)
    settle(qtbot, swin)
    row, col = swin.pane.map.query_cell
    assert panel.slider.value() == layer and not panel.play.isChecked()
    title = swin.store.reality.titles[layer]
    words = panel.text.text().replace("\u00a0", " ")
    assert words.startswith(f"After layer {layer} ({title}) the token at patch ({row}, {col}) of ")
    swin.store.update(layer=3)
    qtbot.mouseClick(swin.patches.reach_button, Qt.MouseButton.LeftButton)
    settle(qtbot, swin)
    assert panel.play.isChecked()  # of the last layer's token, which is the same either way
    panel.play.setChecked(False)


def test_colours_and_dashes_are_explained_under_the_picture(qtbot, swin):
    panel = shown(qtbot, swin)
    assert panel.legend.isVisible() and "dashed orange: what was seen one step before" in panel.legend.text()
    assert panel.legend.y() >= panel.view.geometry().bottom()
