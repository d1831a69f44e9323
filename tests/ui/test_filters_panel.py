"""The Filters panel: components or all filters as tiles, named under the mouse."""

import numpy as np
import pytest
from PIL import Image as Pillow
from PySide6.QtWidgets import QApplication
from test_positions_panel import bring_up, open_model

import vitviz
from vitviz.attention.values import Place
from vitviz.render.weights import filter_pixels, tile_colors


@pytest.fixture
def panel(qtbot, window):
    return bring_up(qtbot, window, "Filters")


def background(panel):
    color = panel._background
    return color.red(), color.green(), color.blue()


def choose(panel, index):
    panel.choice.setCurrentIndex(index)
    panel.choice.activated.emit(index)
    QApplication.processEvents()


def test_hidden_panel_reads_nothing(window):
    assert window.weights.filters.filters is None and not window.weights.filters.is_seen()


def test_28_components_are_shown_as_the_paper_does(panel, opened):
    found = vitviz.patch_filters(opened.model).components()
    assert max(panel.tiles.heads) == 7 and len(panel.tiles.heads) == 4
    assert np.array_equal(panel.view.image.image, filter_pixels(tile_colors(found.tiles), background(panel)))
    assert panel.caption.text() == f"28 components explain {found.explained.sum():.1%} of the variance of the filters"
    assert "64 filters of 16 x 16 px" in panel.text.text()


def test_all_filters_are_shown_on_choice_and_back(panel, opened):
    choose(panel, 1)
    kernels = opened.model.module.patch_embed.proj.weight.detach().numpy()
    assert np.array_equal(panel.view.image.image, filter_pixels(tile_colors(kernels), background(panel)))
    choose(panel, 0)
    assert sum(panel.tiles.heads) == 28


def test_tile_under_the_mouse_is_named(panel, hover, opened):
    shares = vitviz.patch_filters(opened.model).components().explained
    x, y, width, height = panel.tiles.box(1, 2)
    hover(panel.view, panel.view.position_of(Place(x + width / 2, y + height / 2)).toPoint())
    assert panel.caption.text() == f"component 9 · {shares[9]:.2%} of the variance, {shares[:10].sum():.1%} up to here"
    assert panel._frame.isVisible()
    panel.view.left.emit()
    assert not panel._frame.isVisible() and panel.caption.text().startswith("28 components")
    choose(panel, 1)
    hover(panel.view, panel.view.position_of(Place(2.0, 2.0)).toPoint())
    assert panel.caption.text().startswith("filter 0 · norm ")


def test_another_model_brings_its_filters_and_another_picture_does_not(qtbot, panel, window, ragged, opened):
    before = panel.filters
    window.opener.opened.emit(opened)
    assert panel.filters is before
    window.opener.opened.emit(ragged)
    qtbot.waitUntil(lambda: panel.filters is not None and panel.filters is not before, timeout=20_000)
    assert "12 filters of 4 x 4 px" in panel.text.text() and sum(panel.tiles.heads) == 12


def test_stem_is_said_to_be_one(qtbot, panel, window, picture, make):
    args = {"img_size": (64, 96), "embed_dim": 32, "depth": 1, "num_heads": 2, "num_classes": 5}
    open_model(qtbot, window, picture, make("vit_tiny_r_s16_p8_224", (64, 96), **args))
    assert "first convolution" in panel.text.text()


def test_figure_is_written(qtbot, panel, tmp_path):
    with qtbot.waitSignal(panel.buttons.written, timeout=20_000):
        panel.buttons.export(tmp_path / "filters.png")
    assert Pillow.open(tmp_path / "filters.png").width == round(85 / 25.4 * 300)
