"""What several panes share: cursor, zoom, layer, head and colours, each link breakable on its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from PySide6.QtCore import QObject, Signal

from vitviz.attention.values import Place, Query
from vitviz.ui.pane_column import PaneColumn
from vitviz.ui.panes import Panes
from vitviz.ui.store import State, resolve
from vitviz.ui.targets import same_classes

LayerLink = Literal["depth", "number", "own"]


@dataclass(frozen=True, slots=True)
class Links:
    """Which links hold.

    Attributes:
        cursor: the query, hovered or pinned, and its direction.
        zoom: the part of the picture that is shown.
        layer: by relative depth ("depth": the last goes with the last), by number, or every pane its own.
        head: the number of the head, or the fusion; so are the method and, where both know the same classes, the class.
        colours: how maps are drawn.
        scale: the ends of the colours, from the least to the largest of all panes.
    """

    cursor: bool = True
    zoom: bool = True
    layer: LayerLink = "depth"
    head: bool = True
    colours: bool = True
    scale: bool = False


def layer_for(layer: int, count: int, other: int, link: LayerLink) -> int:
    """The layer among `other` that goes with layer `layer` among `count`; by "own" as by number."""
    if link != "depth" or count < 2:
        return min(layer, other - 1)
    # Halves go up, so that two layers of the finer network never meet before the last of the coarser.
    return min(other - 1, int(layer * (other - 1) / (count - 1) + 0.5))


def query_for(query: Query | None, column: PaneColumn) -> Query | None:
    """The query as another pane can take it: a place that its model did not see is none."""
    opened = column.pane.opened
    if isinstance(query, Place) and opened is not None and not opened.trace.view.contains(query.x, query.y):
        return None
    return query


def _linked(links: Links, source: PaneColumn, target: PaneColumn) -> dict[str, Any]:
    """What of the state of one pane another takes, as far as they are linked and it can show it."""
    state, heads, others = source.store.state, source.store.reality.heads, target.store.reality.heads
    fields: dict[str, Any] = {}
    if links.cursor:
        fields |= {"query": query_for(state.query, target), "direction": state.direction}
    if links.layer != "own" and heads and others:
        fields["layer"] = layer_for(state.layer, len(heads), len(others), links.layer)
    if links.head:
        fields |= {"head": state.head, "method": state.method}
        one, other = source.pane.opened, target.pane.opened
        if one is not None and other is not None and same_classes(one.trace, other.trace):
            fields["target"] = state.target
    if links.colours:
        fields["style"] = state.style
    return fields


def _differs(column: PaneColumn, fields: dict[str, Any]) -> bool:
    """Whether a pane would show something else with these fields; another point of the same patch is nothing else."""
    now = column.store.state
    new = resolve(replace(now, **fields), column.store.reality)
    opened = column.pane.opened
    if opened is not None and isinstance(now.query, Place) and isinstance(new.query, Place):
        view, grid = opened.trace.view, opened.trace.layers[now.layer].query_grid
        before, after = (grid.cell_at(*view.to_view(at.x, at.y)) for at in (now.query, new.query))
        new = replace(new, query=now.query) if before == after else new
    return new != now


class Linking(QObject):
    """Copies what the user changes in the current pane to the others, as far as it is linked.

    `changed(Links)` when a link is made or broken.
    """

    changed = Signal(object)

    def __init__(self, panes: Panes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._panes = panes
        self.links = Links()
        self._copying = False
        for column in panes:
            self._add(column)
        panes.added.connect(self._add)
        panes.opened.connect(self._align)

    def update(self, **fields: Any) -> None:
        """Make or break links; what is linked anew follows the current pane at once."""
        new = replace(self.links, **fields)
        if new == self.links:
            return
        self.links = new
        for column in self._others(self._panes.current_column):
            self._copy(self._panes.current_column, column)
        if "zoom" in fields and new.zoom:
            self.follow_range(self._panes.current_column)
        self.changed.emit(new)

    def bring_in(self, column: PaneColumn, **state: Any) -> None:
        """Give a pane a state of its own, and what is linked from another pane; no other follows."""
        self._copying = True
        try:
            column.store.update(**state)
        finally:
            self._copying = False
        for other in self._others(column)[:1]:
            self._copy(other, column)

    def put_back(self, links: Links) -> None:
        """Make and break links between panes that have their states already: nothing is copied but the zoom."""
        self.links = links
        self.follow_range(self._panes.current_column)
        self.changed.emit(links)

    def agreeing(self, links: Links) -> Links:
        """These links without those that would let another pane show something else than it does."""
        current, broken = self._panes.current_column, {"cursor": False, "layer": "own", "head": False, "colours": False}
        wrong: dict[str, Any] = {}
        for name, off in broken.items():
            alone = replace(links, **cast(Any, {**broken, name: getattr(links, name)}))
            if any(_differs(other, _linked(alone, current, other)) for other in self._others(current)):
                wrong[name] = off
        return replace(links, **wrong)

    def _others(self, column: PaneColumn) -> list[PaneColumn]:
        return [other for other in self._panes if other is not column]

    def _add(self, column: PaneColumn) -> None:
        column.store.changed.connect(lambda old, new: self._changed(column, old, new))
        view = column.map_view.view
        view.range_changed.connect(lambda rect: self.follow_range(column))
        view.fit_asked.connect(lambda: self._fit(column))

    def _changed(self, column: PaneColumn, old: State, new: State) -> None:
        # A state that a new model made legal is no wish of the user's, nor is what was copied from another pane.
        if self._copying or column.settling or column is not self._panes.current_column:
            return
        if replace(old, hover=None) == replace(new, hover=None):
            return
        for other in self._others(column):
            self._copy(column, other)

    def _copy(self, source: PaneColumn, target: PaneColumn) -> None:
        """Bring one pane to the state of another, as far as they are linked and the target can show it."""
        fields = _linked(self.links, source, target)
        self._copying = True
        try:
            target.store.update(**fields)
        finally:
            self._copying = False

    def _align(self, opened: object) -> None:
        """A pane that shows something new takes what is linked from the current one."""
        current = self._panes.current_column
        for column in self._others(current):
            if column.pane.opened is opened:
                self._copy(current, column)
        if len(self._panes) > 1 and self.links.zoom:
            if current.map_view.view.shows_all():
                self._panes.fit()  # each in its own room; the margins of a wider or narrower pane are not theirs
            else:
                self.follow_range(current)

    def follow_range(self, column: PaneColumn) -> None:
        """Show the part of the picture that this pane shows in the others, if zoom is linked."""
        if not self.links.zoom:
            return
        for other in self._others(column):
            other.map_view.view.follow(column.map_view.view.box.viewRect())

    def _fit(self, column: PaneColumn) -> None:
        if self.links.zoom:
            for other in self._others(column):
                other.map_view.view.fit()
