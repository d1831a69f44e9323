"""The session kept on the disk while the program runs, and offered when it did not end well."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QLockFile, QObject, QTimer

from vitviz.atomic import write_bytes
from vitviz.errors import FileError
from vitviz.ui.session_offer import SessionOffer
from vitviz.ui.sessions import Session, encode, read_session

if TYPE_CHECKING:
    from vitviz.ui.window import MainWindow

DELAY = 2000  # milliseconds after the last change
_PREFIX = "running-"


class Autosave(QObject):
    """Writes the window's session soon after it changes; `close` takes it away, so what is left tells of a crash."""

    def __init__(self, window: MainWindow, folder: Path) -> None:
        super().__init__(window)
        self._window, self._folder = window, folder
        self._path = folder / f"{_PREFIX}{os.getpid()}-{id(self):x}.json"
        self._lock: QLockFile | None = None
        self._offered: QLockFile | None = None
        self._written: bytes | None = None
        self._thread: threading.Thread | None = None
        self._timer = QTimer(self, singleShot=True, interval=DELAY)
        self._timer.timeout.connect(self.flush)
        for signal in (window.panes.opened, window.panes.added, window.panes.removed, window.store.changed):
            signal.connect(self._later)
        window.panes.current_changed.connect(self._later)

    def _later(self, *_: object) -> None:
        self._timer.start()

    def flush(self) -> None:
        """Write now, off the GUI thread, which must not wait for the disk."""
        self._timer.stop()
        session = self._window.restorer.session()
        data = None if session is None else encode(session)
        if data is None or data == self._written or (self._thread is not None and self._thread.is_alive()):
            return
        if self._lock is None:
            with contextlib.suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = QLockFile(f"{self._path}.lock")
            self._lock.setStaleLockTime(0)
            if not self._lock.tryLock(0):
                return
        self._written = data
        self._thread = threading.Thread(target=self._write, args=(data,), name="vitviz-autosave", daemon=True)
        self._thread.start()

    def _write(self, data: bytes) -> None:
        # A disk that is full is said when the user saves something; this is but a safety net.
        with contextlib.suppress(FileError):
            write_bytes(self._path, data)

    def offer(self) -> SessionOffer | None:
        """Offer the session of a run that did not end, without waiting for an answer; None where there is none.

        It stays on the disk, and will be offered again, until it is restored or dismissed.
        """
        for path in sorted(self._folder.glob(f"{_PREFIX}*.json"), key=_age) if self._folder.is_dir() else ():
            lock = QLockFile(f"{path}.lock")
            lock.setStaleLockTime(0)
            if not lock.tryLock(0):
                continue  # another window, alive
            try:
                session = read_session(path)
            except FileError:
                _remove(path)
                continue
            self._offered = lock
            return self._offer(path, session)
        return None

    def _offer(self, path: Path, session: Session) -> SessionOffer:
        offer = SessionOffer(session, self._window)
        offer.restore_asked.connect(lambda: self._window.restorer.apply(session))
        offer.answered.connect(lambda: self._answered(path))
        self._window.status.addPermanentWidget(offer)
        self._window.menus.file.insertAction(self._window.menus.open_session, offer.again)
        return offer

    def _answered(self, path: Path) -> None:
        _remove(path)
        if self._offered is not None:
            self._offered.unlock()
            self._offered = None

    def close(self) -> None:
        """The program ends well: nothing is left."""
        self._timer.stop()
        if self._thread is not None:
            self._thread.join(2.0)
        _remove(self._path)
        if self._lock is not None:
            self._lock.unlock()
        if self._offered is not None:
            self._offered.unlock()


def _age(path: Path) -> float:
    with contextlib.suppress(OSError):
        return -path.stat().st_mtime
    return 0.0


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
