"""The panel of head ablation: run, cancel, read, click."""

from functools import partial

import numpy as np
import pytest
from PySide6.QtCore import Qt

import vitviz
from vitviz import Ablation
from vitviz.render.scale import MINUS
from vitviz.render.style import color_table
from vitviz.ui.ablation_panel import COLORMAP, colored


@pytest.fixture
def panel(window, in_front):
    """The panel on the screen, in front of the atlas."""
    in_front("Ablation")
    return window.analysis.ablation


@pytest.fixture
def run(panel, run_to_end):
    """Press Run and wait for what comes of it."""
    return partial(run_to_end, panel)


def test_run_shows_what_head_ablation_gives_for_the_chosen_class(panel, run, opened):
    panel.target.setCurrentIndex(2)
    target = panel.target.currentData()
    assert target == int(np.argsort(-opened.trace.logits)[2])
    changes = run()
    np.testing.assert_allclose(
        changes.values, vitviz.head_ablation(opened.model, opened.image, target, seen=opened.trace), atol=1e-5
    )
    assert opened.trace.label(target) in panel.caption.text()
    assert panel.bar.isVisible() and panel.bar.limits[0] == -panel.bar.limits[1]
    assert panel.bar.text().startswith("change of the logit")
    np.testing.assert_array_equal(panel.view.image.image, colored(changes.values, panel.bar.limits[1]))


def test_set_to_its_mean_is_another_map(panel, run, opened):
    zero = run().values
    panel.instead.setCurrentIndex(1)
    mean = run().values
    assert abs(mean - zero).max() > 1e-4
    expected = vitviz.head_ablation(opened.model, opened.image, to="mean", seen=opened.trace)
    np.testing.assert_allclose(mean, expected, atol=1e-5)


def test_hover_says_the_numbers_and_click_chooses(qtbot, window, panel, run, hover):
    changes = run()
    hover(panel.view, panel.cell_center(4, 1))
    text = panel.caption.text()
    assert text.startswith("Layer 4 head 1") and f"{changes.values[4, 1]:+.4f}".replace("-", MINUS) in text
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=panel.cell_center(4, 1))
    assert (window.store.state.layer, window.store.state.head) == (4, 1)
    box = panel._frame.rect()
    assert (box.x(), box.y(), box.width(), box.height()) == (1, 4, 1, 1)
    window.store.update(head="mean")
    assert panel._frame.rect().width() == 2


def test_layers_with_fewer_heads_are_clear_and_not_to_be_chosen(qtbot, window, ragged, panel, run):
    window.opener.opened.emit(ragged)
    changes = run()
    assert np.isnan(changes.values[0, 3:]).all() and np.isfinite(changes.values[3]).all()
    before = window.store.state
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=panel.cell_center(0, 20))
    assert window.store.state == before


def test_of_an_altered_model_it_is_the_change_from_there(qtbot, window, opened, panel, run):
    window.store.update(ablation=Ablation([(0, 1)]))
    qtbot.waitUntil(lambda: bool(window.pane.opened.trace.ablation), timeout=20000)
    changes = run()
    assert changes.values[0, 1] == pytest.approx(0, abs=1e-4)
    assert abs(changes.values[1, 0]) > 1e-4


def test_colours_are_the_diverging_map_with_zero_in_the_middle():
    pixels = colored(np.array([[-2.0, 0.0, 2.0, np.nan]], dtype=np.float32), 2.0)
    table = color_table(COLORMAP)
    assert (pixels[0, 0, :3] == table[0]).all() and (pixels[0, 2, :3] == table[255]).all()
    assert pixels[0, 1, :3].min() > 235  # white
    assert pixels[0, :, 3].tolist() == [255, 255, 255, 0]


def test_red_is_a_positive_change_as_in_every_panel(panel, run):
    from vitviz.render.bias import SIGNED
    from vitviz.render.difference import DIVERGING

    assert COLORMAP == SIGNED == DIVERGING
    down, up = colored(np.array([[-1.0, 1.0]]), 1.0)[0]
    assert down[2] > down[0] and up[0] > up[2]
    run()
    assert "Blue: the class loses" in panel.caption.text() and "Red: it gains" in panel.caption.text()


def test_exported_numbers_are_those_of_the_map_as_on_the_command_line(panel, run, opened, tmp_path):
    changes = run()
    panel.export(tmp_path / "heads.csv")
    words, header, *rows = (tmp_path / "heads.csv").read_text().splitlines()
    assert words.startswith(f"# change of the logit of {opened.trace.label(changes.target)}")
    assert header == "layer,head 0,head 1"
    found = np.array([[float(number) for number in row.split(",")] for row in rows])
    np.testing.assert_array_equal(found[:, 0], np.arange(6))
    np.testing.assert_allclose(found[:, 1:], changes.values, atol=1e-6)
