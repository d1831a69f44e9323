"""Starts the window: Qt first, the slow libraries after the first paint and in the worker."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from vitviz import __version__, resources
from vitviz.ui import x_libraries
from vitviz.ui.messages import install_excepthook, show_error
from vitviz.ui.opening import Wish
from vitviz.ui.settings import Settings
from vitviz.ui.theme import MODES, Mode, Theme
from vitviz.ui.window import MainWindow


def application() -> QApplication:
    """The one QApplication, with our name and icon."""
    found = QApplication.instance()
    app = found if isinstance(found, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("vitviz")
    app.setApplicationDisplayName("vitviz")
    app.setApplicationVersion(__version__)
    icon = resources.path("icons/vitviz.png")
    app.setWindowIcon(QIcon(str(icon)))
    return app


def create(wish: Wish | None = None) -> MainWindow:
    """The window for a wish, not shown yet."""
    settings = Settings()
    theme = Theme(_mode(settings.value.theme))
    window = MainWindow(settings, theme, wish)
    theme.setParent(window)
    settings.setParent(window)
    return window


def take_down(window: MainWindow) -> None:
    """Let Qt delete a closed window now; left to the garbage collector, another window's worker might come to do it."""
    window.deleteLater()
    QCoreApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)


def _mode(name: str) -> Mode:
    return next((mode for mode in MODES if mode == name), "system")


def run(wish: Wish | None = None) -> int:
    """Open the window and stay until it is closed; the exit status."""
    _preload_torch_on_windows()
    x_libraries.check()
    app = application()
    window = create(wish)
    undo = install_excepthook(lambda error: show_error(window, error))
    before = signal.signal(signal.SIGINT, lambda *_: window.close())
    # Python's signal handlers run only when the interpreter does: give it a moment now and then.
    beat = QTimer()
    beat.timeout.connect(lambda: None)
    beat.start(500)
    window.show()
    status = app.exec()
    beat.stop()
    undo()
    signal.signal(signal.SIGINT, before or signal.SIG_DFL)  # the handler holds the window
    if not window.stopped:
        # torch can't be interrupted while it builds a model, and must not run on while Python is taken down.
        # Settings are on disk by now, and files are only ever renamed into place.
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # as under pythonw
                stream.flush()
        os._exit(status)
    take_down(window)
    return status


def _preload_torch_on_windows() -> None:
    # torch imported after Qt can fail to load its libraries there (pytorch issue 169429); c10 alone costs little.
    if sys.platform != "win32":
        return
    import ctypes
    from importlib.util import find_spec

    spec = find_spec("torch")
    if spec is not None and spec.origin is not None:
        library = Path(spec.origin).parent / "lib" / "c10.dll"
        if library.exists():
            os.add_dll_directory(str(library.parent))
            ctypes.CDLL(str(library))
