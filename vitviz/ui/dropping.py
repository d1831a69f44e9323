"""What is dropped onto the window: pictures, checkpoints, folders, sessions and exported figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent

from vitviz.ui.files import MODEL_KINDS, dropped_paths, kind_of
from vitviz.ui.recipes import may_be_restored

if TYPE_CHECKING:
    from vitviz.ui.window import MainWindow


def enter(event: QDragEnterEvent) -> None:
    """Let what names files come in."""
    if dropped_paths(event.mimeData()):
        event.acceptProposedAction()


def drop(window: MainWindow, event: QDropEvent) -> None:
    """Open what was dropped; with Shift, checkpoints in panes of their own."""
    paths = dropped_paths(event.mimeData())
    beside = event.modifiers() & Qt.KeyboardModifier.ShiftModifier and all(kind_of(p) in MODEL_KINDS for p in paths)
    if paths and beside:
        window.comparing.add_paths(paths)
        event.acceptProposedAction()
    elif len(paths) == 1 and may_be_restored(paths[0]):
        window.restorer.open(paths[0])
        event.acceptProposedAction()
    elif window.sources.drop(event.mimeData()):
        event.acceptProposedAction()
