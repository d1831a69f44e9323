"""Asks for the view of weights whose positions are for a grid that is no square."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from vitviz.errors import ViewWantedError
from vitviz.ui.list_dialog import ListDialog


class ViewDialog(ListDialog[tuple[int, int]]):
    """A list of the grids that have so many patches, the squarest first; `then((height, width))` in pixels on OK."""

    def __init__(
        self, parent: QWidget, file: str, wanted: ViewWantedError, then: Callable[[tuple[int, int]], object]
    ) -> None:
        views = [((high * wanted.patch[0], wide * wanted.patch[1]), high, wide) for high, wide in grids(wanted.places)]
        super().__init__(
            parent,
            [(f"{view[0]} px high, {view[1]} px wide ({high} x {wide} patches)", view) for view, high, wide in views],
            then,
            title="Which view?",
            question=f"The position embedding of {file} has {wanted.places} places for patches, which are no square, "
            "and nothing in the file tells the view that it was made for. Which is it? A wrong one opens too and "
            "spoils all maps.",
            name="Views with so many patches, height before width",
        )


def grids(places: int) -> list[tuple[int, int]]:
    """(rows, columns) of all grids with so many places, the squarest first, upright before lying."""
    found = [(high, places // high) for high in range(1, places + 1) if places % high == 0]
    return sorted(found, key=lambda grid: (max(grid) - min(grid), -grid[0]))
