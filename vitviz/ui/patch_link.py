"""What hovering and clicking a patch does in a picture that shows no pixels: it becomes the query, as elsewhere."""

from __future__ import annotations

from vitviz.attention.values import Place, Query
from vitviz.models.layout import Grid
from vitviz.ui.pane import Pane


class PatchLink:
    """Goes between the patches (row, column) of a grid over the model's view and places of the pane's picture."""

    def __init__(self, pane: Pane) -> None:
        self._pane = pane
        self._before: tuple[Query | None] | None = None  # what was held when the last click came to a patch

    def cell_of(self, place: Place, grid: Grid) -> tuple[int, int] | None:
        """The patch under a place of the picture."""
        opened = self._pane.opened
        return None if opened is None else grid.cell_at(*opened.trace.view.to_view(place.x, place.y))

    def place_of(self, cell: tuple[int, int], grid: Grid) -> Place | None:
        """The middle of a patch in the picture."""
        opened = self._pane.opened
        return None if opened is None else Place(*opened.trace.view.to_picture(*grid.centre(*cell)))

    def over(self, shape: tuple[int, int]) -> Grid | None:
        """The grid of (rows, columns) over the view."""
        opened = self._pane.opened
        return None if opened is None else Grid.over(opened.trace.view.size, *shape)

    def hover(self, cell: tuple[int, int], grid: Grid) -> None:
        """The patch is the query as long as nothing is pinned."""
        if self._pane.store.state.query is None:
            self._pane.store.update(hover=self.place_of(cell, grid))

    def leave(self) -> None:
        """The mouse is over no patch."""
        self._pane.store.update(hover=None)

    def click(self, cell: tuple[int, int] | None, grid: Grid) -> None:
        """Pin the patch, or free it where it is pinned; beside all patches nothing is done."""
        pinned = self._pane.store.state.query
        if cell is None:
            self._before = None
        elif isinstance(pinned, Place) and self.cell_of(pinned, grid) == cell:
            self._pin(None)
        else:
            self._pin(self.place_of(cell, grid))

    def click_token(self, name: str) -> None:
        """Pin a named token, or free it where it is pinned."""
        self._pin(None if self._pane.store.state.query == name else name)

    def _pin(self, query: Query | None) -> None:
        self._before = (self._pane.store.state.query,)
        self._pane.store.update(query=query)

    def unclick(self) -> None:
        """What was held before the first half of a double click is held again."""
        before, self._before = self._before, None
        if before is not None:
            self._pane.store.update(query=before[0])
