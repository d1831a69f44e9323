"""The offer to bring back the session of a run that did not end well: a line in the status bar that waits."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QToolButton, QWidget

from vitviz.ui.elided_label import ElidedLabel
from vitviz.ui.sessions import Session

_WIDEST = 330  # pixels of its words; the tooltip has what does not fit


class SessionOffer(QWidget):
    """Two buttons that take no keys, so that no stray one answers; the keyboard finds the same in the File menu.

    `restore_asked()` where the session is wanted, then, as after Dismiss, `answered()`.
    """

    restore_asked = Signal()
    answered = Signal()

    def __init__(self, session: Session, window: QMainWindow) -> None:
        super().__init__(window)
        names = ", ".join(dict.fromkeys(pane.model.source for pane in session.panes))
        picture = session.picture.name if session.picture else "a picture that was pasted"
        self.words = ElidedLabel(f"The last run did not end well: {picture}, {names}")
        self.words.setMaximumWidth(_WIDEST)
        self.restore, self.dismiss = QToolButton(), QToolButton()
        self.restore.setText("Restore")
        self.restore.setToolTip(f"Bring back what it showed: {picture} through {names}")
        self.dismiss.setText("Dismiss")
        self.dismiss.setToolTip("Forget that session")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 0, 4, 0)
        layout.addWidget(self.words)
        for button in (self.restore, self.dismiss):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            layout.addWidget(button)
        self.again = QAction("Restore the session of the last &run", window)
        self.again.triggered.connect(self.restore.click)
        self.restore.clicked.connect(self._restore)
        self.dismiss.clicked.connect(self._end)

    def _restore(self) -> None:
        self._end()
        self.restore_asked.emit()

    def _end(self) -> None:
        self.hide()
        self.again.setVisible(False)
        self.answered.emit()
        self.again.deleteLater()
        self.deleteLater()
