"""Device and precision: what was named holds or is an error, what is only remembered gives way where it is gone."""

import json
from dataclasses import replace

import pytest
from PySide6.QtWidgets import QApplication

from vitviz import cli
from vitviz.models.wish import ModelWish
from vitviz.ui import app
from vitviz.ui.messages import ErrorBox
from vitviz.ui.opening import Wish
from vitviz.ui.samples import pictures
from vitviz.ui.settings import settings_path

GONE = {"device": "cuda:99", "precision": "float8"}
VIT = ModelWish("test_vit", pretrained=False)


@pytest.fixture
def start(qtbot, monkeypatch):
    """The window with remembered settings and a wish, not shown yet; `said` is what its status bar was told."""

    def begin(remembered, model=VIT, given=()):
        settings_path().write_text(json.dumps(remembered))
        window = app.create(Wish(pictures()[0], model, given=given))
        qtbot.addWidget(window)
        window.said = []
        window.status.messageChanged.connect(window.said.append)
        return window

    return begin


def boxes(window):
    return [box for box in window.findChildren(ErrorBox) if box.isVisible()]


def begun(qtbot, window):
    with qtbot.waitSignal(window.opened, timeout=60_000) as signal:
        window.sources.begin()
    return signal.args[0]


def test_remembered_device_and_precision_that_are_gone_give_way_and_that_is_said_once(qtbot, start):
    window = start(GONE)
    opened = begun(qtbot, window)
    assert (opened.wish.model.device, opened.wish.model.precision) == ("auto", "float32")
    assert "test_vit" in window.windowTitle() and boxes(window) == []
    (said,) = filter(None, window.said)
    assert "'cuda:99'" in said and "'auto'" in said and "'float8'" in said and "'float32'" in said
    for ask in (
        lambda: window.sources.open_source("test_vit", pretrained=False),
        lambda: window.sources.open_picture(pictures()[1]),
        lambda: window.sources.change_model(patch_size=8),
    ):
        with qtbot.waitSignal(window.opened, timeout=60_000) as signal:
            ask()
        assert signal.args[0].note == ""
    assert boxes(window) == [] and not any("cuda:99" in text for text in window.said[2:])


def test_models_that_are_named_beside_the_first_give_way_too(qtbot, start):
    window = start(GONE)
    window.sources.begin()
    window.comparing.begin([replace(VIT, patch_size=8)])
    qtbot.waitUntil(
        lambda: all(column.pane.opened for column in window.panes) and not window.worker.is_busy(), timeout=60_000
    )
    assert [column.pane.opened.wish.model.device for column in window.panes] == ["auto", "auto"]
    assert boxes(window) == []


def test_remembered_device_that_is_there_is_used(qtbot, start):
    opened = begun(qtbot, start({"device": "cpu", "precision": "bfloat16"}))
    assert (opened.model.device.name, opened.model.precision, opened.note) == ("cpu", "bfloat16", "")


@pytest.mark.parametrize("remembered", [{}, GONE])
def test_device_that_was_named_and_is_not_there_stays_an_error(qtbot, start, remembered):
    window = start(remembered, replace(VIT, device="cuda:99"), ("device",))
    with qtbot.waitSignal(window.panes.failed, timeout=60_000):
        window.sources.begin()
    (box,) = boxes(window)
    assert "There is no device 'cuda:99' here" in box.text()


def test_device_of_the_menu_that_is_not_there_is_an_error(qtbot, start):
    window = start(GONE)
    begun(qtbot, window)
    with qtbot.waitSignal(window.panes.failed, timeout=60_000):
        window.sources.set_run(device="cuda:99")
    assert len(boxes(window)) == 1


def test_usual_device_and_precision_that_were_named_win_over_the_settings(start, monkeypatch):
    window = start({"device": "cpu", "precision": "bfloat16"}, VIT, ("device", "precision"))
    asked = []
    monkeypatch.setattr(window.opener, "open", lambda **fields: asked.append(fields["model"]))
    window.sources.begin()
    window.sources.open_source("test_vit", pretrained=False)
    window.sources.set_run(device="cpu")
    window.sources.open_source("test_vit", pretrained=False)
    found = [(model.device, model.precision) for model in asked]
    assert found[:2] == [("auto", "float32")] * 2 and found[3] == ("cpu", "float32")


def test_session_of_the_device_that_is_gone_comes_back(qtbot, start):
    window = start(GONE)
    begun(qtbot, window)
    session = window.restorer.session()
    (pane,) = session.panes
    saved = replace(pane, model=replace(pane.model, device="cuda:99"), state=replace(pane.state, layer=2, head=1))
    with qtbot.waitSignal(window.restorer.restored, timeout=60_000):
        window.restorer.apply(replace(session, panes=(saved,)))
    QApplication.processEvents()
    assert (window.store.state.layer, window.store.state.head) == (2, 1) and boxes(window) == []


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ([], ()),
        (["--device", "auto"], ("device",)),
        (["--precision", "float32", "--device", "cpu"], ("device", "precision")),
    ],
)
def test_command_line_says_what_was_named(monkeypatch, options, given):
    asked = []
    monkeypatch.setattr(app, "run", lambda wish: asked.append(wish) or 0)
    assert cli.main(options) == 0
    (wish,) = asked
    assert wish.given == given and wish.model == ModelWish(device="cpu" if "cpu" in options else "auto")
