"""The atlas: all heads of all layers for one query as one picture, with the way back from a pixel to a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vitviz.render.style import UNIFORM, Limits, color_table

_SMALLEST, _LARGEST = 12, 64


@dataclass(frozen=True, slots=True)
class Tiles:
    """Where the tiles lie: row l and column h of tiles of the same size, a gap between them.

    Attributes:
        heads: number of heads of each layer.
        tile: (height, width) of a tile in pixels.
        gap: pixels between tiles.
    """

    heads: tuple[int, ...]
    tile: tuple[int, int]
    gap: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the whole in pixels."""
        rows, cols = len(self.heads), max(self.heads, default=0)
        return rows * (self.tile[0] + self.gap) - self.gap, cols * (self.tile[1] + self.gap) - self.gap

    def box(self, layer: int, head: int) -> tuple[int, int, int, int]:
        """x, y, width, height of a tile."""
        return head * (self.tile[1] + self.gap), layer * (self.tile[0] + self.gap), self.tile[1], self.tile[0]

    def at(self, x: float, y: float) -> tuple[int, int, float, float] | None:
        """(layer, head, u, v) under a pixel, with u and v in 0..1 across the tile; None between tiles."""
        if x < 0 or y < 0:
            return None
        layer, dy = divmod(y, self.tile[0] + self.gap)
        head, dx = divmod(x, self.tile[1] + self.gap)
        if dy >= self.tile[0] or dx >= self.tile[1] or layer >= len(self.heads) or head >= self.heads[int(layer)]:
            return None
        return int(layer), int(head), dx / self.tile[1], dy / self.tile[0]


def tiles_for(grids: Sequence[tuple[int, int]], heads: Sequence[int]) -> Tiles:
    """Tiles for layers of these grids and head counts: one pixel a patch of the finest grid, within reason."""
    rows, cols = max(grids, key=lambda g: g[0] * g[1])
    side = max(rows, cols)
    if side > _LARGEST:
        rows, cols = (max(1, round(n * _LARGEST / side)) for n in (rows, cols))
    times = -(-_SMALLEST // side)
    return Tiles(tuple(heads), (rows * times, cols * times), max(1, round(side * times / 14)))


@dataclass(slots=True, eq=False)
class Mosaic:
    """Draws the atlas as indices into a table of colours; only the values change under the mouse, so that is all
    that is computed again."""

    tiles: Tiles
    _picks: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, repr=False)

    def draw(self, values: Sequence[np.ndarray], limits: Limits) -> np.ndarray:
        """Per-layer maps (H, gh, gw) -> (height, width) uint8 indices into `table`, 0 between the tiles."""
        height, width = self.tiles.size
        high, wide = self.tiles.tile
        step = wide + self.tiles.gap
        out = np.zeros((height, width + self.tiles.gap), dtype=np.uint8)
        top = max((float(maps.max()) for maps in values), default=0.0) if limits == "all" else 0.0
        for layer, maps in enumerate(values):
            indices = _indices(maps, limits, top)
            if maps.shape[-2:] != (high, wide):
                rows, cols = self._pick(maps.shape[-2:])
                indices = indices[:, rows][:, :, cols]
            band = out[layer * (high + self.tiles.gap) :][:high, : len(maps) * step]
            band.reshape(high, len(maps), step)[..., :wide] = indices.transpose(1, 0, 2)
        return np.ascontiguousarray(out[:, :width])

    def _pick(self, grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        if grid not in self._picks:
            self._picks[grid] = tuple(  # type: ignore[assignment]
                ((np.arange(size) + 0.5) * count / size).astype(np.int64)
                for size, count in zip(self.tiles.tile, grid, strict=True)
            )
        return self._picks[grid]


def table(colormap: str, background: tuple[int, int, int]) -> np.ndarray:
    """(256, 3) uint8: the background first, then 255 steps of the colormap."""
    colors = color_table(colormap)[np.linspace(0, 255, 255).round().astype(int)]
    return np.concatenate([np.array([background], dtype=np.uint8), colors])


def _indices(maps: np.ndarray, limits: Limits, top: float) -> np.ndarray:
    """Values -> 1..255 between the limits."""
    low: np.ndarray | float = 0.0
    high: np.ndarray | float = top
    if isinstance(limits, tuple):
        low, high = limits
    elif limits == "layer":
        high = float(maps.max())
    elif limits == "map":
        low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    span = np.asarray(high) - low
    there = span > (UNIFORM * np.abs(high) if limits == "map" else 0.0)
    scaled = (maps - low) * (254.0 / np.where(there, span, np.inf)) + 1.5
    return np.clip(scaled, 1.0, 255.0).astype(np.uint8)
