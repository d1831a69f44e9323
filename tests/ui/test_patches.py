"""The model's view: its pixels, its patches counted, its tokens as chips, and the query framed."""

import re

import numpy as np
import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtWidgets import QApplication

from vitviz.attention.values import Place
from vitviz.images import view_pixels


@pytest.fixture
def panel(window):
    return window.patches


def click(qtbot, chip):
    qtbot.mouseClick(chip, Qt.MouseButton.LeftButton)
    QApplication.processEvents()


def test_view_shows_the_pixels_that_the_model_saw_where_they_lie_in_the_picture(panel, opened):
    image = panel.view.image
    assert np.array_equal(image.image, view_pixels(opened.image, opened.model.preprocessing))
    shown = image.mapRectToView(image.boundingRect())
    x0, y0, x1, y1 = opened.trace.view.box
    assert [shown.left(), shown.top(), shown.right(), shown.bottom()] == pytest.approx([x0, y0, x1, y1])


def test_formula_of_n_is_true(panel, opened):
    words = panel.count.text()
    high, p, wide, q, n = map(int, re.search(r"N = (\d+)/(\d+) · (\d+)/(\d+) = (\d+)", words).groups())
    assert high // p * (wide // q) == n == opened.trace.layers[0].grid.size == 100
    assert (high, wide) == opened.model.preprocessing.input_size
    assert "+ 1 = 101 tokens" in words


def test_formula_says_where_patches_leave_a_rest_of_the_view(bare_window, picture):
    import vitviz
    from vitviz.ui.opening import ModelWish, Opened, Wish

    model = vitviz.load_model("vit_tiny_patch16_224", pretrained=False, device="cpu", image_size=(64, 90))
    wish = Wish(picture, ModelWish("vit_tiny_patch16_224", pretrained=False, image_size=(64, 90)))
    bare_window.opener.opened.emit(Opened(wish, picture, model, vitviz.trace(model, picture)))
    assert "N = 64/16 · ⌊90/16⌋ = 20 patches + 1 = 21 tokens" in bare_window.patches.count.text()


def test_formula_of_a_model_without_prefix_tokens_counts_patches_alone(bare_window, ragged):
    bare_window.opener.opened.emit(ragged)
    words = bare_window.patches.count.text()
    _, second, layer = words.splitlines()
    assert second == "N = 64/4 · 64/4 = 256 patches" and layer == "Layer 3: 2 x 2 tokens of 32 px, after merging"
    bare_window.store.update(layer=0)
    assert bare_window.patches.count.text().splitlines()[2] == "Layer 0: 16 x 16 tokens of 4 px"


def test_chips_are_the_tokens_of_the_model_and_the_asked_one_is_checked(window, panel):
    assert {token: chip.text() for token, chip in panel.chips.items()} == {"cls": "CLS", "mean": "MEAN"}
    assert [token for token, chip in panel.chips.items() if chip.isChecked()] == ["cls"]
    assert all(chip.toolTip() for chip in panel.chips.values())


def test_chip_chooses_its_token_and_a_second_click_frees_it(qtbot, window, panel):
    click(qtbot, panel.chips["mean"])
    assert window.store.state.query == "mean"
    assert window.pane.map.selection.query == "mean"
    assert [token for token, chip in panel.chips.items() if chip.isChecked()] == ["mean"]
    click(qtbot, panel.chips["mean"])
    assert window.store.state.query is None
    assert window.pane.map.selection.query == "cls"
    assert [token for token, chip in panel.chips.items() if chip.isChecked()] == ["cls"]


def test_chips_follow_the_store(window, panel):
    for query, checked in (("mean", ["mean"]), (Place(60.0, 40.0), []), (None, ["cls"])):
        window.store.update(query=query)
        assert [token for token, chip in panel.chips.items() if chip.isChecked()] == checked


def test_another_model_brings_its_own_chips(window, panel, ragged):
    window.opener.opened.emit(ragged)
    assert list(panel.chips) == ["mean"]
    assert panel.chips["mean"].isChecked()


def test_frame_lies_around_the_patch_that_looks(window, panel, opened):
    assert not panel._frame.isVisible()  # the class token has no place
    window.store.update(query=Place(62.0, 42.0))
    QApplication.processEvents()
    view = opened.trace.view
    row, col = window.pane.map.query_cell
    (x0, y0), (x1, y1) = view.to_picture(col * 16, row * 16), view.to_picture(col * 16 + 16, row * 16 + 16)
    rect = panel._frame.rect()
    assert panel._frame.isVisible() and rect.contains(62.0, 42.0)
    assert [rect.left(), rect.top(), rect.right(), rect.bottom()] == pytest.approx([x0, y0, x1, y1])
    window.store.update(query="cls")
    QApplication.processEvents()
    assert not panel._frame.isVisible()


def test_grid_lines_are_those_of_the_layer(bare_window, ragged):
    bare_window.opener.opened.emit(ragged)
    panel, view = bare_window.patches, ragged.trace.view
    for layer, side in enumerate((16, 8, 4, 2)):
        bare_window.store.update(layer=layer)
        path = panel._lines.path()
        assert path.elementCount() == 4 * (side + 1)
        x0, y0, x1, y1 = view.box
        assert path.boundingRect() == QRectF(x0, y0, x1 - x0, y1 - y0)


def test_hover_over_the_view_chooses_the_query_as_over_the_map(window, panel, hover):
    hover(panel.view, panel.view.position_of(Place(62.0, 42.0)).toPoint())
    QApplication.processEvents()
    assert window.pane.map.query_cell is not None
    assert panel._frame.rect().contains(62.0, 42.0)
