"""Which heads of two models differ, one by one where the models are alike, and which go together where they are not.

Distance is the total variation of two rows of attention; rank correlation is Spearman's (1904); heads are matched by
the assignment that makes the sum of overlaps largest (Kuhn 1955, as in scipy).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from vitviz.attention.comparison import overlaps, raster_of, sampled, shares_of
from vitviz.attention.trace import Trace
from vitviz.attention.values import HeadMaps
from vitviz.errors import AttentionError, Cancelled
from vitviz.images import View
from vitviz.models.layout import Grid

Measure = Literal["distance", "rank"]
MOST_QUERIES = 256  # rows of a layer that a mean over all queries is taken from, evenly spread
_NONE = 1e-30  # less than this a key has where a mask shuts it out: exp(-100)
_COARSE = 32  # points along the longer side of the picture where maps of other grids are compared


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """The maps of all heads for one query, with the grid of every layer and the view: where they lie in the picture."""

    maps: HeadMaps
    grids: Sequence[Grid]
    view: View

    @classmethod
    def of(cls, trace: Trace, maps: HeadMaps) -> Placed:
        """The maps of a trace."""
        looked_at = maps.direction == "from"
        return cls(maps, [layer.grid if looked_at else layer.query_grid for layer in trace.layers], trace.view)

    @property
    def heads(self) -> tuple[int, ...]:
        """Number of heads of each layer."""
        return tuple(len(values) for values in self.maps.values)

    def is_on_grid_of(self, other: Placed) -> bool:
        """Whether every patch of the one is a patch of the other."""
        return (list(self.grids), self.view) == (list(other.grids), other.view)


@dataclass(frozen=True, slots=True)
class HeadPair:
    """A head of one model and the head of the other that goes with it, as (layer, head), with a number for the two:
    how much changed, or the overlap of their maps."""

    first: tuple[int, int]
    second: tuple[int, int]
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class HeadPairs:
    """Heads of two models side by side.

    Attributes:
        pairs: what goes with what.
        heads: number of heads of each layer of the first model.
        queries: (taken, all) of the queries that values are a mean of; None where they are of one.
    """

    pairs: tuple[HeadPair, ...] = field(repr=False)
    heads: tuple[int, ...]
    queries: tuple[int, int] | None = None

    @property
    def values(self) -> np.ndarray:
        """(L, H_max) float64 over the heads of the first model, NaN where there is no head or none goes with it."""
        found = np.full((len(self.heads), max(self.heads)), np.nan)
        for pair in self.pairs:
            found[pair.first] = pair.value
        return found


def changed_heads(first: Placed, second: Placed, measure: Measure = "distance") -> HeadPairs:
    """For two models of the same layers and heads, and one query: how much each head's row changed.

    Args:
        measure: "distance" is half the sum of absolute differences of the two rows, 0 for the same row and 1 for rows
            that share nothing; "rank" is 1 less their rank correlation, 0 for the same order, 1 for unrelated orders, 2
            for the reverse, and NaN for a constant row.

    On one grid a row is of patches and prefix tokens; over different grids it is of the part of the picture that both
    saw, in densities. Columns ("is looked at by") are normalised first.
    Raises AttentionError where layers or heads are not the same.
    """
    _same(first.heads, second.heads)
    if first.is_on_grid_of(second):
        rows = [_flat(each.maps) for each in (first, second)]
    else:
        rows = _on_picture(first, second)
    changes = [_change(shares_of(a), shares_of(b), measure) for a, b in zip(*rows, strict=True)]
    return HeadPairs(_one_by_one(changes), first.heads)


def changed_rows(
    first: Trace,
    second: Trace,
    measure: Measure = "distance",
    *,
    most: int = MOST_QUERIES,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> HeadPairs:
    """`changed_heads` for all queries: the mean over the rows of every head, at most `most` of them evenly spread.

    Raises AttentionError where layers, heads or grids are not the same.
    """
    heads = [tuple(layer.num_heads for layer in seen.layers) for seen in (first, second)]
    _same(*heads)
    grids = [[(layer.query_grid, layer.grid, layer.windows) for layer in seen.layers] for seen in (first, second)]
    if (grids[0], first.view) != (grids[1], second.view):
        raise AttentionError("Rows of all queries can only be compared between models that cut the picture alike.")
    changes, taken, every = [], 0, 0
    for index, layer in enumerate(first.layers):
        if cancel():
            raise Cancelled("Comparing heads was cancelled.")
        progress(index / len(first.layers), f"Comparing the heads of layer {index}")
        count = layer.num_queries
        queries = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()
        if count > every:
            taken, every = len(queries), count
        a, b = (seen.weights(index, queries=queries).astype(np.float64) for seen in (first, second))
        found = _change(a, b, measure)
        known = np.isfinite(found)
        changes.append(np.where(known, found, 0.0).sum(1) / np.where(known.any(1), known.sum(1), np.nan))
    return HeadPairs(_one_by_one(changes), heads[0], (taken, every))


def match_heads(first: Placed, second: Placed) -> HeadPairs:
    """Pairs of heads of two models for one query, such that the sum of their overlaps is largest.

    An overlap is the mass that two maps share, over the part of the picture that both models saw. Every head stands in
    at most one pair; of the model with more heads some stand in none.
    """
    rows = [np.concatenate(each) for each in _on_picture(first, second)]
    names = [[(layer, head) for layer, count in enumerate(p.heads) for head in range(count)] for p in (first, second)]
    shared = overlaps(*(shares_of(each) for each in rows))
    pairs = [HeadPair(names[0][i], names[1][j], float(shared[i, j])) for i, j in zip(*_assigned(shared), strict=True)]
    return HeadPairs(tuple(pairs), first.heads)


def _same(first: Sequence[int], second: Sequence[int]) -> None:
    if tuple(first) != tuple(second):
        raise AttentionError("Heads can only be compared one by one between models of the same layers and heads.")


def _one_by_one(changes: Sequence[np.ndarray]) -> tuple[HeadPair, ...]:
    return tuple(
        HeadPair((layer, head), (layer, head), float(value))
        for layer, row in enumerate(changes)
        for head, value in enumerate(row)
    )


def _flat(maps: HeadMaps) -> list[np.ndarray]:
    """The rows (H, N) of every layer: patches, then prefix tokens."""
    return [np.concatenate([v.reshape(len(v), -1), p], 1) for v, p in zip(maps.values, maps.prefix, strict=True)]


def _on_picture(first: Placed, second: Placed) -> list[list[np.ndarray]]:
    """The rows (H, points) of every layer over the part of the picture that both models saw, per model."""
    shape = raster_of(first.view.picture_size, _COARSE)
    rows = [
        [sampled(v, g, each.view, shape).reshape(len(v), -1) for v, g in zip(each.maps.values, each.grids, strict=True)]
        for each in (first, second)
    ]
    both = np.logical_and.reduce([np.isfinite(row).all(0) for layers in rows for row in layers])
    if not both.any():
        raise AttentionError("The two models saw no common part of the picture: change the crop of one of them.")
    return [[row[:, both] for row in layers] for layers in rows]


def _change(a: np.ndarray, b: np.ndarray, measure: Measure) -> np.ndarray:
    """How far rows (…, m) are from each other, (…)."""
    if measure == "distance":
        distance: np.ndarray = 0.5 * np.abs(a - b).sum(-1)
        return distance
    from scipy.stats import rankdata

    # Keys outside of a window, or that its mask shuts out, have no weight in either and are no part of the rows: they
    # are below all others in both, so that their ranks shift those alike.
    inside = (a > _NONE) | (b > _NONE)
    count = inside.sum(-1, keepdims=True)
    centred = []
    for row in (a, b):
        ranks = np.where(inside, rankdata(row, axis=-1), 0.0)
        centred.append(np.where(inside, ranks - ranks.sum(-1, keepdims=True) / np.maximum(count, 1), 0.0))
    norm = np.sqrt((centred[0] ** 2).sum(-1) * (centred[1] ** 2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        result: np.ndarray = np.where(norm > 0, 1 - (centred[0] * centred[1]).sum(-1) / norm, np.nan)
    return result


def _assigned(gain: np.ndarray) -> tuple[list[int], list[int]]:
    from scipy.optimize import linear_sum_assignment  # takes a moment to import, and only this needs it

    rows, cols = linear_sum_assignment(gain, maximize=True)
    return rows.tolist(), cols.tolist()
