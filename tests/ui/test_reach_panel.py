"""What can this token see: asked by button, key and menu; follows the mouse; plays; idle while hidden."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication

import vitviz
from vitviz.attention.reach import reach
from vitviz.attention.values import Place
from vitviz.models.wish import ModelWish
from vitviz.ui.opening import Opened, Wish


@pytest.fixture
def swin(bare_window, tiny_swin, picture):
    trace = vitviz.trace(tiny_swin, picture)
    bare_window.opener.opened.emit(Opened(Wish(picture, ModelWish("tiny")), picture, tiny_swin, trace))
    QApplication.processEvents()
    return bare_window


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
    qtbot.waitUntil(lambda: panel.slider.value() == 3, timeout=30000)
    qtbot.waitUntil(lambda: panel.slider.value() == 0, timeout=30000)  # from the last on to the first
    panel.window().hide()
    assert not panel._timer.isActive() and not panel.play.isChecked()


def test_the_key_shows_it_too(qtbot, swin):
    swin.activateWindow()
    qtbot.keyClick(swin, Qt.Key.Key_S)
    assert settle(qtbot, swin).is_seen()
    swin.analysis.reach.play.setChecked(False)


def test_words_and_pixels_are_those_of_the_place_and_layer(qtbot, swin, picture):
    panel = shown(qtbot, swin)
    swin.store.update(query=Place(100, 70))
    QApplication.processEvents()
    settle(qtbot, swin)
    expected = reach(swin.pane.opened.trace, Place(100, 70))
    for at, layer in enumerate(expected.layers):
        panel.slider.setValue(at)
        assert f"has seen {expected.counts[at]} of 99 patches" in panel.text.text()
        assert panel.text.text().startswith(f"After layer {layer} (")
        assert panel.bars.current == at
        pixels = np.asarray(panel.view.image.image)
        grid, view = expected.grid, swin.pane.opened.trace.view
        for cell in ((0, 0), (8, 10), (7, 8)):
            x, y = (int(v) for v in view.to_picture(*grid.centre(*cell)))
            same = (pixels[y, x, :3] == picture.pixels[y, x]).all()
            assert same == expected.seen[at][cell]
    assert panel.bars.shares == [count / 99 for count in expected.counts]


def test_a_bar_chooses_its_layer(qtbot, swin):
    panel = shown(qtbot, swin)
    for at in (2, 0, 3):
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
    assert "100 of 100 patches\u00a0(100.0\u00a0%)" in panel.text.text()
    assert panel.note.text() == "All patches from the first layer on, as in every ViT."
    # The map is of CLS, which has no place; and there is nothing to watch growing.
    assert panel.text.text().startswith("The middle of the view, as no place is chosen. After layer ")
    panel.start()
    settle(qtbot, window)
    panel.touch()
    settle(qtbot, window)
    assert not panel.play.isEnabled() and not panel.play.isChecked() and panel.play.text() == "Play"


def test_the_button_says_what_it_does_next(qtbot, swin):
    panel = shown(qtbot, swin)
    assert panel.play.text() == "Play"
    panel.play.click()
    assert panel.play.text() == "Stop"
    panel.play.click()
    assert panel.play.text() == "Play" and panel.bars.layers == panel.found.layers
