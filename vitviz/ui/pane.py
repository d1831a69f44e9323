"""One model's view of a picture: from the chosen state to the maps that are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from vitviz.attention.methods import about
from vitviz.attention.values import HeadMaps, Map, Place, Query
from vitviz.render.style import limits_of
from vitviz.ui.jobs import Worker
from vitviz.ui.method_maps import AT_ONCE as _AT_ONCE
from vitviz.ui.method_maps import MethodMaps
from vitviz.ui.opening import Opened
from vitviz.ui.store import Reality, State, Store
from vitviz.ui.targets import same_classes

KIND = "maps"


class Pane(QObject):
    """Follows its store: asks the trace for the maps of the query, and for the map of the chosen layer and head.

    `traced(Opened)` when another trace is shown, `maps_changed(HeadMaps)` when the query's maps are there,
    `map_changed(Map)` when the shown map is another, `restyled(Style)` when only its drawing changes. The shown map
    carries the selection that made it; the store holds what is asked for.

    Attributes:
        common_limits: the ends of a scale that several panes share, None where this one has its own.
    """

    traced = Signal(object)
    maps_changed = Signal(object)
    map_changed = Signal(object)
    restyled = Signal(object)

    def __init__(self, store: Store, worker: Worker, parent: QObject | None = None, *, number: int = 0) -> None:
        super().__init__(parent)
        self.store, self.number = store, number
        self._kind = f"{KIND} {number}"
        self.opened: Opened | None = None
        self.maps: HeadMaps | None = None
        self.map: Map | None = None
        self._worker = worker
        self.methods = MethodMaps(worker, f"{self._kind} method", self)
        self.methods.ready.connect(self._method_ready)
        self.methods.gave_up.connect(self._stay)
        self._good: dict[str, Any] = {"method": "attention"}
        self._asked: tuple[Query | None, str] | None = None
        self.common_limits: Callable[[], tuple[float, float] | None] = lambda: None
        # Mouse moves come faster than frames: only the place where the mouse is when the queue is empty counts.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self._ask)
        store.changed.connect(self._changed)
        worker.finished.connect(self._finished)
        worker.failed.connect(self._failed)

    def show(self, opened: Opened) -> None:
        """Show another trace; the state is kept as far as it is legal there."""
        from vitviz.attention.maps import tokens_of

        before, self.opened = self.opened, opened
        self.maps, self.map, self._asked = None, None, None
        self._good = {"method": "attention"}
        trace = opened.trace
        others = before is not None and not same_classes(before.trace, trace)

        def true_here(state: State) -> State:
            # A place of the picture before may lie beside this one, or where the model does not look.
            def here(place: Place) -> bool:
                return trace.view.contains(place.x, place.y)

            query = state.query if not isinstance(state.query, Place) or here(state.query) else None
            hover = state.hover if state.hover is not None and here(state.hover) else None
            return replace(state, query=query, hover=hover, target=None if others else state.target)

        self.store.revise(true_here)
        titles = tuple(layer.title for layer in trace.layers)
        heads = tuple(layer.num_heads for layer in trace.layers)
        self.store.face(Reality(heads, tokens_of(trace), titles, trace.logits.size))
        self.traced.emit(opened)
        self._ask()

    def cancel(self) -> None:
        """Give up the maps that are being made."""
        self._worker.cancel(self._kind)

    def settle(self) -> None:
        """Show now what the last move of the mouse asks for, where that needs no worker."""
        if self._soon.isActive():
            self._soon.stop()
            self._ask()

    def limits(self) -> tuple[float, float]:
        """The values at the two ends of the shown map's colours, as they are shared with other panes."""
        return self.common_limits() or self.own_limits()

    def own_limits(self) -> tuple[float, float]:
        """What they would be if there were no other pane."""
        if self.map is None or self.maps is None:
            return 0.0, 1.0
        layers = self.maps.values
        if self.map.selection.method != "attention":
            whole = self.map.values[None]
            return limits_of(self.map.values, self.store.state.style.limits, whole, [whole])
        return limits_of(self.map.values, self.store.state.style.limits, layers[self.map.selection.layer], layers)

    def is_pinned(self) -> bool:
        """Whether the shown map is of a token that the user holds, wherever the mouse goes."""
        return self.map is not None and self.store.state.query is not None and about(self.map).of_query

    def weight_at(self, place: Place) -> tuple[tuple[int, int], float] | None:
        """The patch of the shown map under a place of the picture, and its weight; None where the model saw nothing."""
        if self.map is None or not self.map.view.contains(place.x, place.y):
            return None
        cell = self.map.grid.cell_at(*self.map.view.to_view(place.x, place.y))
        return cell, float(self.map.values[cell])

    @Slot(object, object)
    def _changed(self, old: State, new: State) -> None:
        if old.style != new.style:
            self.restyled.emit(new.style)
        if (old.effective_query, old.direction) != (new.effective_query, new.direction):
            self._soon.start()
        elif old.selection != new.selection:
            self._update_map()

    @Slot()
    def _ask(self) -> None:
        if self.opened is None:
            return
        from vitviz.attention.maps import cost, head_maps

        state, trace = self.store.state, self.opened.trace
        query, direction = state.effective_query, state.direction
        if (query, direction) == self._asked:
            return
        self._asked = (query, direction)
        if cost(trace, query, direction) <= _AT_ONCE:
            self._worker.cancel(self._kind)
            self._take(head_maps(trace, query, direction))
        else:
            self._worker.submit(self._kind, lambda progress: (trace, head_maps(trace, query, direction)))

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        if kind == self._kind and self.opened is not None and result[0] is self.opened.trace:
            self._take(result[1])

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Any) -> None:
        if kind == self._kind:
            self._asked = None

    def _take(self, maps: HeadMaps) -> None:
        self.maps = maps
        self.maps_changed.emit(maps)
        self._update_map()

    def _update_map(self) -> None:
        if self.opened is None or self.maps is None:
            return
        from vitviz.attention.maps import map_of

        state = self.store.state
        if state.method != "attention":
            self.methods.ask(self.opened, state.selection, hovered=state.query is None)
            return
        self.methods.drop()
        self._good = {"method": "attention"}
        selection = replace(state.selection, query=self.maps.query, direction=self.maps.direction)
        layer = self.opened.trace.layers[state.layer]
        if isinstance(selection.query, str) and selection.query not in (*layer.prefix_tokens, "mean"):
            selection = replace(selection, query="mean")
        self._show_map(map_of(self.opened.trace, selection, replace(self.maps, query=selection.query or "mean")))

    @Slot(object)
    def _show_map(self, shown: Map) -> None:
        if shown is not self.map:
            self.map = shown
            self.map_changed.emit(shown)

    @Slot(object)
    def _method_ready(self, shown: Map) -> None:
        state = self.store.state
        self._good = {"method": state.method, "target": state.target, "options": state.options}
        self._show_map(shown)

    @Slot()
    def _stay(self) -> None:
        """A method could not be had: what is chosen is again what is shown."""
        self.store.update(**self._good)
