"""What mouse and keys do to the selection: hover, pin, step through layers and heads, play, undo."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, QRectF, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from vitviz.attention.values import Place
from vitviz.ui.marks import cell_rect
from vitviz.ui.pane import Pane
from vitviz.ui.picture_view import PictureView

_PLAY_MS = 500


class Browsing(QObject):
    """Links the pictures of a pane to its store.

    `pointed(Place, QRectF)` with the place under the mouse and its patch in picture pixels (either may be None),
    `told(str)` with a word for the status bar.
    """

    pointed = Signal(object, object)
    told = Signal(str)

    def __init__(self, parent: QWidget, pane: Pane, pictures: Sequence[PictureView]) -> None:
        super().__init__(parent)
        self._pane, self._store = pane, pane.store
        self._timer = QTimer(self)
        self._timer.setInterval(_PLAY_MS)
        self._timer.timeout.connect(self._play_step)
        for view in pictures:
            view.hovered.connect(self._hovered)
            view.left.connect(self._left)
            view.clicked.connect(self._clicked)
            for other in pictures:
                if other is not view:
                    view.range_changed.connect(other.follow)
                    view.fit_asked.connect(other.fit)

    @Slot(object)
    def _hovered(self, place: Place) -> None:
        shown = self._pane.map
        if shown is None:
            return
        inside = shown.view.contains(place.x, place.y)
        if self._store.state.query is None:
            self._store.update(hover=place if inside else None)
        self.pointed.emit(place, self._patch(place) if inside else None)

    @Slot()
    def _left(self) -> None:
        self._store.update(hover=None)
        self.pointed.emit(None, None)

    @Slot(object)
    def _clicked(self, place: Place) -> None:
        shown = self._pane.map
        if shown is None or not shown.view.contains(place.x, place.y):
            return
        pinned = self._store.state.query
        same = isinstance(pinned, Place) and self._patch(pinned) == self._patch(place)
        self._store.update(query=None if same else place)

    def _patch(self, place: Place) -> QRectF:
        shown = self._pane.map
        assert shown is not None
        return cell_rect(shown.grid, shown.view, shown.grid.cell_at(*shown.view.to_view(place.x, place.y)))

    def step_layer(self, step: int) -> None:
        """Go some layers up or down, as far as there are layers."""
        if self._store.reality.heads:
            self._store.update(layer=max(0, self._store.state.layer + step))

    def step_head(self, step: int) -> None:
        """Go to the next or previous head of the layer; the mean comes before the first."""
        if not self._store.reality.heads:
            return
        head = self._store.state.head
        number = (head if isinstance(head, int) else -1) + step
        self._store.update(head="mean" if number < 0 else number)

    def turn(self) -> None:
        """From looks-at to is-looked-at-by, or back."""
        self._store.update(direction="to" if self._store.state.direction == "from" else "from")

    def free(self) -> None:
        """Give up the pinned query."""
        self._store.update(query=None)

    def undo(self) -> None:
        """Take the last change of the view back."""
        if not self._store.undo():
            self.told.emit("There is nothing to undo.")

    def play(self, on: bool) -> None:
        """Go through the layers again and again, or stop."""
        if on:
            self._timer.start()
        else:
            self._timer.stop()

    @Slot()
    def _play_step(self) -> None:
        self._store.update(layer=(self._store.state.layer + 1) % max(1, len(self._store.reality.heads)))
