"""The logit lens panel: read once, when seen; the map, the names and the curves are those of the lens."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

import vitviz
from vitviz.attention.values import Place
from vitviz.ui.lens_panel import KIND


def raised(qtbot, window):
    dock = next(dock for dock in window.docks if dock.windowTitle() == "Logit lens")
    dock.show()
    dock.raise_()
    qtbot.waitUntil(lambda: window.tokens.lens.found is not None, timeout=20000)
    QApplication.processEvents()
    return window.tokens.lens


@pytest.fixture
def panel(qtbot, window):
    """The panel, raised and read."""
    return raised(qtbot, window)


@pytest.fixture(scope="module")
def wanted(opened):
    """The lens, looked through at once."""
    return vitviz.logit_lens(opened.model, opened.trace)


def test_nothing_is_read_while_the_panel_is_behind_another(qtbot, window):
    begun = []
    window.worker.started.connect(lambda number, kind: begun.append(kind))
    window.store.update(layer=2)
    qtbot.wait(30)
    assert KIND not in begun and window.tokens.lens.found is None


def test_every_patch_has_the_colour_of_its_class_in_the_legend(window, panel, opened, wanted):
    window.store.update(opacity=1.0)
    for layer in (1, 5):
        window.store.update(layer=layer)
        picture, lens = panel.view.image.image, wanted.layers[layer]
        names = {name: color for color, name in panel.legend.names}
        for row, col in ((0, 0), (4, 7), (9, 3)):
            label = wanted.label(int(lens.classes[row, col, 0]))
            color = QColor(names.get(label, names["other classes"]))
            x, y = opened.trace.view.to_picture(*lens.grid.centre(row, col))
            shown = picture[int(y), int(x), :3].astype(int)
            assert np.abs(shown - [color.red(), color.green(), color.blue()]).max() <= 1
        assert f"Layer {layer}" in panel.title.text() and "class token" in panel.note.text()


def test_the_curves_are_the_final_top_five_through_the_layers(panel, opened, wanted):
    best = np.argsort(-opened.trace.logits)[:5]
    assert panel.classes[:5] == best.tolist() and len(panel.curves) == 5
    for curve, index in zip(panel.curves, best, strict=True):
        assert np.array_equal(curve.getData()[1], wanted.probabilities[:, index])
        color = curve.opts["pen"].color().name()
        assert (color, opened.trace.label(int(index))) in panel.legend.names


def test_the_axis_reaches_as_far_as_the_curves(panel, wanted):
    top = max(float(np.nanmax(curve.getData()[1])) for curve in panel.curves)
    low, high = panel.plot.box.viewRange()[1]
    assert low < 0.001 and top < high <= max(1.03, 1.2 * top)


def test_the_line_marks_the_chosen_layer(window, panel):
    for layer in (0, 3):
        window.store.update(layer=layer)
        assert panel._marker.value() == layer


def test_the_mouse_reads_the_probabilities_of_the_patch_and_is_the_query(window, panel, wanted, hover):
    hover(panel.view, panel.view.position_of(Place(65.0, 45.0)).toPoint())
    lens = wanted.layers[5]
    first = int(lens.classes[5, 5, 0])
    assert panel.reading.text().startswith(f"patch (5, 5): {wanted.label(first)} {lens.probabilities[5, 5, 0]:.1%}, ")
    assert isinstance(window.store.state.hover, Place)


def test_stages_that_can_not_be_read_say_why(qtbot, bare_window, ragged):
    bare_window.opener.opened.emit(ragged)
    panel = raised(qtbot, bare_window)
    bare_window.store.update(layer=0)
    assert "12 wide; the head reads 96" in panel.note.text() and panel.view.image.image is None
    bare_window.store.update(layer=3)
    assert panel.view.image.image is not None and "whole sequence" in panel.note.text()


def test_a_model_that_can_not_be_read_says_why_and_the_next_one_is_read(qtbot, window, panel, opened):
    without = vitviz.trace(opened.model, opened.image, features=False)
    window.opener.opened.emit(replace(opened, trace=without))
    qtbot.waitUntil(lambda: "were not kept" in panel.note.text(), timeout=20000)
    assert panel.found is None and panel.legend.names == [] and panel.curves == []
    window.opener.opened.emit(opened)
    qtbot.waitUntil(lambda: panel.found is not None, timeout=20000)


def test_it_says_what_it_waits_for(qtbot, window, panel):
    goes_on = threading.Event()
    window.worker.submit("faithfulness", lambda progress: goes_on.wait(20))
    qtbot.waitUntil(lambda: window.worker.running == "faithfulness")
    window.tokens.lens._traced(window.pane.opened)
    assert panel.title.text() == "Waiting for “Is it true?” to end…" and panel.plot.isHidden()
    goes_on.set()
    qtbot.waitUntil(lambda: panel.found is not None, timeout=20000)
    assert not panel.plot.isHidden() and window.worker.running == ""


def test_a_pane_of_more_layers_is_read_when_it_is_chosen(qtbot, two):
    panel = raised(qtbot, two)
    assert len(panel.found.layers) == 4
    first = two.panes.columns[0]
    drawn = []
    draw = panel.view.set_pixels
    panel.view.set_pixels = lambda pixels: (drawn.append(two.pane.opened), draw(pixels))
    two.panes.set_current(first)
    assert two.store.state.layer == 5 and drawn == [] and panel.found is None
    qtbot.waitUntil(lambda: panel.found is not None, timeout=20000)
    assert len(panel.found.layers) == 6 and panel.title.text().startswith("Layer 5") and drawn
