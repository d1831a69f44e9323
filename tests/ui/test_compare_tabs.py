"""Under the panes: what the models cost, measured only while somebody looks."""

import json

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from vitviz.attention import costs as costs_module


@pytest.fixture
def measured(monkeypatch):
    """The names of the models that were counted."""
    names, real = [], costs_module.measure

    def once(model, *args, **how):
        names.append(model.name)
        return real(model, *args, **how)

    monkeypatch.setattr(costs_module, "measure", once)
    return names


@pytest.fixture
def passed(monkeypatch):
    """The networks whose passes were timed, in their order."""
    modules, real = [], costs_module._timed
    monkeypatch.setattr(costs_module, "_timed", lambda module, view: (modules.append(module), real(module, view))[1])
    return modules


def settled(qtbot, window):
    """All costs are known, and nothing more is to come."""
    qtbot.waitUntil(lambda: all(window.costing.costs()) and not window.worker.is_busy(), timeout=30000)


@pytest.fixture
def two(qtbot, window, measured, ragged):
    """Two panes with their costs measured."""
    window.comparing.add.trigger()
    window.opener.opened.emit(ragged)
    settled(qtbot, window)
    return window


def test_nothing_is_measured_with_one_pane(qtbot, window, measured):
    assert not window.compare_tabs.isVisible()
    qtbot.wait(50)
    assert measured == [] and not window.worker.is_busy()


def test_table_shows_a_column_a_pane_in_their_order(two, opened, ragged):
    table = two.compare_tabs.table
    assert table.isVisible() and table.columnCount() == 2
    heads = [table.horizontalHeaderItem(i).text() for i in range(2)]
    assert heads[0].startswith(opened.model.name) and heads[1].startswith(ragged.model.name)
    rows = {table.verticalHeaderItem(i).text(): i for i in range(table.rowCount())}
    assert table.item(rows["Tokens"], 0).text() == "101"
    assert table.item(rows["Tokens"], 1).text() == "256 (×2.5)"
    assert table.item(rows["Top 1"], 1).text().startswith(ragged.trace.top_k(1)[0][0])


def test_twin_is_not_measured_twice(qtbot, window, measured, opened):
    window.comparing.add.trigger()
    settled(qtbot, window)
    assert measured == [opened.model.name]


def test_same_model_opened_twice_is_measured_once(qtbot, two, measured, passed, opened):
    from dataclasses import replace

    import vitviz

    measured.clear()
    passed.clear()
    again = replace(opened, trace=vitviz.trace(opened.model, opened.image))
    two.opener.opened.emit(again)
    settled(qtbot, two)
    assert measured == [] and passed == []  # the first pane shows the same network, view and picture
    assert two.costing.costs()[0] is two.costing.costs()[1]


def test_times_of_the_panes_are_of_passes_that_took_turns(qtbot, window, passed, opened, ragged):
    window.comparing.add.trigger()
    settled(qtbot, window)
    passed.clear()
    window.opener.opened.emit(ragged)
    settled(qtbot, window)
    first, second = window.costing.costs()
    assert first.runs == second.runs == len(first.times) >= 3
    # The old pane is timed anew beside the new one.
    assert passed[-2 * first.runs :] == [opened.model.module, ragged.model.module] * first.runs
    cell = window.compare_tabs.table.item(5, 0).text()
    assert cell.endswith(f", {first.runs} runs")


def test_closed_pane_asks_for_no_new_times(qtbot, two, passed):
    before = two.costing.costs()
    two.comparing.add.trigger()
    settled(qtbot, two)
    passed.clear()
    two.comparing.close_pane.trigger()
    qtbot.waitUntil(lambda: not two.worker.is_busy(), timeout=30000)
    assert passed == [] and two.costing.costs() == before


def test_measuring_can_be_cancelled_and_begins_again_when_it_is_looked_at_anew(qtbot, window, ragged, monkeypatch):
    import threading

    begun, real = threading.Event(), costs_module._timed

    def timed(module, view):
        begun.set()
        assert hold.wait(30)
        return real(module, view)

    hold = threading.Event()
    monkeypatch.setattr(costs_module, "_timed", timed)
    window.comparing.add.trigger()
    window.opener.opened.emit(ragged)
    qtbot.waitUntil(begun.is_set, timeout=30000)
    qtbot.waitUntil(lambda: window.status.cancel.isVisible(), timeout=30000)
    qtbot.mouseClick(window.status.cancel, Qt.MouseButton.LeftButton)
    hold.set()
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=30000)
    assert None in window.costing.costs()
    assert "measuring was cancelled" in window.compare_tabs.table.horizontalHeaderItem(1).text()
    window.compare_tabs.setVisible(False)
    window.compare_tabs.setVisible(True)
    settled(qtbot, window)
    assert "cancelled" not in window.compare_tabs.table.horizontalHeaderItem(1).text()


def test_new_model_in_a_pane_is_measured_and_the_old_costs_go(qtbot, two, measured, opened):
    before = two.costing.costs()
    measured.clear()
    second = two.panes.columns[1]
    second.opener.opened.emit(opened)
    qtbot.waitUntil(lambda: not two.worker.is_busy() and all(two.costing.costs()), timeout=20000)
    assert measured == []  # the first pane shows the same
    assert two.costing.costs()[1] is before[0]


def test_closing_a_pane_takes_its_column_away(two):
    two.comparing.add.trigger()
    assert two.compare_tabs.table.columnCount() == 3
    two.comparing.close_pane.trigger()
    assert two.compare_tabs.table.columnCount() == 2
    two.comparing.close_pane.trigger()
    assert not two.compare_tabs.isVisible()


def test_table_is_copied_by_key(qtbot, two):
    table = two.compare_tabs.table
    table.setFocus()
    qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = [line.split("\t") for line in QGuiApplication.clipboard().text().splitlines()]
    assert len(lines) == table.rowCount() + 1 and {len(line) for line in lines} == {3}


def test_curves_go_through_the_points_and_swin_has_none_over_patch_size(two):
    tabs = two.compare_tabs
    first, _ = two.costing.costs()
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


def test_failure_of_one_measurement_leaves_the_others(qtbot, window, ragged, monkeypatch):
    real = costs_module.measure

    def failing(model, *args, **how):
        if model.name == ragged.model.name:
            raise RuntimeError("no room")
        return real(model, *args, **how)

    monkeypatch.setattr(costs_module, "measure", failing)
    window.comparing.add.trigger()
    window.opener.opened.emit(ragged)
    qtbot.waitUntil(lambda: not window.worker.is_busy() and window.costing.costs()[0] is not None, timeout=20000)
    assert window.costing.costs()[1] is None
    assert window.compare_tabs.table.horizontalHeaderItem(1).text().endswith("(no room)")
    monkeypatch.setattr(costs_module, "measure", real)
    window.compare_tabs.setVisible(False)
    window.compare_tabs.setVisible(True)
    settled(qtbot, window)
    assert "no room" not in window.compare_tabs.table.horizontalHeaderItem(1).text()


def test_memory_that_ends_while_timing_leaves_what_was_counted(qtbot, window, ragged, monkeypatch):
    import torch

    def short(*args, **how):
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(costs_module, "time_in_turns", short)
    window.comparing.add.trigger()
    window.opener.opened.emit(ragged)
    settled(qtbot, window)
    assert [cost.tokens for cost in window.costing.costs()] == [101, 256]
    assert window.isVisible() and not window.worker.is_busy()


def test_memory_that_ends_while_heads_are_compared_is_told_and_passes(qtbot, two, hover, monkeypatch):
    from vitviz.attention import head_pairs
    from vitviz.attention.values import Place

    def short(*args):
        raise MemoryError("no memory left")

    real = head_pairs.match_heads
    monkeypatch.setattr(head_pairs, "match_heads", short)
    tabs = two.compare_tabs
    tabs.setCurrentWidget(tabs.differences)
    heads = tabs.differences.heads
    qtbot.waitUntil(lambda: heads.caption.text() == "no memory left", timeout=20000)
    monkeypatch.setattr(head_pairs, "match_heads", real)
    view = two.panes.columns[0].map_view.view
    hover(view, view.position_of(Place(62, 42)))
    qtbot.waitUntil(lambda: heads.found is not None and "partner" in heads.caption.text(), timeout=20000)


def test_memory_of_the_models_is_said(two):
    two.panes.loaded.put(two.panes.columns[0].pane.opened.wish.model, two.panes.columns[0].pane.opened.model)
    two.costing.changed.emit()
    assert two.compare_tabs.memory.text() == two.panes.loaded.text() != ""


def test_comparison_is_written_with_its_table_as_it_is_shown(qtbot, two, tmp_path):
    path = tmp_path / "both.svg"
    with qtbot.waitSignal(two.comparing.exported, timeout=20000):
        two.comparing.export_to(path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["both.csv", "both.svg", "both.svg.json"]
    record = json.loads((tmp_path / "both.svg.json").read_text())
    for column, model in zip(two.panes, record["models"], strict=True):
        assert model["name"].startswith(column.pane.opened.model.name)
        assert model["limits"] == list(column.pane.limits())
        assert model["selection"]["layer"] == column.pane.map.selection.layer


def test_export_that_fails_is_told_and_the_window_lives(qtbot, two, tmp_path):
    from vitviz.ui.messages import ErrorBox

    two.comparing.export_to(tmp_path / "no folder" / "both.png")
    qtbot.waitUntil(lambda: bool(two.findChildren(ErrorBox)), timeout=20000)
    assert "no folder" in two.findChildren(ErrorBox)[0].text()


def test_export_is_offered_with_two_panes_only(window):
    assert not window.comparing.export.isEnabled()
    window.comparing.add.trigger()
    assert window.comparing.export.isEnabled()


def test_model_with_heads_off_is_measured_too(qtbot, two):
    from vitviz.attention.values import Ablation

    first = two.panes.columns[0]
    plain = first.pane.opened
    first.store.update(ablation=Ablation(frozenset({(0, 1)})))
    qtbot.waitUntil(lambda: first.pane.opened is not plain and not two.worker.is_busy(), timeout=20000)
    settled(qtbot, two)
    assert two.costing.costs()[0].tokens == 101
    table = two.compare_tabs.table
    assert table.horizontalHeaderItem(0).text().endswith(" · without 0.1")
    assert first.title.name.toolTip().startswith(table.horizontalHeaderItem(0).text())
    assert "without" not in table.horizontalHeaderItem(1).text()


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


def test_curves_that_coincide_take_turns_in_dashes(two):
    curve, (first, other) = two.compare_tabs.view_curve, two.costing.costs()
    curve.show_costs(["a", "b", "c"], [first, first, other])
    assert [curve._pen(i).dashOffset() for i in (0, 1)] == [0.0, -5.0]
    assert curve._pen(0).dashPattern() == curve._pen(1).dashPattern() == [5.0, 5.0]
    assert curve._pen(2).style() == Qt.PenStyle.SolidLine


def test_words_of_the_difference_stand_beside_their_bar(qtbot, two):
    tabs = two.compare_tabs
    tabs.setCurrentWidget(tabs.differences)
    qtbot.waitUntil(lambda: tabs.differences.bar.isVisible())
    assert 0 < tabs.differences.bar.width() - tabs.differences.bar.sizeHint().width() < 20
