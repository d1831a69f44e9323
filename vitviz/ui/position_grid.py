"""The grid of grids of position similarity as one picture: where each small map lies, and the figure of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF
from PySide6.QtWidgets import QWidget

from vitviz.attention.values import Place
from vitviz.render.mosaic import Tiles
from vitviz.render.scale import signed
from vitviz.render.studies.positions import MadeGrid
from vitviz.ui.axed_view import AxedView
from vitviz.ui.words import position_text

if TYPE_CHECKING:
    from vitviz.embeddings.positions import Positions


def reading(
    shown: Positions,
    layer: int,
    head: int | str,
    made: MadeGrid | None,
    position: tuple[int, int] | str,
    value: tuple[tuple[int, int], float] | None,
) -> str:
    """What is shown in words: whose similarity, and its `value` with one patch where the mouse is over one."""
    words = position_text(position)
    if shown.per_head:
        words += f" · layer {layer}, {f'head {head}' if isinstance(head, int) else 'mean of heads'}"
    if value is not None:
        (row, col), similarity = value
        return f"{words} with ({row}, {col}): {signed(f'{similarity:.3f}')}"
    return words + (f" · every {made.step}th row and column" if made is not None and made.step > 1 else "")


class GridOfGrids(AxedView):
    """Draws a MadeGrid; `cell_at` is the way back from a place of the picture."""

    def __init__(self, parent: QWidget | None = None) -> None:
        name = "Grid of grids: at every patch its similarity with all others"
        super().__init__(name, ("patch row", "patch column"), parent)
        self.made: MadeGrid | None = None
        self.tiles: Tiles | None = None

    def forget(self) -> None:
        """What is shown is no longer true."""
        self.made = None

    def take(self, made: MadeGrid) -> None:
        """Another grid, to be drawn next."""
        from vitviz.render.weights import grid_tiles

        self.made, self.tiles = made, grid_tiles(made.values)
        tiles, (rows, cols) = self.tiles, made.numbers
        self.set_axes(
            tiles.size,
            [(tiles.box(i, 0)[1] + tiles.tile[0] / 2, str(row)) for i, row in enumerate(rows)],
            [(tiles.box(0, i)[0] + tiles.tile[1] / 2, str(col)) for i, col in enumerate(cols)],
        )

    def draw(self, limits: tuple[float, float], colormap: str) -> None:
        """Draw all maps with these colours."""
        if self.made is not None:
            from vitviz.render.weights import grid_indices

            self.show_indices(grid_indices(self.made.values, limits), colormap)

    def frame(self, position: tuple[int, int] | None) -> None:
        """Frame the map of a position, or of the nearest one that has a map."""
        if position is None or self.made is None or self.tiles is None:
            self.mark(None)
            return
        i, j = (min(at // self.made.step, n - 1) for at, n in zip(position, self.made.values.shape, strict=False))
        x, y, width, height = self.tiles.box(i, j)
        self.mark(QRectF(x - 0.5, y - 0.5, width + 1, height + 1))

    def cell_at(self, place: Place) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """The position whose map lies under a place of the picture, and the patch of it; None between the maps."""
        found = self.tiles.at(place.x, place.y) if self.tiles is not None and self.made is not None else None
        if found is None or self.made is None:
            return None
        i, j, u, v = found
        rows, cols = self.made.values.shape[2:]
        numbers = self.made.numbers
        return (numbers[0][i], numbers[1][j]), (int(v * rows), int(u * cols))
