"""What is dropped onto the window: pictures, checkpoints, folders, sessions and exported figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent

from vitviz.ui.drop_frame import DropFrame
from vitviz.ui.files import MODEL_KINDS, dropped_paths, kind_of
from vitviz.ui.recipes import may_be_restored

if TYPE_CHECKING:
    from vitviz.ui.pane_column import PaneColumn
    from vitviz.ui.window import MainWindow


class Dropping(QObject):
    """Watches what is dragged over the window: a checkpoint is for the pane under the mouse, which is framed."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window, self._for_pane = window, False
        self.frame = DropFrame(window.panes)
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QDragEnterEvent):
            self._enter(event)
        elif event.type() == QEvent.Type.Drop and isinstance(event, QDropEvent):  # moves are of that class, too
            self.frame.show_over(None)
            self._drop(event)
        elif isinstance(event, QDragMoveEvent):
            self._mark(event)
        elif event.type() == QEvent.Type.DragLeave:
            self.frame.show_over(None)
        else:
            return False
        return True

    def _enter(self, event: QDragEnterEvent) -> None:
        """Let what names files come in."""
        paths = dropped_paths(event.mimeData())
        alone = len(paths) == 1 and may_be_restored(paths[0])
        # Asked once: the mouse moves more often than a disk should be read.
        self._for_pane = not alone and any(kind_of(path) in MODEL_KINDS for path in paths[:2])
        if paths:
            event.acceptProposedAction()
            self._mark(event)

    def _mark(self, event: QDragMoveEvent) -> None:
        beside = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        column = self._column_at(event.position()) if self._for_pane and not beside else None
        self.frame.show_over(column if len(self._window.panes) > 1 else None)

    def _column_at(self, at: QPointF) -> PaneColumn | None:
        """The pane at a point of the window."""
        point, columns = at.toPoint(), list(self._window.panes)
        return next((c for c in columns if c.rect().contains(c.mapFrom(self._window, point))), None)

    def _drop(self, event: QDropEvent) -> None:
        """Open what was dropped: a checkpoint where it was dropped, with Shift in a pane of its own."""
        window, paths = self._window, dropped_paths(event.mimeData())
        models = [kind_of(path) in MODEL_KINDS for path in paths]
        beside = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier) and all(models)
        restored = len(paths) == 1 and may_be_restored(paths[0])
        under = self._column_at(event.position())
        if under is not None and not beside and (restored or any(models[:2])):
            window.panes.set_current(under)
        if paths and beside:
            window.comparing.add_paths(paths)
            event.acceptProposedAction()
        elif restored:
            window.restorer.open(paths[0])
            event.acceptProposedAction()
        elif window.sources.drop(event.mimeData()):
            event.acceptProposedAction()
