"""Under the panes: the table of costs, their curves, and the comparison as a file."""

import json

import numpy as np
import pytest
from pane_cases import settled
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication


def test_table_shows_a_column_a_pane_in_their_order(costed, opened, ragged):
    table = costed.compare_tabs.table
    assert table.isVisible() and table.columnCount() == 2
    heads = [table.horizontalHeaderItem(i).text() for i in range(2)]
    assert heads[0].startswith(opened.model.name) and heads[1].startswith(ragged.model.name)
    rows = {table.verticalHeaderItem(i).text(): i for i in range(table.rowCount())}
    assert table.item(rows["Tokens"], 0).text() == "101"
    assert table.item(rows["Tokens"], 1).text() == "256 (×2.5)"
    assert table.item(rows["Top 1"], 1).text().startswith(ragged.trace.top_k(1)[0][0])


def test_closing_a_pane_takes_its_column_away(costed):
    costed.comparing.add.trigger()
    assert costed.compare_tabs.table.columnCount() == 3
    costed.comparing.close_pane.trigger()
    assert costed.compare_tabs.table.columnCount() == 2
    costed.comparing.close_pane.trigger()
    assert not costed.compare_tabs.isVisible()


def test_table_is_copied_by_key(qtbot, costed):
    table = costed.compare_tabs.table
    table.setFocus()
    qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = [line.split("\t") for line in QGuiApplication.clipboard().text().splitlines()]
    assert len(lines) == table.rowCount() + 1 and {len(line) for line in lines} == {3}


def test_curves_go_through_the_points_and_swin_has_none_over_patch_size(costed):
    tabs = costed.compare_tabs
    first, _ = costed.costing.costs()
    tabs.setCurrentWidget(tabs.patch_curve)
    assert len(tabs.patch_curve.curves) == 1
    tabs.setCurrentWidget(tabs.view_curve)
    assert len(tabs.view_curve.curves) == 2
    for curve in (tabs.patch_curve, tabs.view_curve):
        for (xs, ys), (at, flops) in zip(curve.curves, curve.points, strict=True):
            assert ys[list(xs).index(at)] == pytest.approx(flops, rel=1e-6)
    assert tabs.view_curve.points[0] == (160.0, first.flops)
    assert [name.split(" ~ ")[1] for name in tabs.view_curve.names] == ["N²", "N·M²"]


def test_curves_of_the_demo_go_through_what_is_counted_at_other_sizes(qtbot, bare_window, measured):
    window = bare_window
    window.sources.open_source("demo")
    qtbot.waitUntil(lambda: window.pane.opened is not None and not window.worker.is_busy(), timeout=30000)
    window.comparing.patch_sizes.trigger()
    settled(qtbot, window)
    curve = window.compare_tabs.patch_curve
    window.compare_tabs.setCurrentWidget(curve)
    assert [at for at, _ in curve.points] == [8.0, 16.0, 32.0]
    for xs, ys in curve.curves:  # one law: each goes through the points of the others, which were counted there
        for at, flops in curve.points:
            assert np.exp(np.interp(np.log(at), np.log(xs), np.log(ys))) == pytest.approx(flops, rel=0.02)


def test_memory_that_ends_while_heads_are_compared_is_told_and_passes(qtbot, costed, hover, monkeypatch):
    from vitviz.attention import head_pairs
    from vitviz.attention.values import Place

    def short(*args):
        raise MemoryError("no memory left")

    real = head_pairs.match_heads
    monkeypatch.setattr(head_pairs, "match_heads", short)
    tabs = costed.compare_tabs
    tabs.setCurrentWidget(tabs.differences)
    heads = tabs.differences.heads
    qtbot.waitUntil(lambda: heads.caption.text() == "no memory left", timeout=20000)
    monkeypatch.setattr(head_pairs, "match_heads", real)
    view = costed.panes.columns[0].map_view.view
    hover(view, view.position_of(Place(62, 42)))
    qtbot.waitUntil(lambda: heads.found is not None and "partner" in heads.caption.text(), timeout=20000)


def test_memory_of_the_models_is_said(costed):
    costed.panes.loaded.put(costed.panes.columns[0].pane.opened.wish.model, costed.panes.columns[0].pane.opened.model)
    costed.costing.changed.emit()
    assert costed.compare_tabs.memory.text() == costed.panes.loaded.text() != ""


def test_comparison_is_written_with_its_table_as_it_is_shown(qtbot, costed, tmp_path):
    path = tmp_path / "both.svg"
    with qtbot.waitSignal(costed.comparing.exported, timeout=20000):
        costed.comparing.export_to(path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["both.svg", "both.svg.csv", "both.svg.json"]
    record = json.loads((tmp_path / "both.svg.json").read_text())
    for column, model in zip(costed.panes, record["models"], strict=True):
        assert model["name"].startswith(column.pane.opened.model.name)
        assert model["limits"] == list(column.pane.limits())
        assert model["selection"]["layer"] == column.pane.map.selection.layer


def test_export_that_fails_is_told_and_the_window_lives(qtbot, costed, tmp_path):
    from vitviz.ui.messages import ErrorBox

    costed.comparing.export_to(tmp_path / "no folder" / "both.png")
    qtbot.waitUntil(lambda: bool(costed.findChildren(ErrorBox)), timeout=20000)
    assert "no folder" in costed.findChildren(ErrorBox)[0].text()


def test_export_is_offered_with_two_panes_only(window):
    assert not window.comparing.export.isEnabled()
    window.comparing.add.trigger()
    assert window.comparing.export.isEnabled()


def test_pane_that_is_still_loading_is_marked_and_no_result(qtbot, bare_window, measured):
    window = bare_window
    window.sources.open_source("demo")
    qtbot.waitUntil(lambda: window.pane.opened is not None and not window.worker.is_busy(), timeout=30000)
    window.comparing.patch_sizes.trigger()
    # Nothing came from the worker yet: the second and third pane still show the model of the first.
    waiting = [column for column in window.panes if column.opener.awaited is not None]
    assert [column.opener.awaited.patch_size for column in waiting] == [8, 32]
    table = window.compare_tabs.table
    for column in waiting:
        at = window.panes.columns.index(column)
        assert window.costing.costs()[at] is None
        assert table.horizontalHeaderItem(at).text().endswith("(loading)")
        assert {table.item(row, at).text() for row in range(table.rowCount())} <= {"…"}
        assert column.title.name.text().startswith("Loading") and column.map_view.view.image.opacity() < 1
    qtbot.waitUntil(lambda: all(window.costing.costs()) and not window.worker.is_busy(), timeout=60000)
    assert [cost.tokens for cost in window.costing.costs()] == [257, 65, 17]
    for column in window.panes:
        assert column.opener.awaited is None and column.map_view.view.image.opacity() == 1
        assert not column.title.name.text().startswith("Loading")


def test_curves_that_coincide_take_turns_in_dashes(costed):
    curve, (first, other) = costed.compare_tabs.view_curve, costed.costing.costs()
    curve.show_costs(["a", "b", "c"], [first, first, other])
    assert [curve._pen(i).dashOffset() for i in (0, 1)] == [0.0, -5.0]
    assert curve._pen(0).dashPattern() == curve._pen(1).dashPattern() == [5.0, 5.0]
    assert curve._pen(2).style() == Qt.PenStyle.SolidLine


def test_words_of_the_difference_stand_beside_their_bar(qtbot, costed):
    tabs = costed.compare_tabs
    tabs.setCurrentWidget(tabs.differences)
    qtbot.waitUntil(lambda: tabs.differences.bar.isVisible())
    assert 0 < tabs.differences.bar.width() - tabs.differences.bar.sizeHint().width() < 20


def test_patch_sizes_of_one_network_are_said_to_be_one(qtbot, bare_window, measured):
    window = bare_window
    window.sources.open_source("demo")
    qtbot.waitUntil(lambda: window.pane.opened is not None and not window.worker.is_busy(), timeout=30000)
    window.comparing.add.trigger()
    settled(qtbot, window)
    table = window.compare_tabs.table
    assert table.verticalHeaderItem(0).text() == "Tokens"  # the same twice is no comparison of sizes
    window.comparing.patch_sizes.trigger()
    settled(qtbot, window)
    assert table.verticalHeaderItem(0).text() == "Network"
    assert table.item(0, 0).text() == "one network, its patch embedding resampled to each size"
    assert table.columnSpan(0, 0) == len(window.panes) == 3


def test_panes_drawn_apart_are_written_apart(qtbot, costed, tmp_path):
    costed.comparing.switches["colours"].trigger()
    other = costed.panes.columns[1]
    costed.panes.set_current(other)
    style = other.store.state.style
    other.store.update(style=type(style)(colormap="gray"))
    path = tmp_path / "both.svg"
    with qtbot.waitSignal(costed.comparing.exported, timeout=20000):
        costed.comparing.export_to(path)
    record = json.loads((tmp_path / "both.svg.json").read_text())
    drawn = [(model["style"] or record["style"])["colormap"] for model in record["models"]]
    assert drawn == [column.store.state.style.colormap for column in costed.panes] == ["viridis", "gray"]


def test_what_a_panel_found_stays_when_sizes_are_compared(qtbot, bare_window, run_to_end):
    window = bare_window
    window.sources.open_source("demo")
    qtbot.waitUntil(lambda: window.pane.opened is not None and not window.worker.is_busy(), timeout=30000)
    window.docks.show("Ablation")
    panel = window.analysis.ablation
    found, column = run_to_end(panel), window.panes.current_column
    for compare, sizes in ((window.comparing.patch_sizes, 3), (window.comparing.resolutions, 4)):
        compare.trigger()
        qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=30000)
        assert window.panes.current_column is column and panel.result is found is not None
        assert len(window.panes) == sizes
        tokens = [each.pane.opened.trace.layers[0].grid.size for each in window.panes]
        assert tokens == sorted(tokens, reverse=compare is window.comparing.patch_sizes) and len(set(tokens)) == sizes
        placed = [window.panes.splitter.indexOf(each) for each in window.panes]
        assert placed == list(range(sizes))
