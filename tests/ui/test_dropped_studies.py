"""Figures that are no maps, dropped on the window: the panel that they are of comes back with what it showed."""

import json

from drop_cases import drop_and_wait
from PySide6.QtCore import Qt

from vitviz.attention.values import Place
from vitviz.ui.samples import pictures


def front(qtbot, window, title, panel, ready):
    window.docks.show(title)
    qtbot.waitUntil(lambda: panel.is_seen() and ready() and not window.worker.is_busy(), timeout=60_000)


def export(qtbot, panel, path):
    with qtbot.waitSignal(panel.buttons.written, timeout=60_000):
        panel.buttons.export(path)
    return path


def test_relative_bias_comes_back_with_its_model_and_layer(qtbot, demo, tmp_path):
    window = demo("demo-swin")
    panel = window.analysis.bias
    window.store.update(layer=2)
    front(qtbot, window, "Relative bias", panel, lambda: panel.table is not None)
    path = export(qtbot, panel, tmp_path / "bias.svg")
    named = panel.table.layer_name
    window.docks.show("Heads")
    demo("demo")
    window.store.update(layer=0)
    drop_and_wait(qtbot, window, path)
    qtbot.waitUntil(lambda: panel.is_seen() and panel.table is not None, timeout=60_000)
    assert window.pane.opened.model.name == "demo-swin" and panel.table.layer_name == named
    assert window.store.state.layer == 2


def test_filters_come_back_as_they_were(qtbot, demo, tmp_path):
    window = demo("demo")
    panel = window.weights.filters
    front(qtbot, window, "Filters", panel, lambda: panel.filters is not None)
    panel.choice.setCurrentIndex(1)
    path = export(qtbot, panel, tmp_path / "filters.png")
    panel.choice.setCurrentIndex(0)
    window.docks.show("Heads")
    drop_and_wait(qtbot, window, path)
    qtbot.waitUntil(panel.is_seen, timeout=60_000)
    assert panel.choice.currentData() == "filters"


def test_positions_come_back_with_scale_and_colours(qtbot, demo, tmp_path):
    window = demo("demo")
    panel = window.weights.positions
    front(qtbot, window, "Positions", panel, lambda: panel.mosaic.made is not None)
    panel.choices.scales.setCurrentIndex(panel.choices.scales.findData("own"))
    window.store.update(colormap="magma")
    first = export(qtbot, panel, tmp_path / "own.png")
    assert json.loads((tmp_path / "own.png.json").read_text())["study"]["limits"] == list(panel.limits())
    panel.choices.scales.setCurrentIndex(panel.choices.scales.findData("whole"))
    window.store.update(colormap="viridis")
    demo("demo-swin")
    drop_and_wait(qtbot, window, first)
    qtbot.waitUntil(lambda: panel.is_seen() and panel.mosaic.made is not None, timeout=60_000)
    assert not panel.choices.whole and window.store.state.style.colormap == "magma"
    export(qtbot, panel, tmp_path / "second.png")
    assert (tmp_path / "second.png").read_bytes() == first.read_bytes()


def test_another_size_is_compared_again(qtbot, demo, tmp_path):
    window = demo("demo")
    panel = window.weights.resolution
    window.docks.show("Positions")
    window.weights.tabs.setCurrentWidget(panel)
    qtbot.waitUntil(lambda: panel.is_seen() and panel.sizes.count() > 1, timeout=60_000)
    panel.sizes.setCurrentIndex(0)
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(panel.found), timeout=60_000)
    path, size = export(qtbot, panel, tmp_path / "size.png"), panel.found[1].size
    demo("demo-swin")
    window.weights.tabs.setCurrentIndex(0)
    drop_and_wait(qtbot, window, path)
    qtbot.waitUntil(lambda: panel.is_seen() and bool(panel.found), timeout=60_000)
    assert panel.found[1].size == size
    export(qtbot, panel, tmp_path / "second.png")
    assert (tmp_path / "second.png").read_bytes() == path.read_bytes()


def test_tokens_from_pixels_bring_their_picture_back(qtbot, demo, tmp_path):
    window = demo("demo")
    panel = window.weights.sequence
    front(qtbot, window, "Tokens from pixels", panel, lambda: panel.found is not None)
    path = export(qtbot, panel, tmp_path / "tokens.png")
    with qtbot.waitSignal(window.opened, timeout=60_000):
        window.panes.open(picture=pictures()[1])
    window.docks.show("Heads")
    drop_and_wait(qtbot, window, path)
    qtbot.waitUntil(panel.is_seen, timeout=60_000)
    assert window.pane.opened.image.name == pictures()[0].name


def test_receptive_field_comes_back_at_its_place_way_and_step(qtbot, demo, tmp_path):
    window = demo("demo-swin")
    panel = window.analysis.reach
    window.store.update(query=Place(70.0, 60.0))
    front(qtbot, window, "Receptive field", panel, lambda: panel.found is not None)
    panel.ways.setCurrentIndex(1)
    qtbot.waitUntil(lambda: panel.found.way == "up", timeout=60_000)
    panel.slider.setValue(3)
    path, counts = export(qtbot, panel, tmp_path / "reach.svg"), panel.found.counts
    panel.ways.setCurrentIndex(0)
    demo("demo")
    window.store.update(query=None)
    drop_and_wait(qtbot, window, path)
    qtbot.waitUntil(lambda: panel.is_seen() and panel.found.counts == counts, timeout=60_000)
    assert panel.found.way == "up" and panel.slider.value() == 3 and not panel.all_steps.isChecked()
    assert window.store.state.query == Place(70.0, 60.0)
    export(qtbot, panel, tmp_path / "second.svg")
    assert (tmp_path / "second.svg").read_bytes() == path.read_bytes()
