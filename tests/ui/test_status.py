"""The status bar: device and reason, model, time, the weight under the mouse, progress and Cancel."""

import re
import threading
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from vitviz.attention.values import Place
from vitviz.models.devices import Device
from vitviz.ui.opening import Opened

HTML = "<b>cat</b><img src='file:///etc/passwd'>"


@pytest.fixture
def status(window):
    return window.status


def hover_place(window, hover, place):
    view = window.map_view.view
    hover(view, view.position_of(place).toPoint())
    QApplication.processEvents()


def test_device_with_the_reason_precision_model_and_time_are_always_there(window, status, opened):
    assert "CPU" in status.device.text() and "(chosen by you)" in status.device.text()
    assert "float32" in status.device.text()
    assert "test_vit" in status.model.text() and "random weights" in status.model.text()
    assert status.time.text() == f"{opened.trace.seconds * 1000:.0f} ms"
    for label in (status.device, status.model, status.time):
        assert label.isVisible()


def test_reason_for_the_cpu_is_said(window, status, opened):
    model = replace(opened.model, device=Device("cpu", "CPU, 2 threads", "no CUDA device found"))
    window.opener.opened.emit(Opened(opened.wish, opened.image, model, opened.trace))
    assert "no CUDA device found" in status.device.text()


@pytest.mark.parametrize("direction", ["from", "to"])
def test_reading_gives_layer_head_from_to_and_the_weight_of_the_shown_map(window, status, opened, hover, direction):
    window.store.update(layer=2, head=1, query=Place(62.0, 42.0), direction=direction)
    QApplication.processEvents()
    place = Place(100.0, 20.0)
    hover_place(window, hover, place)
    words = status.reading.text()
    here, (there, weight) = window.pane.map.query_cell, window.pane.weight_at(place)
    assert words.startswith("layer 2 head 1 | ")
    cells = [tuple(map(int, pair)) for pair in re.findall(r"\((\d+), (\d+)\)", words)]
    assert cells == ([here, there] if direction == "from" else [there, here])
    assert float(re.search(r": ([\d.e-]+)", words)[1]) == pytest.approx(weight, rel=0.02, abs=5e-5)
    a, b = (1 + r * 10 + c for r, c in cells)
    assert opened.trace.weights(2, heads=1, queries=a)[0, 0, b] == pytest.approx(weight, abs=1e-6)


def test_reading_follows_the_keys_while_the_mouse_rests(window, status, hover):
    window.store.update(query=Place(62.0, 42.0), head=0)
    hover_place(window, hover, Place(100.0, 20.0))
    window.store.update(layer=1)
    assert status.reading.text().startswith("layer 1 head 0 | ")


def test_part_that_the_model_did_not_see_is_said(window, status, hover):
    hover_place(window, hover, Place(3.0, 45.0))
    assert "did not see" in status.reading.text()


def test_reading_without_the_mouse_names_the_query(window, status):
    window.store.update(query="mean")
    QApplication.processEvents()
    assert "MEAN" in status.reading.text()


def test_nothing_is_read_before_anything_is_shown(bare_window, hover):
    hover_place(bare_window, hover, Place(0.5, 0.5))
    assert bare_window.status.reading.text() == ""


def test_progress_is_shown_and_goes_away(status):
    assert not status.bar.isVisible() and not status.cancel.isVisible()
    status.busy(0.25, "Reading weights")
    assert status.bar.isVisible() and status.cancel.isVisible() and status.work.text() == "Reading weights"
    assert status.bar.value() == 250 and status.bar.maximum() == 1000
    status.busy(-1.0, "Starting")
    assert status.bar.maximum() == 0  # no end in sight
    status.idle()
    assert not status.bar.isVisible() and not status.cancel.isVisible() and not status.work.isVisible()


def test_only_work_that_lasts_shows_its_progress(qtbot, window, status):
    told, go = threading.Event(), threading.Event()

    def work(progress):
        progress(0.5, "Counting")
        told.set()
        assert go.wait(30)

    waiting = status.patience
    waiting.setInterval(60_000)
    window.worker.submit("some work", work)
    qtbot.waitUntil(told.is_set, timeout=20_000)
    qtbot.wait(100)
    assert waiting.isActive() and not status.bar.isVisible()
    waiting.start(0)
    qtbot.waitUntil(lambda: status.bar.isVisible() and status.work.text() == "Counting", timeout=20_000)
    go.set()
    qtbot.waitUntil(lambda: not status.bar.isVisible() and not status.cancel.isVisible(), timeout=20_000)
    window.worker.submit("some work", lambda progress: progress(0.5, "Again"))
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=20_000)
    qtbot.wait(50)
    assert not waiting.isActive() and not status.bar.isVisible()


def test_cancel_button_asks_to_cancel(qtbot, status):
    status.busy(0.5, "Loading")
    with qtbot.waitSignal(status.cancel_asked):
        qtbot.mouseClick(status.cancel, Qt.MouseButton.LeftButton)


def test_names_are_never_taken_for_html(window, status, opened):
    model = replace(opened.model, name=HTML)
    window.opener.opened.emit(Opened(opened.wish, opened.image, model, opened.trace))
    assert status.model.text().startswith(HTML)
    for label in (status.device, status.model, status.time, status.reading, status.work):
        assert label.textFormat() == Qt.TextFormat.PlainText


@pytest.mark.parametrize("threads", range(1, 9))
def test_device_and_work_are_whole_while_there_is_room(window, status, opened, threads):
    window.resize(1024, 700)
    reason = Device("cpu", f"CPU, {threads} thread{'s' * (threads > 1)}", "no CUDA device found")
    model = replace(opened.model, device=reason)
    window.opener.opened.emit(Opened(opened.wish, opened.image, model, opened.trace))
    status.busy(0.1, f"Exported {threads} of 62, 49 s left")
    QApplication.processEvents()
    for label in (status.device, status.work):
        assert label.shown_text() == label.text()
    status.idle()
