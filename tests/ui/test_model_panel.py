"""What is said about the model: prediction, report, layers, gaps."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QToolButton

from vitviz.ui.opening import Opened
from vitviz.ui.top_classes import TopClasses

HTML = "<b>cat</b><img src='file:///etc/passwd'>"


@pytest.fixture
def panel(window):
    return window.model_panel


def rows(panel):
    table = panel.report
    return [(table.item(r, 0).text(), table.item(r, 1).text()) for r in range(table.rowCount())]


def test_report_has_every_finding_with_its_certainty(panel, opened):
    seen = rows(panel)
    for finding in opened.model.report:
        (text,) = [text for topic, text in seen if topic == finding.topic]
        assert text.startswith(finding.text)
        assert (finding.certainty in text) or finding.certainty == "found"


def test_layers_heads_time_and_memory_are_said(panel, opened):
    seen = dict(rows(panel))
    assert seen["layers"] == "6, heads 2"
    assert f"{opened.trace.bytes / 1e6:.1f} MB" in seen["this pass"]


def test_ragged_heads_are_listed(bare_window, ragged):
    bare_window.opener.opened.emit(ragged)
    assert dict(rows(bare_window.model_panel))["layers"] == "4, heads 3, 6, 12, 24"


def test_proof_is_the_largest_error_of_the_trace(panel, opened):
    assert opened.trace.error is not None and opened.trace.error < 1e-4
    assert f"{opened.trace.error:.1e}" in dict(rows(panel))["proof"]


def test_gaps_are_never_silent(window, panel, opened):
    trace = replace(opened.trace, gaps=("Layer x mixes channels.", "Layer y has no rows."))
    window.opener.opened.emit(Opened(opened.wish, opened.image, opened.model, trace))
    assert [text for topic, text in rows(panel) if topic == "not shown"] == list(trace.gaps)


def test_random_weights_are_warned_of_and_trained_ones_are_not(window, panel, opened):
    assert panel.warning.isVisible() and "Random weights" in panel.warning.text()
    window.opener.opened.emit(Opened(opened.wish, opened.image, replace(opened.model, random=False), opened.trace))
    assert not panel.warning.isVisible()


def test_most_probable_classes_are_those_of_the_logits(panel, opened):
    logits = opened.trace.logits.astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum()
    best = np.argsort(-shares)[:5]
    assert [label for label, _ in panel.top.classes] == [opened.model.label(int(i)) for i in best]
    assert [share for _, share in panel.top.classes] == pytest.approx(shares[best].tolist(), rel=1e-4)
    assert f"{shares[best[0]]:.1%}" in panel.top.accessibleDescription()


def test_bars_are_as_long_as_the_shares(qtbot):
    top = TopClasses()
    qtbot.addWidget(top)
    top.resize(300, 120)
    top.show()
    qtbot.waitExposed(top)
    top.show_classes([("", 1.0), ("", 0.5), ("", 0.0)])
    QApplication.processEvents()
    image, line = top.grab().toImage(), top._line()
    background = image.pixelColor(1, image.height() - 1)

    def length(row):
        y = int(line * row + 3)
        return sum(image.pixelColor(x, y) != background for x in range(image.width() // 2 + 60))

    assert length(1) < length(0)
    assert length(2) < 0.2 * length(1) + 2


def test_model_without_classes_is_said(window, panel, opened):
    trace = replace(opened.trace, logits=np.empty(0, dtype=np.float32))
    window.opener.opened.emit(Opened(opened.wish, opened.image, opened.model, trace))
    assert panel.top.classes == []
    panel.top.grab()


def test_copied_report_is_what_the_table_says(qtbot, panel):
    (button,) = [b for b in panel.findChildren(QToolButton) if b.text() == "Copy report"]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    copied = QGuiApplication.clipboard().text().splitlines()
    assert copied[0] == "test_vit"
    assert copied[1:] == [f"{topic}: {text}" for topic, text in rows(panel)]


def test_names_are_never_taken_for_html(window, panel, opened):
    window.opener.opened.emit(Opened(opened.wish, opened.image, replace(opened.model, name=HTML), opened.trace))
    assert panel.name.text() == HTML
    assert panel.name.textFormat() == panel.warning.textFormat() == Qt.TextFormat.PlainText


def test_report_can_not_be_edited(qtbot, panel):
    before = rows(panel)
    panel.report.setFocus()
    panel.report.setCurrentCell(0, 1)
    qtbot.keyClicks(panel.report, "xyz")
    assert rows(panel) == before


def test_what_may_be_wrong_is_seen_above_the_fold(window, panel, opened):
    from vitviz.models.report import Finding, Report

    plain = [f for f in opened.model.report if f.certainty != "assumed"]
    guess = Finding("heads", "3: a guess", "assumed", "weights.pth")
    for findings, words in (([*plain, guess], "heads (assumed)"), (plain, "")):
        model = replace(opened.model, report=Report(findings))
        window.opener.opened.emit(Opened(opened.wish, opened.image, model, opened.trace))
        assert panel.guesses.isVisible() == bool(words) and words in panel.guesses.text()
        assert (rows(panel)[0] == ("heads", str(guess))) == bool(words)
        assert panel.report.item(0, 0).font().bold() == bool(words)
        assert len(rows(panel)) == len(set(rows(panel)))


@pytest.mark.parametrize("height", [260, 700])
def test_one_bar_scrolls_all_and_the_buttons_stay_in_sight(qtbot, window, panel, opened, height):
    from vitviz.models.report import Finding, Report

    long = [Finding(f"topic {i}", "a guess that takes some words to say " * 3, "assumed") for i in range(12)]
    model = replace(opened.model, report=Report([*opened.model.report, *long]))
    window.opener.opened.emit(Opened(opened.wish, opened.image, model, opened.trace))
    dock = window.docks["Model"]
    dock.setFloating(True)
    dock.resize(280, height)
    qtbot.waitUntil(lambda: panel.area.verticalScrollBar().maximum() > 0)
    last = panel.report.rowCount() - 1
    qtbot.waitUntil(lambda: panel.report.verticalScrollBar().maximum() == 0)
    outer = dock.widget()
    assert outer.verticalScrollBar().maximum() == 0
    for button in panel.findChildren(QToolButton):
        assert button.visibleRegion().boundingRect() == button.rect(), button.text()
    panel.report.setFocus()
    panel.report.setCurrentCell(last, 0)
    place = panel.report.visualItemRect(panel.report.item(last, 0)).center()
    seen = panel.area.viewport().rect()
    assert seen.contains(panel.report.viewport().mapTo(panel.area.viewport(), place))


def test_the_sentence_names_the_way_that_there_is(window, panel, opened, ragged):
    from vitviz.models.report import Finding, Report

    topics = ("heads", "norm epsilon", "crop", "norms", "window")
    guesses = Report([Finding(topic, "a guess", "assumed") for topic in topics])
    for shown, field in ((opened, "heads, norm epsilon"), (ragged, "norm epsilon")):
        model = replace(shown.model, report=guesses)
        window.opener.opened.emit(Opened(shown.wish, shown.image, model, shown.trace))
        text = panel.guesses.text()
        assert f"Correct… below changes {field}." in text and "Model > Crop changes the crop." in text
        kept = "norms, window" if field.startswith("heads") else "heads, norms, window"
        assert f"No field sets {kept}:" in text
