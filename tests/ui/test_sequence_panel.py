"""Tokens from pixels: numbers of tokens, the cost of attention, and the patch under the mouse as pixels and vectors."""

import re

import numpy as np
import pytest
from PIL import Image as Pillow
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from test_positions_panel import bring_up, open_model

from vitviz.attention.values import Place
from vitviz.embeddings.pixels import patch_tokens
from vitviz.images import view_pixels
from vitviz.render.sequence import cost_text, count_text, stages_text
from vitviz.ui.strip import Strip


@pytest.fixture
def panel(qtbot, window):
    return bring_up(qtbot, window, "Tokens from pixels")


def point_of(panel, token):
    center = panel.view.box_of(token).center()
    return panel.view.position_of(Place(center.x(), center.y())).toPoint()


def test_hidden_panel_runs_nothing(window):
    assert window.weights.sequence.found is None and window.weights.sequence.view.tiles is None


def test_numbers_of_tokens_are_those_of_the_trace(panel, opened):
    words = panel.count.text()
    high, p, wide, q, rows, cols, n = map(
        int, re.search(r"= (\d+)/(\d+) · (\d+)/(\d+) = (\d+) · (\d+) = (\d+) patches", words).groups()
    )
    assert (high // p, wide // q) == (rows, cols) == opened.trace.layers[0].grid.shape and n == rows * cols == 100
    assert "with CLS in front: 101 tokens." in words


def test_cost_is_relative_to_224_px_at_patch_16(panel, opened):
    words = panel.cost.text()
    assert (
        "100² = 10,000 pairs" in words
        and "(patches only), 0.26 times the pairs of a view of 224 px at patch 16" in words
    )  # (100 / 196)^2
    assert "A view of 512 px at patch 16 has 1,024 patches and 27.3 times those pairs" in words


def test_windows_cost_less_than_all_pairs_and_stages_are_counted(ragged):
    assert "windows of 4 x 4: 256 · 16 = 4,096 pairs" in cost_text(ragged.trace)
    assert "it would be 1.71 times" in cost_text(ragged.trace)  # (256 / 196)^2
    assert "16 x 16 = 256, 8 x 8 = 64, 4 x 4 = 16, 2 x 2 = 4" in stages_text(ragged.trace)
    assert "= 256 patches." in count_text(ragged.trace)


def test_patch_under_the_mouse_is_shown_as_pixels_and_as_what_the_network_makes_of_it(panel, window, opened, hover):
    hover(panel.view, point_of(panel, (3, 6)))
    assert window.pane.map.query_cell == (3, 6)
    assert panel.caption.text() == "Token 37 = patch (3, 6): columns 96 to 111, rows 48 to 63 of the view"
    expected = patch_tokens(opened.model, opened.image)
    embedding, position, whole = panel.strips
    assert np.array_equal(embedding.values, expected.embedded[36])
    assert np.array_equal(position.values, expected.position[36])
    assert np.array_equal(whole.values, expected.tokens[37]) and "token 37" in whole.words()
    assert embedding.values + position.values == pytest.approx(whole.values, abs=1e-5)
    view = view_pixels(opened.image, opened.model.preprocessing)
    shown = panel.patch.pixmap().toImage().scaled(16, 16)
    for y, x in ((0, 0), (5, 9), (15, 15)):
        color = shown.pixelColor(x, y)
        assert (color.red(), color.green(), color.blue()) == tuple(view[48 + y, 96 + x])


def test_panel_follows_the_query_of_the_map(panel, window):
    window.store.update(hover=Place(62.0, 42.0))
    assert window.pane.map is not None
    QApplication.processEvents()
    assert panel.token == window.pane.map.query_cell


def test_prefix_token_is_shown_under_the_mouse_and_pinned_by_a_click(qtbot, panel, window, opened, hover):
    hover(panel.view, point_of(panel, 0))
    expected = patch_tokens(opened.model, opened.image)
    assert panel.caption.text().startswith("Token 0 = CLS") and window.store.state.query is None
    assert np.array_equal(panel.strips[2].values, expected.tokens[0])
    assert not panel.strips[0].isVisible() and not panel.strips[1].isVisible()
    for query in ("cls", None):
        qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=point_of(panel, 0))
        assert window.store.state.query == query


def test_click_pins_a_patch_and_frees_it(qtbot, panel, window):
    for pinned in (True, False):
        qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=point_of(panel, (1, 1)))
        assert isinstance(window.store.state.query, Place) == pinned


@pytest.mark.parametrize("pinned", [None, "cls", Place(20.0, 20.0)])
def test_double_click_leaves_what_was_pinned(qtbot, panel, window, pinned):
    window.store.update(query=pinned)
    for press in (qtbot.mouseClick, qtbot.mouseDClick):  # as a mouse does
        press(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=point_of(panel, (1, 1)))
        QApplication.processEvents()
    assert window.store.state.query == pinned


def test_between_the_patches_is_no_token(panel, window, hover):
    tiles = panel.view.tiles
    x, y, width, height = tiles.box(0, 0)
    assert panel.view.token_at(Place(x + width + tiles.gap / 2, y + height / 2)) is None


def test_swin_says_what_differs(qtbot, panel, window, ragged):
    window.opener.opened.emit(ragged)
    qtbot.waitUntil(lambda: panel.found is not None, timeout=20_000)
    assert "merged into one" in panel.note.text() and "No position is added" in panel.note.text()
    assert not panel.strips[1].isVisible() and panel.strips[0].isVisible() and panel.view.prefix == ()


def test_rotary_and_stems_say_what_differs(qtbot, panel, window, picture, make):
    args = {"img_size": (64, 96), "embed_dim": 64, "depth": 2, "num_heads": 2, "num_classes": 5}
    open_model(qtbot, window, picture, make("vit_small_patch16_dinov3", (64, 96), **args))
    assert panel.view.prefix == ("cls", "reg0", "reg1", "reg2", "reg3")
    assert "turns queries and keys in every layer" in panel.note.text()
    open_model(qtbot, window, picture, make("test_coatnet", (64, 96), img_size=(64, 96), num_classes=5))
    assert "no patch has an embedding of its own" in panel.note.text()
    assert not any(strip.isVisible() for strip in panel.strips)


def test_figure_is_written(qtbot, panel, tmp_path):
    with qtbot.waitSignal(panel.buttons.written, timeout=20_000):
        panel.buttons.export(tmp_path / "tokens")
    assert (
        Pillow.open(tmp_path / "tokens.png").width == round(85 / 25.4 * 300) and (tmp_path / "tokens.png.json").exists()
    )


def test_numbers_are_painted_where_there_is_room(panel):
    panel.grab()  # paints; a number too small to read is left out rather than drawn over its neighbours
    assert panel.view._numbers.boundingRect().contains(panel.view.prefix_box(0))


def test_strip_finds_the_value_under_the_mouse_and_paints_more_values_than_pixels(qtbot):
    strip = Strip("values")
    qtbot.addWidget(strip)
    strip.resize(100, 50)
    assert strip.index_at(5) is None
    strip.show_values(np.linspace(-1, 1, 50, dtype=np.float32), 1.0)
    assert strip.index_at(0) == 0 and strip.index_at(99.9) == 49 and strip.index_at(100) is None
    few = strip.grab().toImage()
    strip.show_values(np.linspace(-1, 1, 5000, dtype=np.float32), 1.0)
    many = strip.grab().toImage()
    for image in (few, many):
        accent = strip.palette().highlight().color()
        below, above = (image.pixelColor(QPoint(x, y)) for x, y in ((3, 45), (96, 20)))
        assert below == accent and above == accent
