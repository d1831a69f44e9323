"""Where tokens lie: tokens <-> patches <-> windows <-> pixels of the model's view. Pure geometry, no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows x columns of patches over a view; patch (r, c) covers `stride` view pixels from (r, c) * stride on."""

    rows: int
    cols: int
    stride: tuple[float, float] = (1.0, 1.0)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.rows, self.cols

    @property
    def size(self) -> int:
        """Number of patches."""
        return self.rows * self.cols

    def cell_at(self, u: float, v: float) -> tuple[int, int]:
        """The patch (row, column) under the view pixel (u, v) = (x, y); the nearest one for points outside."""
        row, col = math.floor(v / self.stride[0]), math.floor(u / self.stride[1])
        return min(max(row, 0), self.rows - 1), min(max(col, 0), self.cols - 1)

    def box(self, row: int, col: int) -> tuple[float, float, float, float]:
        """The view pixels u0, v0, u1, v1 that the patch covers."""
        return col * self.stride[1], row * self.stride[0], (col + 1) * self.stride[1], (row + 1) * self.stride[0]

    def centre(self, row: int, col: int) -> tuple[float, float]:
        """The view pixel (u, v) in the middle of the patch."""
        return (col + 0.5) * self.stride[1], (row + 0.5) * self.stride[0]

    @classmethod
    def over(cls, view_size: tuple[int, int], rows: int, cols: int, *, halving: bool = False) -> Grid:
        """The grid of `rows` x `cols` that a network with integer strides lays over a view of (h, w) pixels.

        Where the view does not divide, the network either drops the rest (floor) or pads (ceil): the stride is then
        the integer with most factors of two that gives this number of patches one way or the other. `halving` says
        that the network halves its grid from stage to stage and pads: 10 rows over 300 px are then 32 px each, not 30.
        """
        return cls(rows, cols, (_stride(view_size[0], rows, halving), _stride(view_size[1], cols, halving)))

    @classmethod
    def of_tokens(cls, view_size: tuple[int, int], count: int) -> Grid | None:
        """The grid of `count` patches whose proportions are those of the view, or None where none fits.

        Patches are taken as square in view pixels within 15 %, which every published ViT and Swin obeys.
        """
        best: tuple[float, int, int] | None = None
        for rows in range(1, count + 1):
            if count % rows:
                continue
            cols = count // rows
            skew = abs(math.log((view_size[0] / rows) / (view_size[1] / cols)))
            if best is None or skew < best[0]:
                best = skew, rows, cols
        if best is None or best[0] > math.log(1.15) + 1.0 / max(best[1], best[2]):
            return None
        return cls.over(view_size, best[1], best[2])


def _stride(length: int, count: int, halving: bool) -> float:
    if length % count == 0 and not halving:
        return length // count
    near, most = length / count, length / max(count - 1, 0.5)
    fits = [
        stride
        for stride in range(max(1, math.floor(near) - 1), math.ceil(most) + 2)
        if count in (length // stride, math.ceil(length / stride))
    ]
    return max(fits, key=lambda stride: (stride & -stride, -abs(stride - near))) if fits else near


@dataclass(frozen=True, slots=True)
class Windows:
    """How a layer cuts its grid into windows, each attending within itself.

    `kind` is "window" (neighbours) or "dilated" (one token of every cell of a coarse grid, MaxViT's grid attention).
    The grid is rolled by minus `shift`, then padded at the bottom and right (timm); `pad_first` swaps the two
    (torchvision). Windows follow each other in row-major order.
    """

    grid: tuple[int, int]
    window: tuple[int, int]
    shift: tuple[int, int] = (0, 0)
    kind: str = "window"
    pad_first: bool = False

    def index(self) -> np.ndarray:
        """The token (row-major over the grid) at every place of every window, (windows, places), -1 on padding."""
        rows, cols = self.grid
        high, wide = self.window
        tall, broad = math.ceil(rows / high) * high, math.ceil(cols / wide) * wide
        tokens = np.arange(rows * cols).reshape(rows, cols)
        up, left = -self.shift[0], -self.shift[1]
        padded = np.full((tall, broad), -1, dtype=np.int64)
        if self.pad_first:
            padded[:rows, :cols] = tokens
            padded = np.roll(padded, (up, left), (0, 1))
        else:
            padded[:rows, :cols] = np.roll(tokens, (up, left), (0, 1))
        if self.kind == "dilated":
            cut = padded.reshape(high, tall // high, wide, broad // wide).transpose(1, 3, 0, 2)
        else:
            cut = padded.reshape(tall // high, high, broad // wide, wide).transpose(0, 2, 1, 3)
        return cut.reshape(-1, high * wide)
