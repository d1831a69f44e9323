"""Errors are one plain sentence, shown once, without stopping the program."""

import subprocess
import sys
import textwrap
import threading

import pytest
from PySide6.QtCore import Qt, QThread
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMessageBox

from vitviz.errors import Cancelled, FileError, VitvizError
from vitviz.ui.messages import MOST_BOXES, ErrorBox, describe, install_excepthook, show_error


def boxes():
    return [each for each in QApplication.topLevelWidgets() if isinstance(each, ErrorBox) and each.isVisible()]


@pytest.fixture(autouse=True)
def closed_boxes(qapp):
    yield
    for box in boxes():
        box.close()


def raised(error, cause=None):
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def test_error_on_purpose_is_its_sentence_in_plain_text(parent):
    box = show_error(parent, VitvizError("<b>a.pt</b> is empty: choose another file."))
    assert box.text() == "<b>a.pt</b> is empty: choose another file."
    assert box.textFormat() == Qt.TextFormat.PlainText
    assert box.detailedText() == ""
    assert box.isVisible()  # and this line is reached: it did not wait for an answer


def test_anything_else_is_unexpected_and_has_its_traceback(parent):
    box = show_error(parent, raised(KeyError("head")))
    assert box.text() == "Something unexpected happened: KeyError: 'head'"
    assert "Traceback" in box.detailedText()
    assert "raise error from cause" in box.detailedText()


def test_cause_of_an_error_on_purpose_is_in_the_details(parent):
    box = show_error(parent, raised(FileError("Could not write a.png."), OSError(28, "No space left")))
    assert box.text() == "Could not write a.png."
    assert "No space left" in box.detailedText()


def test_copy_button_copies_and_leaves_the_box_open(qtbot, parent):
    box = show_error(parent, raised(ValueError("bad")))
    qtbot.waitExposed(box)
    qtbot.mouseClick(box.copy_button, Qt.MouseButton.LeftButton)
    copied = QGuiApplication.clipboard().text()
    assert copied.startswith("Something unexpected happened: ValueError: bad\n")
    assert "Traceback" in copied
    assert box.isVisible()


@pytest.mark.parametrize("way", ["key", "button"])
def test_box_closes_and_is_freed(qtbot, parent, way):
    box = show_error(parent, raised(ValueError("bad")))
    qtbot.waitExposed(box)
    with qtbot.waitSignal(box.destroyed):
        if way == "key":
            qtbot.keyClick(box, Qt.Key.Key_Escape)
        else:
            qtbot.mouseClick(box.button(QMessageBox.StandardButton.Close), Qt.MouseButton.LeftButton)
    assert boxes() == []


def test_same_text_is_shown_once(parent):
    first = show_error(parent, VitvizError("full"))
    assert show_error(parent, VitvizError("full")) is first
    assert len(boxes()) == 1
    first.close()
    assert show_error(parent, VitvizError("full")) is not None


def test_boxes_do_not_fill_the_screen(parent, capsys):
    for number in range(MOST_BOXES + 2):
        show_error(parent, VitvizError(f"error {number}"))
    assert len(boxes()) == MOST_BOXES
    assert f"error {MOST_BOXES + 1}" in capsys.readouterr().err


def test_box_without_parent_stays(qtbot):
    show_error(None, VitvizError("early"))
    qtbot.wait(20)
    assert [box.text() for box in boxes()] == ["early"]


def test_cancelled_is_no_error(parent):
    assert show_error(parent, Cancelled("stop")) is None
    assert boxes() == []


@pytest.mark.parametrize("error", [VitvizError(), ValueError(), ValueError("x" * 10_000), MemoryError()])
def test_text_is_never_empty_or_endless(error):
    text, _ = describe(error)
    assert 0 < len(text) < 2000


@pytest.fixture
def shown(qapp, monkeypatch):
    monkeypatch.setattr(sys, "__excepthook__", lambda *_: None)
    monkeypatch.setattr(threading, "__excepthook__", lambda *_: None)
    seen = []
    undo = install_excepthook(lambda error: seen.append((error, QThread.currentThread())))
    yield seen
    undo()


def test_error_in_a_slot_is_shown_and_the_program_lives_on():
    # In a process of its own: here pytest-qt has the hook.
    code = """
        import sys
        from PySide6.QtCore import QTimer
        from PySide6.QtWidgets import QApplication
        from vitviz.ui.messages import install_excepthook
        app = QApplication([])
        def show(error):
            print("shown", error)
            QTimer.singleShot(10, app.quit)
        install_excepthook(show)
        def fail():
            raise ValueError("in a slot")
        QTimer.singleShot(0, fail)
        sys.exit(app.exec())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "shown in a slot\n"
    assert "Traceback" in done.stderr


def test_error_in_a_thread_is_shown_in_the_gui_thread(qtbot, shown, parent):
    error = ValueError("in a thread")

    def fail():
        raise error

    hook = threading.excepthook
    thread = threading.Thread(target=lambda: _call_hooked(fail, hook))
    thread.start()
    thread.join()
    assert shown == []  # queued, not called from there
    qtbot.waitUntil(lambda: bool(shown))
    assert shown == [(error, parent.thread())]


def _call_hooked(function, hook):
    try:
        function()
    except ValueError as error:
        hook(threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread())))


def test_interrupt_is_not_shown(qtbot, shown):
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    qtbot.wait(20)
    assert shown == []


def test_last_error_does_not_keep_its_frames(qtbot, shown, monkeypatch):
    monkeypatch.setattr(sys, "last_value", None, raising=False)
    sys.last_value = ValueError("kept")
    sys.excepthook(ValueError, sys.last_value, None)
    qtbot.waitUntil(lambda: bool(shown))
    assert sys.last_value is None


def test_failure_to_show_ends_there(qtbot, qapp, monkeypatch, capsys):
    monkeypatch.setattr(sys, "__excepthook__", lambda *_: None)

    def show(_error):
        raise RuntimeError("no screen")

    undo = install_excepthook(show)
    try:
        sys.excepthook(ValueError, ValueError("x"), None)
        qtbot.wait(20)
    finally:
        undo()
    assert "no screen" in capsys.readouterr().err


def test_undo_restores_the_hooks(qapp):
    before = sys.excepthook, threading.excepthook
    undo = install_excepthook(print)
    assert sys.excepthook is not before[0]
    undo()
    assert (sys.excepthook, threading.excepthook) == before


def test_without_application_the_traceback_goes_to_stderr(monkeypatch, capsys):
    shown = []
    undo = install_excepthook(shown.append)
    try:
        monkeypatch.setattr("vitviz.ui.messages._can_show", lambda: False)
        sys.excepthook(ValueError, ValueError("early"), None)
    finally:
        undo()
    assert "ValueError: early" in capsys.readouterr().err
    assert shown == []
