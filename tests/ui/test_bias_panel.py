"""The panel of the relative position bias: asked for, it follows layer and head; hidden, it does nothing."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog

import vitviz
from vitviz.attention.values import Place
from vitviz.render.scale import MINUS


def show(qtbot, window):
    dock = next(dock for dock in window.docks if dock.windowTitle() == "Relative bias")
    dock.show()
    dock.raise_()
    QApplication.processEvents()
    qtbot.waitUntil(lambda: window.analysis.bias.is_seen() and not window.worker.is_busy(), timeout=20000)
    return window.analysis.bias


def test_hidden_at_first_and_idle(swin):
    assert not swin.analysis.bias.is_seen() and swin.analysis.bias.table is None and not swin.worker.is_busy()


def test_shows_the_tables_of_the_chosen_layer_and_frames_the_head(qtbot, swin, tiny_swin):
    panel, tables = show(qtbot, swin), vitviz.relative_position_bias(tiny_swin)
    for layer, name in enumerate(tables):
        swin.store.update(layer=layer, head=1)
        np.testing.assert_array_equal(panel.table.values, tables[name])
        assert panel.title.text().startswith(f"Layer {layer} (")
        assert panel.view._frame.isVisible() and panel.view._frame.rect().contains(*panel.table.tile_box(1)[:2])
    swin.store.update(head="mean")
    assert not panel.view._frame.isVisible()


def test_hover_says_offset_and_value_and_a_click_chooses_the_head(qtbot, swin, hover):
    panel = show(qtbot, swin)
    swin.store.update(layer=2)
    x, y, _, _ = panel.table.tile_box(2)
    at = panel.view.position_of(Place(x + 0.5, y + 6.5)).toPoint()
    hover(panel.view, at)
    assert panel.reading.text() == f"head 2 · dy +3, dx −3 · bias {panel.table.values[2, 6, 0]:+.4f}".replace(
        "-", MINUS
    )
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert swin.store.state.head == 2
    assert panel.bar.text() == "bias added to the score (no unit), scale of the layer"


def words(panel):
    """What is written in the picture, with where it stands."""
    return [(label.toPlainText(), label.pos().x(), label.pos().y()) for label in panel.view._labels]


@pytest.mark.parametrize("size", [(1440, 900), (1024, 700)])
def test_heads_and_offsets_are_numbered_where_they_are(qtbot, swin, size):
    panel = show(qtbot, swin)
    swin.resize(*size)
    swin.store.update(layer=2)
    QApplication.processEvents()
    heads, high = panel.table.values.shape[:2]
    found = words(panel)
    for head in range(heads):
        x, y, width, height = panel.table.tile_box(head)
        (label,) = [
            each for each in found if each[0] in (f"head {head}",) or each == (str(head), x + width / 2, y + height)
        ]
        assert x < label[1] < x + width and label[2] == y + height
    assert {"dy of the key, in patches", "dx of the key, in patches"} <= {text for text, _, _ in found}
    ticks = [each for each in found if each[0].startswith(("+", "−")) or (each[0] == "0" and min(each[1:]) < 0)]
    assert {f"−{high // 2}", f"+{high // 2}"} <= {text for text, _, _ in ticks}
    for text, x, y in ticks:
        down = x < 0  # those of the rows stand at the left
        at = panel.table.at(0.5 if down else x, y if down else 0.5)
        assert at[1 if down else 2] == int(text.replace("−", "-"))


def test_a_model_without_one_says_so_and_can_not_be_exported(qtbot, window):
    panel = show(qtbot, window)
    assert "has no relative position bias" in panel.title.text() and panel.title.textFormat() == Qt.TextFormat.PlainText
    assert panel.table is None
    assert all(widget.isHidden() for widget in (panel.bar, panel.view, panel.buttons, panel.reading))


def test_export_writes_the_shown_layer(qtbot, swin, tmp_path):
    panel = show(qtbot, swin)
    swin.store.update(layer=1)
    with qtbot.waitSignal(swin.analysis.told, timeout=20000) as told:
        panel.buttons.export(tmp_path / "bias.npz")
    assert "bias.npz.json" in told.args[0]
    np.testing.assert_array_equal(np.load(tmp_path / "bias.npz")["bias"], panel.table.values)


def test_export_writes_the_layer_that_was_asked_about(qtbot, swin, tmp_path):
    panel = show(qtbot, swin)
    swin.store.update(layer=1)
    asked = panel.table
    panel.buttons.export_button.click()
    (dialog,) = [each for each in swin.findChildren(QFileDialog) if each.isVisible()]
    swin.store.update(layer=2)
    assert panel.table is not asked
    with qtbot.waitSignal(panel.buttons.written, timeout=20000):
        dialog.filesSelected.emit([str(tmp_path / "bias.npz")])
    dialog.close()
    np.testing.assert_array_equal(np.load(tmp_path / "bias.npz")["bias"], asked.values)
