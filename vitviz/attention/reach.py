"""The receptive field of attention: which patches a token can see after so many layers.

That is the set of patches with non-zero rollout (Abnar and Zuidema 2020), found from the windows and masks alone: a
softmax gives every key that is not masked some weight, however small.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from vitviz.attention.layer import Layer
from vitviz.attention.maps import token_of
from vitviz.attention.trace import Trace
from vitviz.attention.values import Place
from vitviz.errors import AttentionError
from vitviz.models.layout import Grid, Windows


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """What the tokens at one place see.

    Attributes:
        place: where they are.
        grid: the finest grid, that of the first layer.
        layers: indices of the layers after which it is asked, nearest the image first.
        seen: for each of them the patches of `grid` that the token at the place has seen, (gh, gw) bool.
        note: what is left out, a sentence, "" where nothing is.
    """

    place: Place
    grid: Grid
    layers: tuple[int, ...]
    seen: tuple[np.ndarray, ...] = field(repr=False)
    note: str = ""

    @property
    def counts(self) -> tuple[int, ...]:
        """How many patches are seen after each of the layers."""
        return tuple(int(seen.sum()) for seen in self.seen)


def reach(trace: Trace, place: Place) -> Reach:
    """The patches that the token at a place of the picture can see after each layer.

    The residual connection is counted: a token sees itself. Raises AttentionError where the model has no attention
    between patches, or did not see the place.
    """
    layers = [layer for layer in trace.layers if layer.kind != "pool"]
    if not layers:
        raise AttentionError(f"{trace.model_name} has no attention between patches.")
    seen = []
    for count, layer in enumerate(layers, 1):
        _, cell = token_of(trace, layer, place)
        assert cell is not None
        field_ = np.zeros(layer.query_grid.shape, dtype=bool)
        field_[cell] = True
        above = layer
        for below in reversed(layers[:count]):
            field_ = _down(field_, above.query_grid, below.query_grid)
            field_ = _through(field_, below)
            above = below
        seen.append(field_)
    note = ""
    if any(layer.is_convolved for layer in layers):
        note = "Convolutions between the layers, which widen it further, are left out."
    return Reach(place, layers[0].query_grid, tuple(layer.index for layer in layers), tuple(seen), note)


def _through(seen: np.ndarray, layer: Layer) -> np.ndarray:
    """All that a set of patches (gh, gw) looks at in one layer, itself included."""
    if layer.windows is None:
        return np.ones_like(seen)
    groups = _groups(layer.windows)
    found = np.zeros(int(groups.max()) + 1, dtype=bool)
    found[groups[seen]] = True
    return np.asarray(found[groups])


@lru_cache(maxsize=64)
def _groups(windows: Windows) -> np.ndarray:
    """A number for each token, (rows, cols), the same for tokens that look at each other: window and region of it."""
    index, regions = windows.index(), windows.regions()
    numbers = np.arange(len(index))[:, None] * 9 + regions
    groups = np.zeros(windows.grid[0] * windows.grid[1], dtype=np.int64)
    groups[index[index >= 0]] = numbers[index >= 0]
    groups.setflags(write=False)
    return groups.reshape(windows.grid)


def _down(seen: np.ndarray, above: Grid, below: Grid) -> np.ndarray:
    """The patches of the layer below that a set of patches of the layer above was merged from."""
    if above.shape == below.shape:
        return seen
    rows, cols = (
        np.minimum(((np.arange(count) + 0.5) * fine / coarse).astype(np.int64), most - 1)
        for count, fine, coarse, most in zip(below.shape, below.stride, above.stride, above.shape, strict=True)
    )
    return np.asarray(seen[rows[:, None], cols[None]])
