"""The panel "Is it true?": run, cancel, read, export."""

import csv
from functools import partial

import numpy as np
import PIL.Image
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtWidgets import QApplication

import vitviz
from vitviz import Ablation
from vitviz.attention.curves import RANDOM
from vitviz.render.scale import signed


@pytest.fixture
def panel(window, in_front):
    """The panel on the screen, in front of the atlas."""
    in_front("Is it true?")
    return window.analysis.truth


@pytest.fixture
def run(panel, run_to_end):
    """Press Run and wait for what comes of it."""
    return partial(run_to_end, panel)


def shown_rows(panel):
    return [[panel.table.item(r, c).text() for c in range(4)] for r in range(panel.table.rowCount())]


def test_run_judges_the_shown_map_the_other_methods_and_random_orders(window, panel, run, opened):
    window.store.update(layer=2, head=1)
    panel.target.setCurrentIndex(1)
    target = panel.target.currentData()
    judged = run()
    names = [row[0] for row in shown_rows(panel)]
    assert names[0] == "Layer 2 head 1: attention from CLS" and {
        "Rollout from CLS",
        "Relevance",
        "Token Grad-CAM",
        RANDOM,
    } <= set(names)
    expected = vitviz.faithfulness(
        opened.model, opened.image, window.pane.map, target, seen=opened.trace, seeds=0
    ).curves["map"]
    found = judged.found.curves["Attention from CLS: layer 2 head 1"]
    np.testing.assert_allclose(found.deletion.scores, expected.deletion.scores, atol=1e-5)
    assert shown_rows(panel)[0][1:] == [
        signed(f"{v:.3f}") for v in (expected.deletion.area, expected.insertion.area, expected.gain)
    ]
    assert opened.trace.label(target) in panel.caption.text()


def test_plots_hold_the_curves_with_labelled_axes(panel, run):
    judged = run()
    for kind, plot in panel.plots.plots.items():
        item = plot.getPlotItem()
        lines = {line.name(): line for line in item.listDataItems() if line.name()}
        assert set(lines) == set(judged.found.curves)
        for name, curves in judged.found.curves.items():
            x, y = lines[name].getData()
            np.testing.assert_array_equal(x, getattr(curves, kind).shares)
            np.testing.assert_array_equal(y, getattr(curves, kind).scores)
        assert "probability of" in item.getAxis("left").labelText and "share of" in item.getAxis("bottom").labelText


def test_a_row_of_the_table_is_drawn_stronger(panel, run):
    run()

    def widths():
        item = panel.plots.plots["deletion"].getPlotItem()
        return {line.name(): line.opts["pen"].widthF() for line in item.listDataItems() if line.name()}

    assert len(set(widths().values())) == 1
    panel.table.setCurrentCell(1, 0)
    strong = panel.table.item(1, 0).text()
    assert max(widths(), key=widths().get) == strong
    panel.table.setCurrentCell(0, 0)
    assert max(widths(), key=widths().get) != strong


def test_the_best_area_is_bold(panel, run):
    judged = run()
    rows = judged.found.rows()
    for column, best in ((1, min), (2, max), (3, max)):
        top = best(range(len(rows)), key=lambda i, c=column: rows[i][c])
        assert [panel.table.item(i, column).font().bold() for i in range(len(rows))].index(True) == top


def test_blur_and_logit_are_asked_for(panel, run):
    panel.removal.setCurrentIndex(1)
    panel.score.setCurrentIndex(1)
    judged = run()
    assert (judged.found.removal, judged.found.score) == ("blurred", "logit")


def test_methods_that_a_model_can_not_have_are_named_with_the_reason(window, panel, run, monkeypatch):
    from vitviz.attention import contenders
    from vitviz.errors import AttentionError

    real = contenders.relevance

    def without_one(model, image, target, method, **more):
        if method == "gradient rollout":
            raise AttentionError("There is no such thing here.")
        return real(model, image, target, method, **more)

    monkeypatch.setattr(contenders, "relevance", without_one)
    run()
    assert panel.caption.text().endswith("Not defined for this model: Gradient rollout.")
    assert panel.caption.toolTip() == "Gradient rollout: There is no such thing here."
    assert "Relevance" in [row[0] for row in shown_rows(panel)]


def test_every_grid_of_a_swin_has_random_orders_of_its_own(window, ragged, panel, run):
    window.opener.opened.emit(ragged)
    judged = run()
    grids = {name for name in judged.found.curves if name.startswith(f"{RANDOM} ")}
    assert len(grids) > 1 and grids <= {row[0] for row in shown_rows(panel)}
    for name, curves in judged.found.curves.items():
        items = [panel.table.item(row, 0) for row in range(panel.table.rowCount())]
        shown = next(item.text() for item in items if item.data(Qt.ItemDataRole.UserRole) == name)
        assert f"{curves.grid[0]} x {curves.grid[1]}" in shown
    assert "Grids differ" in panel.caption.text() and "its own grid" in panel.caption.text()
    lines = {line.name(): line for line in panel.plots.plots["deletion"].getPlotItem().listDataItems() if line.name()}
    assert len({lines[name].opts["pen"].style() for name in grids}) == len(grids)  # one grey, told apart by the dash
    random = next(row for row in shown_rows(panel) if row[0].startswith(RANDOM))
    assert all("\n± " in text and not text.startswith(("-", "−0.00\n")) for text in random[1:])


def test_another_trace_clears_it(qtbot, window, panel, run):
    run()
    window.store.update(ablation=Ablation([(0, 1)]))
    qtbot.waitUntil(lambda: bool(window.pane.opened.trace.ablation), timeout=20000)
    assert panel.result is None and panel.table.rowCount() == 0 and not panel.save.isEnabled()
    run()
    assert "1 head off (L0 H1)" in panel.caption.text()


def test_exports_numbers_and_a_picture(panel, run, tmp_path):
    told = []
    panel.told.connect(told.append)
    assert not panel.save.isEnabled()
    judged = run()
    panel.export(tmp_path / "curves.csv")
    rows = list(csv.reader((tmp_path / "curves.csv").read_text().splitlines()))
    assert rows[2][0] == next(iter(judged.found.curves))
    panel.export(tmp_path / "curves")
    with PIL.Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (2 * panel.sheet.width(), 2 * panel.sheet.height())
        assert len(picture.convert("RGB").getcolors(10**7)) > 20  # lines and letters, not one colour
    assert [text.startswith("Written: ") for text in told] == [True, True]
    panel.export(tmp_path / "no folder" / "curves.csv")
    assert "no folder" in panel.caption.text()


def test_a_map_that_explains_a_class_is_judged_by_that_class(qtbot, window, opened, panel, run):
    target = int(np.argsort(-opened.trace.logits)[3])
    window.store.update(method="relevance", target=target)
    qtbot.waitUntil(lambda: window.pane.map.selection.target == target, timeout=20000)
    assert panel.target.currentData() == target
    judged = run()
    assert judged.found.target == target and next(iter(judged.found.curves)) == "Relevance"


def test_numbers_of_the_axes_are_the_probabilities(panel, run):
    run()
    for plot in panel.plots.plots.values():
        axis = plot.getPlotItem().getAxis("left")
        assert axis.autoSIPrefixScale == 1.0 and "x0.001" not in axis.labelString()


def test_before_a_run_there_are_no_empty_axes(panel, run):
    assert not panel.plots.isVisible() and panel.sheet.hint.isVisible()
    run()
    assert panel.plots.isVisible() and not panel.sheet.hint.isVisible()


def test_class_follows_the_store_and_is_the_top_class_of_another_model(window, opened, ragged, panel):
    best = int(np.argmax(opened.trace.logits))
    assert panel.target.currentData() == window.analysis.ablation.target.currentData() == best
    wanted = int(np.argsort(-opened.trace.logits)[4])
    window.store.update(target=wanted)  # as a restored session does
    assert panel.target.currentData() == window.analysis.ablation.target.currentData() == wanted
    panel.target.setCurrentIndex(1)
    panel.target.activated.emit(1)
    window.opener.opened.emit(ragged)
    top = int(np.argmax(ragged.trace.logits))
    assert window.store.state.target is None
    assert panel.target.currentData() == window.analysis.ablation.target.currentData() == top


@pytest.mark.parametrize("size", [(1024, 700), (1600, 1000)])
def test_plots_end_inside_the_panel(qtbot, window, panel, run, size):
    window.resize(*size)
    run()
    QApplication.processEvents()
    for plot in panel.plots.plots.values():
        item = plot.getPlotItem()
        width = plot.viewport().width()
        for part in (item, item.vb, item.titleLabel.item, item.getAxis("bottom").label):
            box = part.mapRectToScene(part.boundingRect())
            assert box.left() >= -1 and box.right() <= width + 1, (part, box, width)
        end = item.vb.mapFromViewToItem(item.vb, pg.Point(1.0, 0.0))
        assert item.vb.mapToScene(end).x() < width - 8
        assert plot.mapTo(panel, QPoint(width, 0)).x() <= panel.width()


@pytest.mark.parametrize("width", [640, 1024])
def test_names_of_a_narrow_table_differ_at_their_start_and_are_whole(window, panel, run, width):
    window.store.update(layer=2, head=1)
    window.resize(width, 700)
    run()
    QApplication.processEvents()
    names = [row[0] for row in shown_rows(panel)]
    assert len({name[:7] for name in names}) == len(names)
    for row in range(panel.table.rowCount()):
        room = panel.table.visualItemRect(panel.table.item(row, 0)).adjusted(26, 0, 0, 0)
        needed = panel.table.fontMetrics().boundingRect(
            QRect(0, 0, room.width(), 999), Qt.TextFlag.TextWordWrap, names[row]
        )
        assert needed.height() <= room.height() + 2, names[row]


def test_axes_end_in_a_number(panel, run):
    run()
    for plot in panel.plots.plots.values():
        assert plot.getPlotItem().getAxis("bottom")._tickLevels[0][-1] == (1, "1")
    assert "Gain is insertion less deletion" in panel.caption.text()
