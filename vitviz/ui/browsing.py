"""What mouse and keys do to the selection: hover, pin, step through layers and heads, play, undo."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, QRectF, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from vitviz.attention.values import AblateTo, Place, Query
from vitviz.ui.linking import Linking
from vitviz.ui.marks import cell_rect
from vitviz.ui.pane import Pane
from vitviz.ui.pane_column import PaneColumn
from vitviz.ui.panes import Panes
from vitviz.ui.picture_view import PictureView

_PLAY_MS = 500


class Browsing(QObject):
    """Links the pictures of the panes, and those in docks, which are the current pane's, to the stores.

    The cursor is a place in the picture: while it is linked every pane takes its own patch there as query.
    `pointed(Place, QRectF)` with the place under the mouse and the current pane's patch in picture pixels (either may
    be None), `played(bool)` when the layers begin to play or stop, `told(str)` with a word for the status bar.
    """

    pointed = Signal(object, object)
    played = Signal(bool)
    told = Signal(str)

    def __init__(self, parent: QWidget, panes: Panes, linking: Linking, docked: tuple[PictureView, ...] = ()) -> None:
        super().__init__(parent)
        self._panes, self._linking = panes, linking
        self._store = panes.current.store
        self._docked, self._held = docked, False
        self._under: tuple[int, int] | None = None
        self._before: list[tuple[PaneColumn, Query | None]] = []  # what panes held when the last click came
        self._timer = QTimer(self)
        self._timer.setInterval(_PLAY_MS)
        self._timer.timeout.connect(self._play_step)
        for view in docked:
            self._listen_dock(view)
        for column in panes:
            self._add(column)
        panes.added.connect(self._add)

    def join(self, view: PictureView) -> None:
        """Link one more picture of a dock."""
        self._docked += (view,)
        self._listen_dock(view)
        for column in self._panes:
            self._lead(column, view)

    def _listen_dock(self, view: PictureView) -> None:
        self._listen(view, None)
        view.range_changed.connect(self._dock_moved)
        view.fit_asked.connect(self._panes.fit)

    @Slot(object)
    def _add(self, column: PaneColumn) -> None:
        self._listen(column.map_view.view, column)
        for dock in self._docked:
            self._lead(column, dock)

    def _lead(self, column: PaneColumn, dock: PictureView) -> None:
        """Let a dock's picture follow the map of a pane."""
        column.map_view.view.range_changed.connect(lambda rect: self._follow(column, dock, rect))
        column.map_view.view.fit_asked.connect(dock.fit)

    def _listen(self, view: PictureView, column: PaneColumn | None) -> None:
        """Take hovers and clicks of a picture as those of a pane, the current one where None."""
        view.hovered.connect(lambda place: self._hovered(place, column or self._panes.current_column))
        view.left.connect(self._left)
        view.clicked.connect(lambda place: self._clicked(place, column))
        view.unclicked.connect(self._unclicked)

    def _follow(self, column: PaneColumn, dock: PictureView, rect: QRectF) -> None:
        if self._linking.links.zoom or column is self._panes.current_column:
            dock.follow(rect)

    @Slot(object)
    def _dock_moved(self, rect: QRectF) -> None:
        current = self._panes.current_column
        current.map_view.view.follow(rect)
        self._linking.follow_range(current)

    def _asked(self, column: PaneColumn) -> list[PaneColumn]:
        """The panes that a place in one of them speaks to."""
        return list(self._panes) if self._linking.links.cursor else [column]

    @Slot(bool)
    def hold(self, on: bool) -> None:
        """Let what is shown stay as it is, wherever the mouse goes; then follow it again."""
        if on:
            self.play(False)
        self._held = on
        for column in self._panes:
            column.store.hold(on)
        if not on:
            self._left()  # where the mouse is by now, its next move says

    def _hovered(self, place: Place, column: PaneColumn) -> None:
        if self._held:
            return
        asked = self._asked(column)
        for each in self._panes:
            self._point(each, place if each in asked else None, under_mouse=each is column)

    def _point(self, column: PaneColumn, place: Place | None, *, under_mouse: bool) -> None:
        """Make a place the query of a pane, unless it holds a pinned one, and mark it there."""
        shown = column.pane.map
        if shown is None:
            return
        inside = place is not None and shown.view.contains(place.x, place.y)
        if column.store.state.query is None:
            column.store.update(hover=place if inside else None)
        rect = _patch(column.pane, place) if inside and place is not None else None
        column.map_view.mark(rect)
        column.map_view.point_at(None if under_mouse else place)
        column.read(place)
        if column is self._panes.current_column:
            self.pointed.emit(place, rect)

    @Slot()
    def _left(self) -> None:
        if self._held:
            return
        for column in self._panes:
            column.store.update(hover=None)
            column.map_view.mark(None)
            column.map_view.point_at(None)
            column.read(None)
        self.pointed.emit(None, None)

    def _clicked(self, place: Place, column: PaneColumn | None) -> None:
        self._before = []
        if column is None:
            column = self._panes.current_column
        elif column.take_first_click():
            return  # the click that chose the pane pins nothing
        shown = column.pane.map
        if shown is None or not shown.view.contains(place.x, place.y):
            return
        pinned = column.store.state.query
        same = isinstance(pinned, Place) and _patch(column.pane, pinned) == _patch(column.pane, place)
        # The current pane's change is copied by the links; a pane whose model did not see the place takes none.
        self._before = [(each, each.store.state.query) for each in self._panes]
        column.store.update(query=None if same else place)

    @Slot()
    def _unclicked(self) -> None:
        """What was held before the first half of a double click is held again."""
        before, self._before = self._before, []
        # The current pane first: the others take what is linked from it, and may have held something else.
        for column, query in sorted(before, key=lambda each: each[0] is not self._panes.current_column):
            column.store.update(query=query)

    def step_layer(self, step: int) -> None:
        """Go some layers up or down, as far as there are layers."""
        count, state = len(self._store.reality.heads), self._store.state
        if count and state.method == "rollout":
            last = count - 1 if state.options.last_layer is None else state.options.last_layer
            self._store.update(last_layer=max(state.options.first_layer, last + step))
        elif count:
            self._store.update(layer=max(0, state.layer + step))

    def step_head(self, step: int) -> None:
        """Go to the next or previous head of the layer; the mean comes before the first."""
        if not self._store.reality.heads:
            return
        head = self._store.state.head
        number = (head if isinstance(head, int) else -1) + step
        self._store.update(head="mean" if number < 0 else number)

    def switch_head(self) -> None:
        """Switch the head whose tile is under the mouse off, else the chosen one; or on again."""
        state, heads = self._store.state, self._store.reality.heads
        layer, head = self._under if self._under is not None else (state.layer, state.head)
        if not isinstance(head, int):
            self.told.emit("Choose one head first, or switch the whole layer off.")
        elif layer < len(heads) and head < heads[layer]:
            self._store.update(ablation=state.ablation.toggled([(layer, head)]))

    @Slot(int, int)
    def point_at(self, layer: int, head: int) -> None:
        """The head whose tile is under the mouse, -1 where none is."""
        self._under = (layer, head) if layer >= 0 else None

    def switch_layer(self) -> None:
        """Switch all heads of the chosen layer off, or on again."""
        state, heads = self._store.state, self._store.reality.heads
        if heads:
            self._store.update(ablation=state.ablation.toggled((state.layer, h) for h in range(heads[state.layer])))

    def switch_on(self) -> None:
        """Switch all heads on again."""
        if not self._store.state.ablation:
            self.told.emit("All heads are on.")
        self._store.update(ablation=replace(self._store.state.ablation, heads=()))

    def set_ablation_to(self, to: AblateTo) -> None:
        """What the heads that are off give instead of their output."""
        self._store.update(ablation=replace(self._store.state.ablation, to=to))

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
        self.played.emit(on)

    @Slot()
    def _play_step(self) -> None:
        count, state = max(1, len(self._store.reality.heads)), self._store.state
        if state.method == "rollout":
            last = -1 if state.options.last_layer is None else state.options.last_layer
            self._store.update(last_layer=max(state.options.first_layer, (last + 1) % count))
        else:
            self._store.update(layer=(state.layer + 1) % count)


def _patch(pane: Pane, place: Place) -> QRectF:
    """The pane's own patch at a place of the picture, in picture pixels."""
    shown = pane.map
    assert shown is not None
    return cell_rect(shown.grid, shown.view, shown.grid.cell_at(*shown.view.to_view(place.x, place.y)))
