"""Another size of view in the Positions panel: asked for by a click, four maps, a table, a sentence."""

import json

import numpy as np
import pytest
from PIL import Image as Pillow
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from test_positions_panel import bring_up

from vitviz.attention.values import Place
from vitviz.embeddings.transfer import Transfer, transfers
from vitviz.render.weights import map_indices
from vitviz.ui.transfer_table import verdict


@pytest.fixture
def panel(qtbot, window):
    bring_up(qtbot, window, "Positions")
    window.weights.tabs.setCurrentIndex(1)
    QApplication.processEvents()
    return window.weights.resolution


def compare(qtbot, window, panel):
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=30_000)
    QApplication.processEvents()


def test_sizes_are_whole_numbers_of_patches_and_nothing_runs_before_it_is_asked_for(panel, window):
    assert [panel.sizes.itemText(i) for i in range(panel.sizes.count())] == [
        "View of 80 x 80 px", "View of 128 x 128 px", "View of 192 x 192 px", "View of 240 x 240 px",
        "View of 320 x 320 px",
    ]  # fmt: skip
    assert not window.worker.is_busy() and panel.found == () and not panel.maps.isVisible()


def test_click_compares_the_three_ways(qtbot, window, panel, opened):
    panel.sizes.setCurrentIndex(0)
    compare(qtbot, window, panel)
    expected = transfers(opened.model, opened.image, (80, 80))
    assert [each.way for each in panel.found] == [None, "bicubic", "bilinear", "naive"]
    for row, each in enumerate(expected):
        assert panel.table.item(row, 1).text() == ("10 x 10" if row == 0 else "5 x 5")
        assert panel.table.item(row, 2).text() == f"{each.top[0][0]} {each.top[0][1]:.1%}"
        assert panel.table.item(row, 3).text() == f"{each.target:.1%}"
    assert panel.table.horizontalHeaderItem(3).text() == f"of {expected[0].top[0][0]}"
    assert panel.verdict.text().startswith(verdict(expected)) and panel.maps.isVisible() and panel.button.isEnabled()


def test_maps_are_of_the_place_under_the_mouse_before_and_after(qtbot, window, panel, opened, hover):
    panel.sizes.setCurrentIndex(0)
    compare(qtbot, window, panel)
    hover(panel.views[1], panel.views[1].position_of(Place(3.5, 1.5)).toPoint())
    assert isinstance(window.store.state.hover, Place)
    assert panel.cells == [(3, 7), (1, 3), (1, 3), (1, 3)]
    for each, view, cell in zip(panel.found, panel.views, panel.cells, strict=True):
        unit = each.patches / np.linalg.norm(each.patches, axis=-1, keepdims=True)
        assert np.array_equal(view.image.image, map_indices(unit @ unit[cell], (-1.0, 1.0)))
    panel.views[1].left.emit()
    assert window.store.state.hover is None


def test_another_picture_or_model_takes_the_comparison_away(qtbot, window, panel, ragged):
    compare(qtbot, window, panel)
    window.opener.opened.emit(ragged)
    QApplication.processEvents()
    assert panel.found == () and not panel.table.isVisible()
    compare(qtbot, window, panel)
    assert "adds no position embedding" in panel.text.text() and panel.button.isEnabled()


def test_result_of_what_is_no_longer_shown_is_dropped(qtbot, window, panel, ragged):
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    window.opener.opened.emit(ragged)
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=30_000)
    QApplication.processEvents()
    assert panel.found == () and panel.button.isEnabled()


def test_sentence_names_a_changed_prediction_and_a_model_without_classes():
    patches = np.zeros((2, 2, 1), np.float32)
    first = Transfer(None, (32, 32), patches, (("ring", 0.8), ("star", 0.2)), 0.8)
    kept = Transfer("bicubic", (64, 64), patches, (("ring", 0.7),), 0.7)
    lost = Transfer("naive", (64, 64), patches, (("star", 0.9),), 0.1)
    assert verdict((first, kept, lost)) == (
        "Probability of ring: 80.0% as it is. At 64 px: 70.0% bicubic; 10.0% naive. "
        "Another class is the most probable one then: star 90.0% (naive)."
    )
    assert verdict((first, kept)).endswith("70.0% bicubic. It stays the most probable class.")
    assert "no classes" in verdict((Transfer(None, (32, 32), patches), kept))


def test_place_that_gets_no_row_says_why_its_map_is_0(qtbot, window, panel, opened):
    panel.sizes.setCurrentIndex(panel.sizes.count() - 1)
    compare(qtbot, window, panel)
    size, naive = opened.image.size, panel.found[3].patches
    assert naive[0, 0].any() and not naive[-1, -1].any()
    for x, y, empty in ((1.0, 1.0, False), (size[1] - 1.0, size[0] - 1.0, True)):
        window.store.update(query=Place(x, y))
        assert ("Naive: no row of the old positions" in panel.verdict.text()) is empty
        assert (panel.views[3].image.image != map_indices(np.zeros(()), (-1.0, 1.0))).any() != empty


def test_figure_of_the_four_maps_is_written(qtbot, window, panel, tmp_path):
    panel.sizes.setCurrentIndex(0)
    compare(qtbot, window, panel)
    with qtbot.waitSignal(panel.buttons.written, timeout=20_000):
        panel.buttons.export(tmp_path / "sizes.png")
    recipe = json.loads((tmp_path / "sizes.png.json").read_text())
    assert list(recipe["values"]["predictions"]) == [title.text() for title in panel.titles]
    assert Pillow.open(tmp_path / "sizes.png").width == round(174 / 25.4 * 300)
