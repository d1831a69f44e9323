"""Tables of relative position bias as pixels: all heads of a layer on one scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from vitviz.render.mosaic import Tiles
from vitviz.render.scale import MINUS
from vitviz.render.style import color_indices, color_table

SIGNED, UNSIGNED = "colorbrewer:RdBu_r", "viridis"
LABEL = "bias added to the score (no unit)"
AXES = ("dy of the key, in patches", "dx of the key, in patches")  # of rows, downwards; of columns, to the right


@dataclass(frozen=True, slots=True, eq=False)
class BiasTable:
    """The bias of one layer, (H, 2 Mh - 1, 2 Mw - 1), and where it is from."""

    values: np.ndarray = field(repr=False)
    layer_name: str
    model_name: str

    @property
    def colormap(self) -> str:
        """A diverging one where values have both signs (blue less, red more, white 0), else viridis."""
        return SIGNED if self.values.min() < 0 < self.values.max() else UNSIGNED

    @property
    def limits(self) -> tuple[float, float]:
        """The ends of the colours, shared by all heads; around 0 where values have both signs."""
        low, high = float(self.values.min()), float(self.values.max())
        most = max(-low, high)
        return (-most, most) if low < 0 < high else (low, high)

    @property
    def tiles(self) -> Tiles:
        """Heads in rows of about a square, one pixel an entry."""
        heads, high, wide = self.values.shape
        across = math.ceil(math.sqrt(heads))
        rows = math.ceil(heads / across)
        counts = tuple(min(across, heads - row * across) for row in range(rows))
        return Tiles(counts, (high, wide), max(1, math.ceil(max(high, wide) / 4)))

    @property
    def title(self) -> str:
        """What the figure shows, in words."""
        heads, high, wide = self.values.shape
        down, right = (f"{MINUS}{length // 2} to {length // 2}" for length in (high, wide))
        return (
            f"Relative position bias, {self.model_name}, {self.layer_name}: {heads} heads, offsets of the key from the "
            f"query from {down} rows (downwards) and {right} columns (to the right), 0 in the middle"
        )

    def ticks(self, axis: int) -> list[tuple[int, str]]:
        """(entry, number) of the least offset, 0 and the largest along the rows (axis 0) or columns of one table."""
        length = self.values.shape[1 + axis]
        middle = length // 2
        numbers = {0: f"{MINUS}{middle}", length - 1: f"+{middle}", middle: "0"}
        return sorted(numbers.items())

    def at(self, x: float, y: float) -> tuple[int, int, int, float] | None:
        """(head, dy, dx, value) under a pixel of the mosaic; None between the tiles."""
        tiles = self.tiles
        found = tiles.at(x, y)
        if found is None:
            return None
        row, col, u, v = found
        _, high, wide = self.values.shape
        down, right = min(int(v * high), high - 1), min(int(u * wide), wide - 1)
        head = row * tiles.heads[0] + col
        return head, down - high // 2, right - wide // 2, float(self.values[head, down, right])

    def tile_box(self, head: int) -> tuple[int, int, int, int]:
        """x, y, width, height of the tile of a head in the mosaic."""
        return self.tiles.box(*divmod(head, self.tiles.heads[0]))

    def pixels(self, head: int) -> np.ndarray:
        """The table of one head, (2 Mh - 1, 2 Mw - 1, 3) uint8."""
        return np.asarray(color_table(self.colormap)[color_indices(self.values[head], self.limits)])


def mosaic_of(table: BiasTable, background: tuple[int, int, int]) -> np.ndarray:
    """All heads, (height, width, 3) uint8."""
    height, width = table.tiles.size
    made = np.empty((height, width, 3), dtype=np.uint8)
    made[:] = background
    for head in range(len(table.values)):
        x, y, wide, high = table.tile_box(head)
        made[y : y + high, x : x + wide] = table.pixels(head)
    return made
