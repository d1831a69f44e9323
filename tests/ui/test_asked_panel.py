"""Panels that compute when asked to: what all of them do, through the real buttons of each."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PySide6.QtCore import Qt

import vitviz

PANELS = {
    "ablation": ("Ablation", "vitviz.attention.ablation.head_ablation"),
    "truth": ("Is it true?", "vitviz.attention.faithfulness.faithfulness"),
}


@pytest.fixture(params=PANELS)
def asked(request, window, in_front):
    """A panel on the screen, in front of the atlas, and the function that its Run calls."""
    title, worker = PANELS[request.param]
    in_front(title)
    return getattr(window.analysis, request.param), worker


@pytest.fixture
def run(asked, run_to_end):
    """Press Run and wait for the end."""
    return partial(run_to_end, asked[0])


def test_cancel_by_its_button_and_by_the_status_bar_leaves_what_was_shown(qtbot, window, asked, run, monkeypatch):
    panel, worker = asked
    before = run()

    def endless(*args, progress, cancel, **kwargs):
        progress(0.5, "half")
        while not cancel():
            pass
        raise vitviz.errors.Cancelled("cancelled")

    monkeypatch.setattr(worker, endless)
    for stop in (lambda: qtbot.mouseClick(panel.run, Qt.MouseButton.LeftButton), window.status.cancel_asked.emit):
        qtbot.mouseClick(panel.run, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: panel.progress.value() == 500, timeout=30000)
        assert panel.run.text() == "Cancel" and panel.progress.isVisible()
        stop()
        qtbot.waitUntil(lambda: not panel.running, timeout=30000)
        assert panel.run.text() == "Run" and panel.result is before and not panel.progress.isVisible()


def test_failure_is_said_in_the_panel(asked, run, monkeypatch):
    panel, worker = asked

    def fail(*args, **kwargs):
        raise vitviz.VitvizError("There is not enough memory.")

    monkeypatch.setattr(worker, fail)
    assert run() is None
    assert panel.caption.text() == "There is not enough memory." and panel.run.text() == "Run"


def test_another_trace_clears_it_and_drops_what_still_runs(qtbot, window, asked, run, opened):
    panel, _ = asked
    assert run() is not None and panel.save.isEnabled()
    words = panel.caption.text()
    qtbot.mouseClick(panel.run, Qt.MouseButton.LeftButton)
    window.opener.opened.emit(replace(opened, trace=replace(opened.trace)))
    qtbot.waitUntil(lambda: not panel.running, timeout=30000)
    assert panel.result is None and not panel.save.isEnabled() and panel.caption.text() != words


def test_a_model_without_classes_says_so(window, asked, opened):
    panel, _ = asked
    window.opener.opened.emit(replace(opened, trace=replace(opened.trace, logits=np.empty(0, dtype=np.float32))))
    assert not panel.run.isEnabled() and "no classes" in panel.caption.text()


def test_export_asks_where_and_writes_each_form_whatever_is_opened_meanwhile(
    window, asked, run, opened, monkeypatch, tmp_path
):
    panel, _ = asked
    asked_for, told = [], []
    panel.told.connect(told.append)
    monkeypatch.setattr(
        "vitviz.ui.files.ask_save",
        lambda parent, suggestion, filters, *, title, then: asked_for.append((suggestion, filters, then)),
    )
    run()
    for action in panel.save.menu().actions():
        action.trigger()
    assert len(asked_for) == len(panel.save.menu().actions()) > 0
    window.opener.opened.emit(replace(opened, trace=replace(opened.trace)))
    assert panel.result is None
    for suggestion, filters, then in asked_for:
        suffix = suggestion.suffix
        assert opened.trace.model_name.replace("_", "-") in suggestion.name.replace("_", "-") and suffix in filters[0]
        then(tmp_path / f"written{suffix}")
        assert (tmp_path / f"written{suffix}").stat().st_size > 100
    assert len(told) == len(asked_for) and all(text.startswith("Written: ") for text in told)
    run()
    panel.export(tmp_path / "no folder" / "written.csv")
    assert "no folder" in panel.caption.text()
