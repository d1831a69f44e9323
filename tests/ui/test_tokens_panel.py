"""The tokens panel: what it draws is what the functions say, for the layer and the patch that are asked for."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

import vitviz
from vitviz.attention.values import Place
from vitviz.render.overlay import Canvas
from vitviz.render.scale import signed


@pytest.fixture
def panel(window):
    """The panel, raised."""
    dock = next(dock for dock in window.docks if dock.windowTitle() == "Tokens")
    dock.show()
    dock.raise_()
    QApplication.processEvents()
    return window.tokens.features


def choose(panel, what):
    panel.what.setCurrentIndex(panel.what.findData(what))
    panel.what.activated.emit(panel.what.currentIndex())
    QApplication.processEvents()


def drawn(panel):
    return panel.view.image.image


def test_nothing_is_computed_while_the_panel_is_behind_another(window):
    window.store.update(layer=1, query=Place(40.0, 40.0))
    QApplication.processEvents()
    assert window.tokens.features.shown is None and window.tokens.features._features is None


def test_norms_follow_the_layer_and_are_drawn_with_a_bar_that_says_so(window, panel, opened):
    for layer in (0, 4):
        window.store.update(layer=layer)
        QApplication.processEvents()
        wanted = vitviz.token_norms(opened.trace, layer)
        assert np.array_equal(panel.shown.values, wanted.values)
        limits = float(wanted.values.min()), float(wanted.values.max())
        canvas = Canvas(opened.image, opened.trace.view, 1.0)
        assert np.array_equal(drawn(panel), canvas.draw(wanted, window.store.state.style, limits))
        assert panel.bar.limits == limits and panel.bar.text() == "Euclidean norm, scale of this layer"
        assert panel.title.text() == f"Norm of every token after layer {layer}" and "CLS" in panel.note.text()


def test_likeness_follows_the_mouse_over_any_picture(window, panel, opened, hover):
    choose(panel, "likeness")
    for view in (panel.view, window.map_view.view):
        for place in (Place(30.0, 30.0), Place(95.0, 30.0)):
            hover(view, view.position_of(place).toPoint())
            QApplication.processEvents()
            at = window.store.state.hover
            assert np.array_equal(panel.shown.values, vitviz.feature_similarity(opened.trace, 5, at).values)
            assert panel.shown.query_cell is not None and "Likeness to patch" in panel.title.text()


def test_a_click_pins_and_esc_frees(qtbot, window, panel, opened):
    choose(panel, "likeness")
    spot = panel.view.position_of(Place(40.0, 40.0)).toPoint()
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert isinstance(window.store.state.query, Place)
    window.browsing.free()
    window.store.update(hover=None)
    QApplication.processEvents()
    assert np.array_equal(panel.shown.values, vitviz.feature_similarity(opened.trace, 5, "cls").values)


def test_components_are_the_colours_and_their_shares_are_said(qtbot, window, panel, opened):
    choose(panel, "components")
    wanted = vitviz.feature_components(opened.trace, 5)
    qtbot.waitUntil(lambda: hasattr(panel.shown, "colors"), timeout=30000)
    assert np.array_equal(panel.shown.colors, wanted.colors)
    window.store.update(opacity=1.0)
    picture = drawn(panel)
    for row, col in ((0, 0), (3, 7), (9, 9)):
        x, y = opened.trace.view.to_picture(*wanted.grid.centre(row, col))
        assert np.abs(picture[int(y), int(x), :3].astype(int) - wanted.colors[row, col].astype(int)).max() <= 1
    assert f"{wanted.explained[0]:.1%}" in panel.note.text() and not panel.bar.isVisible()


def test_the_foreground_is_chosen_by_box_slider_and_side(qtbot, panel, opened):
    choose(panel, "components")
    assert not panel.threshold.isEnabled()
    panel.foreground.setChecked(True)
    panel.threshold.setValue(40)
    qtbot.waitUntil(lambda: hasattr(panel.shown, "colors") and not panel.shown.foreground.all(), timeout=30000)
    wanted = vitviz.feature_components(opened.trace, 5, foreground=0.4)
    qtbot.waitUntil(lambda: np.array_equal(panel.shown.foreground, wanted.foreground), timeout=30000)
    assert np.array_equal(panel.shown.colors, wanted.colors)
    assert f"foreground {wanted.foreground.sum()} patches" in panel.note.text()
    panel.below.setChecked(True)
    wanted = vitviz.feature_components(opened.trace, 5, foreground=0.4, side="below")
    qtbot.waitUntil(lambda: np.array_equal(panel.shown.foreground, wanted.foreground), timeout=30000)
    choose(panel, "norm")
    assert not panel.threshold.isVisible()


def test_the_mouse_reads_the_number_of_the_patch(window, panel, opened, hover):
    hover(panel.view, panel.view.position_of(Place(65.0, 45.0)).toPoint())
    values = vitviz.token_norms(opened.trace, 5).values
    assert panel.reading.text() == f"patch (5, 5): {signed(f'{values[5, 5]:.4g}')}"


def test_zoom_is_linked_with_the_map(window, panel):
    from PySide6.QtCore import QRectF

    window.map_view.view.range_changed.emit(QRectF(20, 20, 40, 40))
    assert panel.view.box.viewRect().center().x() == pytest.approx(40, abs=1)


def test_another_model_is_shown_by_its_own_tokens(window, panel, ragged):
    window.opener.opened.emit(ragged)
    window.store.update(layer=3)
    QApplication.processEvents()
    assert np.array_equal(panel.shown.values, vitviz.token_norms(ragged.trace, 3).values)
    window.store.update(colormap="magma")
    assert panel.bar._colormap == "magma"


def test_tokens_that_were_not_kept_are_said_in_words(window, panel, opened, ragged):
    from dataclasses import replace

    without = vitviz.trace(opened.model, opened.image, features=False)
    window.opener.opened.emit(replace(opened, trace=without))
    QApplication.processEvents()
    assert panel.shown is None and "were not kept" in panel.note.text()
