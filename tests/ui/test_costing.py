"""What the models cost: measured once each, timed in turns, cancellable, and only while somebody looks."""

import pytest
from pane_cases import settled
from PySide6.QtCore import Qt

from vitviz.attention import costs as costs_module


@pytest.fixture
def passed(monkeypatch):
    """The networks whose passes were timed, in their order."""
    modules, real = [], costs_module._timed
    monkeypatch.setattr(costs_module, "_timed", lambda module, view: (modules.append(module), real(module, view))[1])
    return modules


def test_nothing_is_measured_with_one_pane(qtbot, window, measured):
    assert not window.compare_tabs.isVisible()
    qtbot.wait(50)
    assert measured == [] and not window.worker.is_busy()


def test_twin_is_not_measured_twice(qtbot, window, measured, opened):
    window.comparing.add.trigger()
    settled(qtbot, window)
    assert measured == [opened.model.name]


def test_same_model_opened_twice_is_measured_once(qtbot, costed, measured, passed, opened):
    from dataclasses import replace

    import vitviz

    measured.clear()
    passed.clear()
    again = replace(opened, trace=vitviz.trace(opened.model, opened.image))
    costed.opener.opened.emit(again)
    settled(qtbot, costed)
    assert measured == [] and passed == []  # the first pane shows the same network, view and picture
    assert costed.costing.costs()[0] is costed.costing.costs()[1]


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


def test_closed_pane_asks_for_no_new_times(qtbot, costed, passed):
    before = costed.costing.costs()
    costed.comparing.add.trigger()
    settled(qtbot, costed)
    passed.clear()
    costed.comparing.close_pane.trigger()
    qtbot.waitUntil(lambda: not costed.worker.is_busy(), timeout=30000)
    assert passed == [] and costed.costing.costs() == before


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


def test_new_model_in_a_pane_is_measured_and_the_old_costs_go(qtbot, costed, measured, opened):
    before = costed.costing.costs()
    measured.clear()
    second = costed.panes.columns[1]
    second.opener.opened.emit(opened)
    qtbot.waitUntil(lambda: not costed.worker.is_busy() and all(costed.costing.costs()), timeout=20000)
    assert measured == []  # the first pane shows the same
    assert costed.costing.costs()[1] is before[0]


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


def test_model_with_heads_off_is_measured_too(qtbot, costed):
    from vitviz.attention.values import Ablation

    first = costed.panes.columns[0]
    plain = first.pane.opened
    first.store.update(ablation=Ablation(frozenset({(0, 1)})))
    qtbot.waitUntil(lambda: first.pane.opened is not plain and not costed.worker.is_busy(), timeout=20000)
    settled(qtbot, costed)
    assert costed.costing.costs()[0].tokens == 101
    table = costed.compare_tabs.table
    assert table.horizontalHeaderItem(0).text().endswith(" · without L0 H1")
    assert first.title.name.toolTip().startswith(table.horizontalHeaderItem(0).text())
    assert "without" not in table.horizontalHeaderItem(1).text()
