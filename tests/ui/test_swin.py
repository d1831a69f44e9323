"""Windows of a Swin in the window: names of layers, marks, switches in both directions."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from vitviz.attention.values import Ablation, Place
from vitviz.ui.qimages import pixels_of


@pytest.fixture
def swin_window(swin):
    """Its map is that of the first shifted layer, from the last patch."""
    swin.store.update(layer=1, query=Place(129, 89))
    QApplication.processEvents()
    return swin


def pixels(window):
    """What is on the screen."""
    return pixels_of(window.map_view.view.grab().toImage())


def test_layers_are_named_in_title_box_atlas_and_status(swin_window):
    assert swin_window.map_view.title.text().startswith("Layer 1 (0.1 shifted) · ")
    assert swin_window.controls.layer.text() == "Layer 1 (0–3) · 0.1 shifted"
    assert {"L0 · 0.0 regular", "L3 · 1.1 shifted"} <= set(swin_window.atlas.labels.texts)
    swin_window.store.update(ablation=Ablation([(3, 1)]))
    assert "1 head off (L3 H1)" in swin_window.map_view.badge.text.text()
    assert "layer 1 (0.1 shifted)" in swin_window.status.reading.text()


def test_a_vit_keeps_its_numbers_and_has_no_line_for_windows(window):
    assert window.map_view.title.text().startswith(f"Layer {window.store.state.layer} · ")
    assert window.map_view.window_note.isHidden()


def test_the_note_says_window_seam_mask_and_padding(swin_window):
    note = swin_window.map_view.window_note
    shown = swin_window.pane.map
    assert note.isVisible() and note.textFormat() == Qt.TextFormat.PlainText
    hidden, empty = int(shown.windows.shut_out((8, 10)).sum()), shown.windows.padding((8, 10))
    assert hidden and empty and shown.query_cell == (8, 10)
    assert note.text() == (
        f"Window 4 x 4 shifted by 2, 2 · wraps around · {hidden} keys masked · {empty} of 16 places padding"
    )
    swin_window.store.update(layer=0)
    shown = swin_window.pane.map
    assert shown.padding_mass > 0.05
    assert f"on padding {shown.padding_mass:.3f}" in swin_window.map_view.note.text()


@pytest.mark.parametrize(
    ("name", "field", "keys"), [("one_window", "show_window", "W"), ("partition", "show_partition", "Shift+W")]
)
def test_switches_change_the_style_and_the_pixels_and_follow_it(name, field, keys, swin_window, qtbot):
    switch, style = getattr(swin_window.menus, name), lambda: swin_window.store.state.style
    assert switch.shortcut().toString() == keys and switch.toolTip()
    before, was = pixels(swin_window), getattr(style(), field)
    assert switch.isChecked() == was
    modifier = Qt.KeyboardModifier.ShiftModifier if "Shift" in keys else Qt.KeyboardModifier.NoModifier
    swin_window.activateWindow()
    qtbot.keyClick(swin_window, Qt.Key.Key_W, modifier)
    QApplication.processEvents()
    assert getattr(style(), field) is not was and switch.isChecked() is not was
    assert not np.array_equal(pixels(swin_window), before)
    swin_window.store.update(**{field: was})
    QApplication.processEvents()
    assert switch.isChecked() is was
    np.testing.assert_array_equal(pixels(swin_window), before)


def test_the_patches_panel_draws_the_same_marks(swin_window):
    items = swin_window.patches._windows
    assert not items._outline.path().isEmpty() and not items._seam.path().isEmpty()
    assert not items._hidden.path().isEmpty() and items._partition.path().isEmpty()
    swin_window.store.update(show_partition=True)
    assert not items._partition.path().isEmpty() and not items._neighbour.path().isEmpty()
    swin_window.store.update(query=None)
    QApplication.processEvents()
    assert items._outline.path().isEmpty() and items._hidden.path().isEmpty()


def test_dashed_windows_are_said_to_be_of_the_layer_that_they_are_of(swin_window):
    for layer, beside in ((0, 1), (1, 0)):
        swin_window.store.update(layer=layer, show_partition=True)
        QApplication.processEvents()
        assert swin_window.map_view.window_note.text().endswith(f"dashed: of layer {beside}")
        assert swin_window.pane.map.neighbour == swin_window.pane.opened.trace.layers[beside].windows
