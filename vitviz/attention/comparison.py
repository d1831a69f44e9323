"""How the maps of two models differ, on the picture that both saw.

Maps over different grids are compared as densities: a weight times the number of patches, so that 1 is what uniform
attention would give whatever the patch size. Rank correlation is Spearman's (1904).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vitviz.attention.values import Map
from vitviz.errors import AttentionError
from vitviz.images import View
from vitviz.models.layout import Grid

_SIDE = 128  # points along the longer side of the picture


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """One map less another.

    Attributes:
        values: (h, w) float32 over the picture, in units of uniform attention; NaN where a model saw nothing.
        correlation: Spearman's, over what both saw; NaN where a map is constant.
        overlap: 0 to 1, the mass that two normalised maps share: the sum of the smaller of the two.
    """

    values: np.ndarray = field(repr=False)
    correlation: float
    overlap: float

    @property
    def largest(self) -> float:
        """The largest absolute difference: colours go from minus to plus this."""
        return float(np.nanmax(np.abs(self.values))) if np.isfinite(self.values).any() else 0.0


def difference(first: Map, second: Map) -> Difference:
    """The first map less the second, resampled to the picture.

    Raises AttentionError where they are not of the same picture, or where the models saw no common part of it.
    """
    if first.view.picture_size != second.view.picture_size:
        raise AttentionError(
            f"Maps of {first.image_name} and {second.image_name} can't be subtracted: choose one picture for both."
        )
    shape = raster_of(first.view.picture_size)
    a, b = (sampled(m.values[None], m.grid, m.view, shape)[0] * m.grid.size for m in (first, second))
    values = (a - b).astype(np.float32)
    both = np.isfinite(values)
    if not both.any():
        raise AttentionError("The two models saw no common part of the picture: change the crop of one of them.")
    if (first.grid, first.view) == (second.grid, second.view):
        # On one grid every patch counts once, however the points of the picture fall.
        correlation = spearman(first.values.ravel(), second.values.ravel())
    else:
        correlation = spearman(a[both], b[both])
    return Difference(values, correlation, float(overlaps(shares_of(a[both][None]), shares_of(b[both][None]))[0, 0]))


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation of two vectors, ties at their mean rank; NaN where one is constant."""
    centred = [r - r.mean() for r in (_ranks(a), _ranks(b))]
    norm = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float((centred[0] * centred[1]).sum() / norm) if norm > 0 else float("nan")


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of theirs."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    result: np.ndarray = (np.cumsum(counts) - (counts - 1) / 2)[where]
    return result


def raster_of(picture_size: tuple[int, int], longest: int = _SIDE) -> tuple[int, int]:
    """Rows and columns of points over a picture (height, width), `longest` along its longer side."""
    height, width = picture_size
    times = longest / max(height, width)
    return max(1, round(height * times)), max(1, round(width * times))


def sampled(values: np.ndarray, grid: Grid, view: View, shape: tuple[int, int]) -> np.ndarray:
    """Maps (n, gh, gw) at the middles of a raster over the picture, (n, h, w) float64; NaN beside the view."""
    height, width = view.picture_size
    x0, y0, x1, y1 = view.box
    ys, xs = ((np.arange(n) + 0.5) * size / n for n, size in zip(shape, (height, width), strict=True))
    rows, cols = (
        np.where((at >= 0) & (at < min(size, count * stride)), np.clip((at / stride).astype(int), 0, count - 1), -1)
        for at, size, count, stride in (
            ((ys - y0) / (y1 - y0) * view.size[0], view.size[0], grid.rows, grid.stride[0]),
            ((xs - x0) / (x1 - x0) * view.size[1], view.size[1], grid.cols, grid.stride[1]),
        )
    )
    out = values.astype(np.float64)[:, rows[:, None], cols[None]]
    out[:, rows < 0] = np.nan
    out[:, :, cols < 0] = np.nan
    result: np.ndarray = out
    return result


def shares_of(values: np.ndarray) -> np.ndarray:
    """Each row of (n, m) divided by its sum; rows without mass are uniform."""
    total = values.sum(-1, keepdims=True)
    result: np.ndarray = np.where(total > 0, values / np.where(total > 0, total, 1.0), 1.0 / values.shape[-1])
    return result


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """For rows of shares (n, m) and (k, m) the mass that each pair has in common, (n, k): 1 less half the distance
    of their absolute differences."""
    return np.stack([np.minimum(row, b).sum(-1) for row in a])
