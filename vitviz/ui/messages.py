"""Errors as one sentence with details to copy; the program lives on."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget

from vitviz import __version__
from vitviz.errors import Cancelled, VitvizError

MOST_BOXES = 4  # open at once; an error on every mouse move must not fill the screen
_LONGEST_TEXT = 1500  # characters in the box; the details have all


class ErrorBox(QMessageBox):
    """One error: a sentence, and where there is a traceback, details and a button that copies both."""

    def __init__(self, parent: QWidget | None, text: str, details: str = "") -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("vitviz")
        self.setIcon(QMessageBox.Icon.Warning)
        # Before the text: file and class names would otherwise be taken for HTML, which can load files.
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setText(text)
        self.setStandardButtons(QMessageBox.StandardButton.Close)
        self.setDefaultButton(QMessageBox.StandardButton.Close)
        self.setEscapeButton(QMessageBox.StandardButton.Close)
        if details:
            self.setDetailedText(details)
            self.copy_button = self.addButton("Copy details", QMessageBox.ButtonRole.ActionRole)
            self.copy_button.clicked.disconnect()  # Qt closes the box on any button
            self.copy_button.clicked.connect(self._copy)

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(f"{self.text()}\n\n{self.detailedText()}")


def show_error(parent: QWidget | None, exception: BaseException) -> ErrorBox | None:
    """Show an error without waiting for an answer, and return its box.

    A text that is on the screen already is raised, not shown twice. None for Cancelled, which is no error,
    and where MOST_BOXES are open: then the error goes to stderr.
    """
    if isinstance(exception, Cancelled):
        return None
    text, details = describe(exception)
    open_boxes = _open_boxes()
    for box in open_boxes:
        if box.text() == text:
            box.raise_()
            box.activateWindow()
            return box
    if len(open_boxes) >= MOST_BOXES:
        traceback.print_exception(exception)
        return None
    box = ErrorBox(parent, text, details)
    if parent is None:
        # Nobody else holds a box without parent: this closure does until it closes.
        box.finished.connect(lambda _, box=box: None)
    box.open()
    return box


def describe(exception: BaseException) -> tuple[str, str]:
    """(sentence, details) of an error; details are empty for a VitvizError that has no cause."""
    said = str(exception).strip()
    if isinstance(exception, VitvizError):
        text = said or type(exception).__name__
        unexplained = exception.__cause__ is None
    else:
        text = f"Something unexpected happened: {type(exception).__name__}" + (f": {said}" if said else "")
        unexplained = False
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT] + " …"
    return text, "" if unexplained else "".join(traceback.format_exception(exception))


def _open_boxes() -> list[ErrorBox]:
    return [each for each in QApplication.topLevelWidgets() if isinstance(each, ErrorBox) and each.isVisible()]


class _Relay(QObject):
    """Carries an error of any thread, or of a paint event, to a later turn of the GUI thread's event loop."""

    caught = Signal(object)

    def __init__(self, show: Callable[[BaseException], object]) -> None:
        super().__init__()
        self._show = show
        self.caught.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @Slot(object)
    def _deliver(self, exception: BaseException) -> None:
        try:
            self._show(exception)
        except Exception:  # noqa: BLE001  an error while showing an error must not start over
            traceback.print_exc()
        # PyErr_Print keeps the last error, and with it every tensor in its frames.
        for name in ("last_exc", "last_type", "last_value", "last_traceback"):
            if hasattr(sys, name):
                setattr(sys, name, None)


def install_excepthook(show: Callable[[BaseException], object]) -> Callable[[], None]:
    """Give every uncaught error, of any thread, to `show` in the GUI thread; returns what undoes it.

    To be called in the GUI thread. The traceback is printed too; that is all where there is no QApplication.
    """
    old_hook, old_thread_hook = sys.excepthook, threading.excepthook
    relay = _Relay(show)

    def tell(exception: BaseException | None) -> None:
        if isinstance(exception, Exception) and _can_show() and shiboken6.isValid(relay):
            relay.caught.emit(exception)

    def hook(kind: type[BaseException], exception: BaseException, trace: TracebackType | None) -> None:
        sys.__excepthook__(kind, exception, trace)
        tell(exception)

    def thread_hook(args: threading.ExceptHookArgs) -> None:
        threading.__excepthook__(args)
        tell(args.exc_value)

    sys.excepthook, threading.excepthook = hook, thread_hook

    def undo() -> None:
        sys.excepthook, threading.excepthook = old_hook, old_thread_hook
        relay.deleteLater()

    return undo


def _can_show() -> bool:
    return isinstance(QApplication.instance(), QApplication) and not QApplication.closingDown()


def message_box(
    parent: QWidget, title: str, text: str, icon: QMessageBox.Icon = QMessageBox.Icon.NoIcon
) -> QMessageBox:
    """A box of plain text that goes when it is closed, for the caller to open."""
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setIcon(icon)
    box.setWindowTitle(title)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(text)
    return box


def show_about(parent: QWidget) -> None:
    """Version and purpose."""
    text = f"vitviz {__version__}\n\nLook inside vision transformers: every head of every layer.\nMIT licence."
    message_box(parent, "About vitviz", text).open()
