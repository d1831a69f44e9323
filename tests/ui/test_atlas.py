"""The atlas: a click on a tile chooses its head, and what is drawn in it is that head."""

from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

from vitviz.attention.values import Place
from vitviz.render.mosaic import table
from vitviz.ui.magnifier import placed


@pytest.fixture
def atlas(window):
    return window.atlas


@pytest.fixture
def swin(bare_window, ragged):
    bare_window.opener.opened.emit(ragged)
    QApplication.processEvents()
    return bare_window


def click(qtbot, atlas, layer, head):
    qtbot.mouseClick(atlas.view.viewport(), Qt.MouseButton.LeftButton, pos=atlas.tile_center(layer, head))
    QApplication.processEvents()


@pytest.mark.parametrize("layer", range(6))
@pytest.mark.parametrize("head", range(2))
def test_click_on_the_middle_of_a_tile_chooses_layer_and_head(qtbot, window, atlas, layer, head):
    click(qtbot, atlas, layer, head)
    assert (window.store.state.layer, window.store.state.head) == (layer, head)
    chosen = window.pane.map.selection
    assert (chosen.layer, chosen.head) == (layer, head)


def test_every_tile_of_layers_with_different_numbers_of_heads_is_hit(qtbot, swin):
    for layer, count in enumerate((3, 6, 12, 24)):
        for head in (0, count // 2, count - 1):
            click(qtbot, swin.atlas, layer, head)
            assert (swin.store.state.layer, swin.store.state.head) == (layer, head)


def test_click_where_a_layer_has_no_head_changes_nothing(qtbot, swin):
    before = swin.store.state
    click(qtbot, swin.atlas, 0, 3)
    click(qtbot, swin.atlas, 0, 20)
    assert swin.store.state == before


def tile_of(window, layer, head):
    x, y, width, height = window.atlas._mosaic.tiles.box(layer, head)
    return window.atlas.view.image.image[y : y + height, x : x + width]


def test_each_tile_shows_the_map_of_its_head(window, opened):
    import vitviz

    window.store.update(query=Place(62.0, 42.0))
    QApplication.processEvents()
    for layer in range(6):
        for head in range(2):
            values = vitviz.attention_map(opened.trace, layer=layer, head=head, query=Place(62.0, 42.0)).values
            tile = tile_of(window, layer, head)
            scaled = 1 + 254 * (values - values.min()) / (values.max() - values.min())
            times = tile.shape[0] // values.shape[0]
            assert np.abs(tile - np.kron(scaled, np.ones((times, times)))).max() <= 1.0


def test_atlas_follows_the_mouse_over_the_picture(window, atlas, hover):
    before = atlas.view.image.image.copy()
    hover(window.map_view.view, window.map_view.view.position_of(Place(62.0, 42.0)).toPoint())
    QApplication.processEvents()
    one = atlas.view.image.image.copy()
    hover(window.map_view.view, window.map_view.view.position_of(Place(95.0, 20.0)).toPoint())
    QApplication.processEvents()
    two = atlas.view.image.image
    assert not np.array_equal(before, one) and not np.array_equal(one, two)


def test_tiles_are_coloured_by_the_style(window, atlas):
    window.store.update(colormap="magma", limits="all")
    colors = atlas.view.image.lut
    background = window.theme.canvas_background()
    assert np.array_equal(colors, table("magma", (background.red(), background.green(), background.blue())))
    biggest = max(range(6), key=lambda i: float(window.pane.maps.values[i].max()))
    assert max(int(tile_of(window, biggest, h).max()) for h in range(2)) == 255


def test_frame_marks_the_shown_head_and_the_row_for_a_fused_one(window, atlas):
    tiles = atlas._mosaic.tiles
    window.store.update(layer=2, head=1)
    x, y, width, height = tiles.box(2, 1)
    rect = atlas._frame.rect()
    assert atlas._frame.isVisible() and rect.contains(x + width / 2, y + height / 2)
    assert rect.width() < 1.5 * width
    window.store.update(head="mean")
    rect = atlas._frame.rect()
    assert all(rect.contains(tiles.box(2, h)[0] + width / 2, y + height / 2) for h in range(2))
    assert rect.height() < 1.5 * height


def test_hover_over_a_tile_shows_it_enlarged_and_says_which_it_is(window, atlas, hover):
    assert not atlas.lens.isVisible()
    hover(atlas.view, atlas.tile_center(3, 1))
    assert atlas.lens.isVisible()
    assert "Layer 3 head 1" in atlas.caption.text()
    assert f"{float(window.pane.maps.values[3][1].max()):.4f}" in atlas.caption.text()
    first = atlas.lens._picture.pixmap().toImage()
    hover(atlas.view, atlas.tile_center(4, 0))
    assert "Layer 4 head 0" in atlas.caption.text()
    assert atlas.lens._picture.pixmap().toImage() != first
    assert (window.store.state.layer, window.store.state.head) == (5, "mean")  # to look is not to choose


def test_lens_shows_the_overlay_of_its_head(window, atlas, hover, opened):
    import vitviz

    hover(atlas.view, atlas.tile_center(3, 1))
    image = atlas.lens._picture.pixmap().toImage()
    wanted = vitviz.overlay(opened.image, vitviz.attention_map(opened.trace, layer=3, head=1), opacity=0.6)
    assert (image.width(), image.height()) == (130, 90)  # smaller than the lens may be: not enlarged by pixels
    for x, y in ((20, 10), (65, 45), (110, 80), (2, 2)):
        assert image.pixelColor(x, y).getRgb()[:3] == tuple(wanted[y, x])


def test_lens_lies_in_the_window_and_covers_no_tile(window, atlas, hover):
    for layer in range(6):
        for head in range(2):
            hover(atlas.view, atlas.tile_center(layer, head))
            panel = QRect(atlas.mapTo(window, QPoint(0, 0)), atlas.size())
            assert atlas.lens.isVisible() and window.rect().contains(atlas.lens.geometry())
            assert not panel.intersects(atlas.lens.geometry())


@pytest.mark.parametrize("mouse", [(10, 10), (390, 10), (10, 490), (390, 490)])
def test_lens_of_a_panel_alone_lies_in_the_corner_farthest_from_the_mouse(mouse):
    lens, panel = QSize(150, 150), QRect(0, 0, 400, 500)
    at = QRect(placed(lens, panel, panel.size(), QPoint(*mouse)), lens)
    assert panel.contains(at)
    assert (at.left() > 200) == (mouse[0] < 200) and (at.top() > 250) == (mouse[1] < 250)
    assert not at.contains(QPoint(*mouse))


def test_lens_goes_with_the_atlas(window, atlas, hover):
    hover(atlas.view, atlas.tile_center(3, 1))
    window.docks["Heads"].hide()
    assert not atlas.lens.isVisible()


def test_lens_hides_between_tiles_and_when_the_mouse_leaves(window, atlas, hover):
    hover(atlas.view, atlas.tile_center(3, 1))
    hover(atlas.view, QPoint(1, 1))
    assert not atlas.lens.isVisible()
    hover(atlas.view, atlas.tile_center(3, 1))
    place = Place(atlas._mosaic.tiles.size[1] + 1.0, 2.0)
    hover(atlas.view, atlas.view.position_of(place).toPoint())
    assert not atlas.lens.isVisible()


def test_lens_follows_the_query_while_it_is_open(window, atlas, hover):
    hover(atlas.view, atlas.tile_center(3, 1))
    before = atlas.lens._picture.pixmap().toImage()
    window.store.update(query=Place(62.0, 42.0))
    QApplication.processEvents()
    assert atlas.lens._picture.pixmap().toImage() != before


def test_rows_and_columns_are_numbered(window, swin):
    texts = swin.atlas.labels.texts
    assert [text for text in texts if text.isdigit()] == [*map(str, range(24))]
    assert texts[:4] == ["L0 · 0.0 window", "L1 · 1.0 window", "L2 · 2.0 window", "L3 · 3.0 window"]


def test_gaps_have_the_colour_of_the_panel(window, atlas):
    atlas.set_colors(QColor(7, 8, 9), QColor(250, 250, 250))
    QApplication.processEvents()
    gap = Place(atlas._mosaic.tiles.tile[1] + atlas._mosaic.tiles.gap / 2, 5.0)
    image = atlas.view.grab().toImage()
    at = atlas.view.position_of(Place(-0.05 * max(atlas._mosaic.tiles.size), 0.0)).toPoint()
    assert image.pixelColor(at).getRgb()[:3] == (7, 8, 9)
    assert atlas.view.image.lut[atlas.view.image.image[5, int(gap.x)]].tolist() == [7, 8, 9]


def test_atlas_without_a_model_is_harmless(qtbot, bare_window, hover):
    atlas = bare_window.atlas
    hover(atlas.view, QPoint(20, 20))
    qtbot.mouseClick(atlas.view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(30, 30))
    bare_window.store.update(colormap="gray")
    assert not atlas.lens.isVisible() and atlas.view.image.image is None


def test_labels_that_would_run_into_each_other_are_left_out(swin):
    view, labels = swin.atlas.view, swin.atlas.labels.of("column")
    pitch = swin.atlas._mosaic.tiles.tile[1] + swin.atlas._mosaic.tiles.gap
    for wide in (2000.0, 300.0, 60.0):
        view.box.setRange(QRectF(0, 0, wide, wide), padding=0)
        QApplication.processEvents()
        shown = [label for label in labels if label.isVisible()]
        assert shown[0] is labels[0]
        steps = [b.pos().x() - a.pos().x() for a, b in pairwise(shown)]
        needed = (swin.atlas.fontMetrics().horizontalAdvance("00") + 4) * view.box.viewPixelSize()[0]
        assert min(steps) >= needed and (min(steps) == pytest.approx(pitch) or min(steps) - pitch < needed)


def test_atlas_behind_another_tab_draws_nothing_and_catches_up(qtbot, window):
    atlas = window.atlas
    before = atlas.view.image.image.copy()
    other, heads = (next(d for d in window.docks if d.windowTitle() == title) for title in ("Filters", "Heads"))
    other.show()
    other.raise_()
    qtbot.waitUntil(lambda: not atlas.is_seen())
    window.store.update(query=Place(62.0, 42.0))
    QApplication.processEvents()
    assert np.array_equal(atlas.view.image.image, before)
    heads.raise_()
    qtbot.waitUntil(atlas.is_seen)
    assert not np.array_equal(atlas.view.image.image, before)
    assert np.array_equal(atlas.view.image.image, atlas._mosaic.draw(window.pane.maps.values, "map"))


def test_title_says_that_it_is_attention_of_which_token_whatever_the_map_shows(qtbot, window, atlas):
    assert atlas.title.text() == "Attention from CLS"
    window.store.update(query=(3, 4), direction="to")
    qtbot.waitUntil(lambda: atlas.title.text() == "Attention to patch (3, 4)")
    window.store.update(method="relevance", direction="from")
    qtbot.waitUntil(lambda: window.pane.map.selection.method == "relevance", timeout=20000)
    assert atlas.title.text().startswith("Attention from patch (3, 4); the map shows Relevance")
