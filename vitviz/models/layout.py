"""Where tokens lie: tokens <-> patches <-> windows <-> pixels of the model's view. Pure geometry, no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

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
    def of_tokens(
        cls, view_size: tuple[int, int], count: int, patch_size: tuple[int, int] | None = None
    ) -> Grid | None:
        """The grid of `count` patches whose proportions are those of the view, or None where none fits.

        Where patches of `patch_size` view pixels, with the rest of the view dropped or padded, are `count`, it is their
        grid. Else patches are taken as square in view pixels within 15 %, which every published ViT and Swin obeys.
        """
        if patch_size is not None and min(patch_size) > 0:
            for whole in (math.floor, math.ceil):
                rows, cols = (whole(length / side) for length, side in zip(view_size, patch_size, strict=True))
                if rows * cols == count > 0:
                    return cls(rows, cols, patch_size)
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
class Piece:
    """A rectangle of a window where it lies on the grid: rows and cols as (first, one past the last).

    `shut_out` says that the mask of a shifted window keeps the query from looking there.
    """

    rows: tuple[int, int]
    cols: tuple[int, int]
    shut_out: bool = False


@dataclass(frozen=True, slots=True)
class Windows:
    """How a layer cuts its grid into windows, each attending within itself.

    `kind` is "window" (neighbours) or "dilated" (one token of every cell of a coarse grid, MaxViT's grid attention).
    The grid is rolled by minus `shift`, then padded at the bottom and right (timm); `pad_first` swaps the two
    (torchvision). Windows follow each other in row-major order. `masked` says that the model keeps apart those tokens
    of a shifted window that are no neighbours in the picture (Liu et al. 2021, arXiv 2103.14030, section 3.2).
    """

    grid: tuple[int, int]
    window: tuple[int, int]
    shift: tuple[int, int] = (0, 0)
    kind: str = "window"
    pad_first: bool = False
    masked: bool = True

    @property
    def is_shifted(self) -> bool:
        """Whether the windows are shifted along either side."""
        return any(self.shift)

    def index(self) -> np.ndarray:
        """The token (row-major over the grid) at every place of every window, (windows, places), -1 on padding."""
        return _index(self)

    def numbers(self) -> np.ndarray:
        """The window that each token is in, (rows, cols)."""
        window, place = np.nonzero(self.index() >= 0)
        numbers = np.zeros(self.grid[0] * self.grid[1], dtype=np.int64)
        numbers[self.index()[window, place]] = window
        return numbers.reshape(self.grid)

    def cells(self) -> np.ndarray:
        """What is drawn as the partition, (rows, cols) of numbers.

        That is the windows; for dilated ones the coarse cells, of each of which a window takes one token.
        """
        if self.kind != "dilated":
            return self.numbers()
        down, right = (math.ceil(count / parts) for count, parts in zip(self.grid, self.window, strict=True))
        rows, cols = np.ogrid[: self.grid[0], : self.grid[1]]
        return np.asarray(rows // down * self.window[1] + cols // right)

    def members(self, cell: tuple[int, int]) -> np.ndarray:
        """Which tokens are in the window of the token at (row, column): (rows, cols) bool."""
        numbers = self.numbers()
        return np.asarray(numbers == numbers[cell])

    def regions(self) -> np.ndarray:
        """The part of the picture that the mask takes each place to be of, (windows, places); all 0 without a mask.

        Tokens of one window look at each other only within a region. The borders lie `window` and `shift` places from
        the end of the rolled and padded grid, as Swin's own code has them: where the grid is padded, that is not where
        the picture's border lies.
        """
        places = self._rolled()
        if not self.masked or not self.is_shifted:
            return np.zeros((math.prod(places) // math.prod(self.window), math.prod(self.window)), dtype=np.int64)
        down, right = (
            np.zeros(length, dtype=np.int64)
            if not shift
            else (np.arange(length) >= length - window).astype(np.int64) + (np.arange(length) >= length - shift)
            for length, window, shift in zip(places, self.window, self.shift, strict=True)
        )
        return self._cut(3 * down[:, None] + right[None])

    def shut_out(self, cell: tuple[int, int]) -> np.ndarray:
        """Which tokens of its window the mask keeps the token at (row, column) from: (rows, cols) bool."""
        hidden = np.zeros(self.grid, dtype=bool)
        window, place = self._where(cell)
        regions, tokens = self.regions()[window], self.index()[window]
        hidden.reshape(-1)[tokens[(regions != regions[place]) & (tokens >= 0)]] = True
        return hidden

    def pieces(self, cell: tuple[int, int]) -> tuple[Piece, ...]:
        """The rectangles of the grid that the window of the token at (row, column) consists of."""
        window, place = self._where(cell)
        high, wide = self.window
        tokens, regions = self.index()[window].reshape(high, wide), self.regions()[window].reshape(high, wide)
        mine = regions.flat[place]
        # Rows are the same for all columns and the other way round: the two sides are cut on their own.
        rows = _runs(tokens.max(1) // self.grid[1], regions[:, 0])
        cols = _runs(np.where(tokens.max(0) >= 0, tokens.max(0) % self.grid[1], -1), regions[0])
        return tuple(Piece(down, right, bool(regions[top, left] != mine)) for top, down in rows for left, right in cols)

    def padding(self, cell: tuple[int, int]) -> int:
        """How many places of the window of the token at (row, column) are padding."""
        return int((self.index()[self._where(cell)[0]] < 0).sum())

    def wraps(self, cell: tuple[int, int]) -> tuple[bool, bool]:
        """Whether that window goes over the (bottom, right) border and on at the other side of the picture."""
        tokens = self.index()[self._where(cell)[0]].reshape(self.window)
        ends = []
        for line, last in (
            (tokens.max(1) // self.grid[1], self.grid[0] - 1),
            (np.where(tokens.max(0) >= 0, tokens.max(0) % self.grid[1], -1), self.grid[1] - 1),
        ):
            first, end = np.flatnonzero(line == 0), np.flatnonzero(line == last)
            ends.append(bool(self.is_shifted and last and first.size and end.size and end[0] < first[0]))
        return ends[0], ends[1]

    def _where(self, cell: tuple[int, int]) -> tuple[int, int]:
        """(window, place) of the token at (row, column)."""
        window, place = np.nonzero(self.index() == cell[0] * self.grid[1] + cell[1])
        return int(window[0]), int(place[0])

    def _rolled(self) -> tuple[int, int]:
        """(rows, columns) of the padded grid."""
        high, wide = self.window
        return math.ceil(self.grid[0] / high) * high, math.ceil(self.grid[1] / wide) * wide

    def _cut(self, padded: np.ndarray) -> np.ndarray:
        """(rows, columns) of the padded grid -> (windows, places)."""
        high, wide = self.window
        tall, broad = padded.shape
        if self.kind == "dilated":
            cut = padded.reshape(high, tall // high, wide, broad // wide).transpose(1, 3, 0, 2)
        else:
            cut = padded.reshape(tall // high, high, broad // wide, wide).transpose(0, 2, 1, 3)
        return cut.reshape(-1, high * wide)


@lru_cache(maxsize=64)
def _index(windows: Windows) -> np.ndarray:
    rows, cols = windows.grid
    tokens = np.arange(rows * cols).reshape(rows, cols)
    up, left = -windows.shift[0], -windows.shift[1]
    padded = np.full(windows._rolled(), -1, dtype=np.int64)
    if windows.pad_first:
        padded[:rows, :cols] = tokens
        padded = np.roll(padded, (up, left), (0, 1))
    else:
        padded[:rows, :cols] = np.roll(tokens, (up, left), (0, 1))
    index = windows._cut(padded)
    index.setflags(write=False)
    return index


def _runs(line: np.ndarray, regions: np.ndarray) -> list[tuple[int, tuple[int, int]]]:
    """Stretches of a window's side that are together on the grid and in one region: (first place, (first, end))."""
    runs: list[tuple[int, tuple[int, int]]] = []
    for place, (at, region) in enumerate(zip(line, regions, strict=True)):
        if at < 0:
            continue
        start, (first, end) = runs[-1] if runs else (-1, (-1, -1))
        if runs and at == end and regions[start] == region:
            runs[-1] = start, (first, int(at) + 1)
        else:
            runs.append((place, (int(at), int(at) + 1)))
    return runs
