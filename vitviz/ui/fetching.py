"""Asks before a model is fetched: opening a file opens no connection that its user did not agree to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMessageBox

from vitviz.ui.messages import message_box
from vitviz.ui.recipes import needs_network

if TYPE_CHECKING:
    from vitviz.models.wish import ModelWish
    from vitviz.ui.window import MainWindow


def ask_fetch(window: MainWindow, wishes: Iterable[ModelWish], then: Callable[[], object]) -> None:
    """Go on with `then`, after a Yes where one of the models is to be fetched from the hub."""
    shown = {c.pane.opened.wish.model for c in window.panes if c.pane.opened is not None}
    missing = [w.source for w in wishes if w not in shown and needs_network(w)]
    if not missing:
        then()
        return
    text = (
        f"This view is of {', '.join(dict.fromkeys(missing))}, which is no file on this machine. "
        "Fetch it from the model hub, if it is not there yet?"
    )
    box = message_box(window, "Fetch a model?", text, QMessageBox.Icon.Question)
    box.setStandardButtons(QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No)
    box.accepted.connect(then)
    box.open()
