"""The Positions panel: what it shows, what hovering it does, and that it does nothing while hidden."""

import json

import numpy as np
import pytest
from PIL import Image as Pillow
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from vitviz.attention.values import Place
from vitviz.embeddings.positions import positions_of
from vitviz.render.scale import signed
from vitviz.render.weights import grid_indices, map_indices


def bring_up(qtbot, window, title):
    """Show a panel and wait until all that it asked for is there."""
    dock = next(dock for dock in window.docks if dock.windowTitle() == title)
    dock.show()
    dock.raise_()
    panels = {
        "Positions": window.weights.positions,
        "Filters": window.weights.filters,
        "Tokens from pixels": window.weights.sequence,
    }
    qtbot.waitUntil(lambda: panels[title].is_seen() and not window.worker.is_busy(), timeout=20_000)
    QApplication.processEvents()
    return panels[title]


@pytest.fixture
def panel(qtbot, window):
    return bring_up(qtbot, window, "Positions")


def open_model(qtbot, window, picture, model):
    import vitviz
    from vitviz.models.wish import ModelWish
    from vitviz.ui.opening import Opened, Wish

    window.opener.opened.emit(
        Opened(Wish(picture, ModelWish(model.name)), picture, model, vitviz.trace(model, picture))
    )
    QApplication.processEvents()
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=20_000)
    QApplication.processEvents()


def mosaic_point(panel, row, col, v=0.5, u=0.5):
    x, y, width, height = panel.mosaic.tiles.box(row, col)
    return panel.mosaic.position_of(Place(x + u * width, y + v * height)).toPoint()


def test_hidden_panel_reads_nothing(window, opened):
    assert not window.weights.positions.is_seen()
    window.store.update(hover=Place(60.0, 40.0))
    QApplication.processEvents()
    assert window.weights.positions.found == () and window.weights.positions.mosaic.made is None


def test_panel_behind_another_tab_does_nothing_and_catches_up_when_it_is_seen_again(qtbot, panel, window, ragged):
    heads = next(dock for dock in window.docks if dock.windowTitle() == "Heads")
    heads.raise_()
    qtbot.waitUntil(lambda: not panel.is_seen())
    before = panel.found
    window.opener.opened.emit(ragged)
    QApplication.processEvents()
    assert panel.found is before and not window.worker.is_busy()
    bring_up(qtbot, window, "Positions")
    assert panel.found == ()


def test_shown_panel_has_the_map_of_the_query_and_the_grid_of_all(panel, window, opened):
    (expected,) = positions_of(opened.model)
    assert "Learned: one vector for each of 10 x 10 patches, with rows for CLS" in panel.text.text()
    assert np.array_equal(panel.mosaic.image.image, grid_indices(expected.all().copy(), (-1.0, 1.0)))
    window.store.update(hover=Place(62.0, 42.0))
    view = opened.trace.view
    u, v = view.to_view(62.0, 42.0)
    cell = int(v // 16), int(u // 16)
    assert np.array_equal(panel.single.image.image, map_indices(expected.row(cell), (-1.0, 1.0)))
    assert panel.caption.text() == f"patch ({cell[0]}, {cell[1]})"


def test_hover_of_the_grid_chooses_the_position_everywhere(panel, window, opened, hover):
    hover(panel.mosaic, mosaic_point(panel, 2, 7, v=0.05, u=0.95))
    assert window.pane.map.query_cell == (2, 7)
    similarity = positions_of(opened.model)[0].row((2, 7))[0, 9]
    assert panel.caption.text() == f"patch (2, 7) with (0, 9): {signed(f'{similarity:.3f}')}"
    assert panel.mosaic._frame.rect().center().x() == pytest.approx(panel.mosaic.tiles.box(2, 7)[0] + 5)


def test_hover_of_the_single_map_chooses_the_position_and_leaving_frees_it(panel, window, hover):
    hover(panel.single, panel.single.position_of(Place(4.5, 8.5)).toPoint())
    assert window.pane.map.query_cell == (8, 4)
    panel.single.left.emit()
    QApplication.processEvents()
    assert window.store.state.hover is None


def test_click_pins_the_position_and_a_second_click_frees_it(qtbot, panel, window):
    point = mosaic_point(panel, 3, 3)
    for pinned in (True, False):
        qtbot.mouseClick(panel.mosaic.viewport(), Qt.MouseButton.LeftButton, pos=point)
        QApplication.processEvents()
        assert (window.store.state.query is not None) == pinned


@pytest.mark.parametrize("pinned", [None, "cls", Place(20.0, 20.0)])
def test_double_click_leaves_what_was_pinned(qtbot, panel, window, pinned):
    window.store.update(query=pinned)
    for press in (qtbot.mouseClick, qtbot.mouseDClick):  # as a mouse does
        press(panel.mosaic.viewport(), Qt.MouseButton.LeftButton, pos=mosaic_point(panel, 3, 3))
        QApplication.processEvents()
    assert window.store.state.query == pinned


def test_chip_of_the_class_token_shows_its_row_and_follows_the_store(qtbot, panel, window, opened):
    (expected,) = positions_of(opened.model)
    qtbot.mouseClick(panel.chips.buttons["cls"], Qt.MouseButton.LeftButton)
    assert window.store.state.query == "cls"
    assert np.array_equal(panel.single.image.image, map_indices(expected.row("cls"), (-1.0, 1.0)))
    assert not panel.single._frame.isVisible() and panel.caption.text() == "CLS"
    window.store.update(query=None)
    assert not panel.chips.buttons["cls"].isChecked()
    window.store.update(query="cls")
    assert panel.chips.buttons["cls"].isChecked()


def test_own_scale_runs_from_the_smallest_to_the_largest_value(panel, opened):
    panel.scales.setCurrentIndex(1)
    panel.scales.activated.emit(1)
    whole = positions_of(opened.model)[0].all()
    assert panel.limits() == pytest.approx((whole.min(), whole.max()))
    assert panel.bar.limits == panel.limits() and "smallest to largest" in panel.bar.text()
    assert panel.mosaic.image.image.min() <= 1 and panel.mosaic.image.image.max() == 255


def test_colormap_follows_the_store(panel, window):
    window.store.update(colormap="magma")
    from vitviz.render.mosaic import table

    assert np.array_equal(panel.mosaic.image.lut[1:], table("magma", (0, 0, 0))[1:])


def test_another_model_brings_its_own_positions_and_none_says_why(qtbot, panel, window, ragged, picture, make):
    window.opener.opened.emit(ragged)
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=20_000)
    QApplication.processEvents()
    assert "No position embedding: it adds a bias to its attention" in panel.text.text()
    assert not panel.mosaic.isVisible() and not panel.chips.buttons
    qtbot.mouseClick(panel.bias_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.analysis.bias.is_seen() and not panel.is_seen(), timeout=20_000)
    bring_up(qtbot, window, "Positions")
    model = make("eva02_tiny_patch14_224", (56, 84), img_size=(56, 84), embed_dim=64, depth=2, num_heads=2)
    open_model(qtbot, window, picture, model)
    assert [panel.kinds.itemText(i) for i in range(panel.kinds.count())] == ["Learned", "Rotary"]
    assert panel.kinds.isVisible() and panel.mosaic.isVisible() and not panel.bias_button.isVisible()
    panel.kinds.setCurrentIndex(1)
    panel.kinds.activated.emit(1)
    qtbot.waitUntil(lambda: panel.mosaic.made is not None, timeout=20_000)
    assert panel.text.text().startswith("Rotary") and "mean cos(Δ phase)" in panel.bar.text()
    assert panel.mosaic.made.values == pytest.approx(positions_of(model)[1].all(), abs=1e-6)


def test_rotary_angles_of_a_head_follow_layer_and_head(qtbot, panel, window, picture, make):
    args = {"img_size": (64, 96), "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 5}
    model = make("vit_small_patch16_rope_mixed_224", (64, 96), **args)
    open_model(qtbot, window, picture, model)
    (expected,) = positions_of(model)
    for layer, head in ((0, 1), (1, 0)):
        window.store.update(layer=layer, head=head)
        qtbot.waitUntil(
            lambda layer=layer: panel.mosaic.made is not None and panel.mosaic.made.layer == layer, timeout=20_000
        )
        assert panel.mosaic.made.values == pytest.approx(expected.all(layer=layer, head=head), abs=1e-6)
        assert f"layer {layer}, head {head}" in panel.caption.text()


def test_figure_is_copied_and_written_with_its_recipe(qtbot, panel, tmp_path):
    QGuiApplication.clipboard().clear()
    qtbot.mouseClick(panel.buttons.copy_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: QGuiApplication.clipboard().image().width() == round(85 / 25.4 * 300), timeout=20_000)
    with qtbot.waitSignal(panel.buttons.written, timeout=20_000):
        panel.buttons.export(tmp_path / "grid.png")
    assert Pillow.open(tmp_path / "grid.png").width == round(85 / 25.4 * 300)
    recipe = json.loads((tmp_path / "grid.png.json").read_text())
    assert recipe["study"]["kind"] == "learned" and recipe["model"]["architecture"]
    with qtbot.waitSignal(panel.buttons.written, timeout=20_000):
        panel.buttons.export(tmp_path / "grid.svg")
    assert (tmp_path / "grid.svg").read_bytes().startswith(b"<")


def test_panel_has_words_for_those_who_do_not_see_it(panel):
    for widget in (panel.single, panel.mosaic, panel.kinds, panel.scales, panel.bar, panel.buttons.copy_button):
        assert widget.accessibleName()
    assert panel.text.textFormat() == panel.caption.textFormat() == Qt.TextFormat.PlainText
