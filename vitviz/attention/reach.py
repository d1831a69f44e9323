"""The receptive field of attention: which patches a token can see through so many layers.

That is the set of patches with non-zero rollout (Abnar and Zuidema 2020), found from the windows and masks alone: a
softmax gives every key that is not masked some weight, however small.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np

from vitviz.attention.layer import Layer
from vitviz.attention.maps import token_of
from vitviz.attention.trace import Trace
from vitviz.attention.values import Place
from vitviz.errors import AttentionError
from vitviz.models.layout import Grid, Windows

Way = Literal["down", "up"]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one token sees through some layers.

    Attributes:
        layers: indices of the first and the last layer through which it looks, both included; None for none, where a
            token sees the patches alone that were merged into it.
        own, cell: the grid of the token that looks, and its row and column there.
        seen: the patches of the finest grid that it sees, (gh, gw) bool.
    """

    layers: tuple[int, int] | None
    own: Grid
    cell: tuple[int, int]
    seen: np.ndarray = field(repr=False)

    @property
    def count(self) -> int:
        """How many patches are seen."""
        return int(self.seen.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """How the reach of the tokens at one place grows.

    Attributes:
        place: where they are.
        way: "down": always the token of the last layer, which looks through no layer at first, then through the last
            one, the last two, and so on down to the picture; of the layers below only merging counts. "up": after each
            layer the token that is there, which has looked through all layers up to it.
        grid: the finest grid, that of the first layer.
        steps: nearest the image first in "up", last in "down".
        note: what is left out, a sentence, "" where nothing is.
    """

    place: Place
    way: Way
    grid: Grid
    steps: tuple[Step, ...] = field(repr=False)
    note: str = ""

    @property
    def counts(self) -> tuple[int, ...]:
        """How many patches are seen in each step."""
        return tuple(step.count for step in self.steps)


def reach(trace: Trace, place: Place, way: Way = "down") -> Reach:
    """How the reach of the tokens at a place of the picture grows, `way` being as in Reach.

    The residual connection is counted: a token sees itself. Raises AttentionError where the model has no attention
    between patches, or did not see the place.
    """
    layers = [layer for layer in trace.layers if layer.kind != "pool"]
    if not layers:
        raise AttentionError(f"{trace.model_name} has no attention between patches.")
    steps = _downwards(trace, layers, place) if way == "down" else _upwards(trace, layers, place)
    note = ""
    if any(layer.is_convolved for layer in layers):
        note = "Convolutions between the layers, which widen it further, are left out."
    return Reach(place, way, layers[0].query_grid, tuple(steps), note)


def _downwards(trace: Trace, layers: Sequence[Layer], place: Place) -> Iterable[Step]:
    top = layers[-1]
    cell, seen = _start(trace, top, place)
    yield Step(None, top.query_grid, cell, _merged(seen, layers[::-1]))
    for at in range(len(layers) - 1, -1, -1):
        layer = layers[at]
        seen = _through(_down(seen, layers[min(at + 1, len(layers) - 1)].query_grid, layer.query_grid), layer)
        yield Step((layer.index, top.index), top.query_grid, cell, _merged(seen, layers[at::-1]))


def _upwards(trace: Trace, layers: Sequence[Layer], place: Place) -> Iterable[Step]:
    for count, layer in enumerate(layers, 1):
        cell, seen = _start(trace, layer, place)
        above = layer
        for below in reversed(layers[:count]):
            seen = _through(_down(seen, above.query_grid, below.query_grid), below)
            above = below
        yield Step((layers[0].index, layer.index), layer.query_grid, cell, seen)


def _start(trace: Trace, layer: Layer, place: Place) -> tuple[tuple[int, int], np.ndarray]:
    """The patch of a layer at a place, and the set (gh, gw) of it alone."""
    _, cell = token_of(trace, layer, place)
    assert cell is not None
    seen = np.zeros(layer.query_grid.shape, dtype=bool)
    seen[cell] = True
    return cell, seen


def _merged(seen: np.ndarray, layers: Sequence[Layer]) -> np.ndarray:
    """The patches of the last of these layers that a set of patches of the first was merged from, one by one."""
    for above, below in pairwise(layers):
        seen = _down(seen, above.query_grid, below.query_grid)
    return seen


def _through(seen: np.ndarray, layer: Layer) -> np.ndarray:
    """All that a set of patches (gh, gw) looks at in one layer, itself included."""
    if not layer.heads_on:
        return seen
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
