"""Is a map true? Deletion and insertion curves: what the model says while the patches of a map are taken away.

Petsiuk, Das and Saenko 2018, "RISE" (arXiv 1806.07421), with patches for pixels. Deletion takes the most important
patches away first: a map that is right makes the class fall early, so the area under the curve is small. Insertion
begins with nothing and gives the most important patches first: the area is large. Taking the least important away first
is insertion read backwards. Areas are by trapezoids over the share of patches, with the untouched view as one end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from vitviz.attention.altering import as_in
from vitviz.attention.classes import class_of
from vitviz.attention.curves import RANDOM, Curve, Curves, Faithfulness, Removal, Score
from vitviz.attention.passes import Passes, batch_size, view_tensor
from vitviz.attention.trace import Trace
from vitviz.attention.values import Map
from vitviz.checks import short, whole
from vitviz.errors import AttentionError
from vitviz.images import Image
from vitviz.models.layout import Grid
from vitviz.models.logits import probabilities_of
from vitviz.models.model import Model


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    """One way to take the patches away: of every pixel (h, w) the rank of its patch, 0 goes first; how many are gone at
    each step."""

    pixels: Tensor = field(repr=False)
    counts: np.ndarray


def faithfulness(
    model: Model,
    image: Image,
    maps: Map | Mapping[str, Map],
    target: int | str | None = None,
    *,
    removal: Removal = "grey",
    score: Score = "probability",
    steps: int = 24,
    seeds: int = 5,
    seen: Trace | None = None,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> Faithfulness:
    """Deletion and insertion curves of maps, and of random orders on their grids.

    Args:
        model, image: what the maps are of.
        maps: one map (its curves are called "map"), or several by name. Patches are the squares of each map's own grid
            in the view, so maps of windowed layers do as well.
        target: number or name of the class; the most probable one where None.
        removal: "grey" (the mean that the preprocessing subtracts) or "blurred" (a Gaussian of a 16th of the view).
        score: "probability" (softmax) or "logit".
        steps: points of a curve besides the start, at most one for each patch.
        seeds: random orders that are averaged; 0 leaves them out.
        seen: a trace of model and picture; where heads were off in it, they are off here too.
        progress, cancel: told and asked between and during the batches.

    Raises:
        AttentionError: no classes, not this one, or nothing to judge.
        ModelError: the model failed on a batch.
    """
    given = _given(maps)
    for what, count, least in (("steps", steps, 1), ("random orders", seeds, 0)):
        if whole(count, f"The number of {what}", AttentionError) < least:
            raise AttentionError(f"Curves with {count} {what} were asked for: give {least} or more.")
    view = view_tensor(model, image)
    passes = Passes(model, min(32, batch_size(seen.layers)) if seen is not None else 16, cancel)
    with as_in(model.module, seen):
        untouched = passes.in_batches(1, lambda _: passes.run(view))[0]
        chosen = _target(model, untouched, target, score)
        walks = _walks(given, steps, seeds, view)
        scores = _run(walks, view, _without(view, removal), passes, lambda z: _score(z, chosen, score), progress)
    curves, at = {}, 0
    for name in given:
        curves[name] = Curves(
            _curve(walks[at], scores[at]),
            _curve(walks[at + 1], scores[at + 1], backwards=True),
            given[name].grid.shape,
        )
        at += 2
    grids = list(dict.fromkeys(shown.grid.shape for shown in given.values()))
    for grid in grids if seeds else ():
        name = RANDOM if len(grids) == 1 else f"{RANDOM} {grid[0]} x {grid[1]}"
        curves[name] = _random(walks[at], np.stack(scores[at : at + 2 * seeds]), grid)
        at += 2 * seeds
    progress(1.0, "Done")
    off_words = seen.without if seen is not None else ""
    label = model.label(chosen)
    return Faithfulness(curves, chosen, label, removal, score, model.name, image.name, off_words, steps, seeds)


def _random(walk: _Walk, scores: np.ndarray, grid: tuple[int, int]) -> Curves:
    """Means and deviations over random orders; rows of `scores` are each order and then its reverse."""
    there, back = scores[::2], scores[1::2]
    fewer = [_curve(walk, each).area for each in there]
    more = [_curve(walk, each, backwards=True).area for each in back]
    gains = np.subtract(more, fewer)
    return Curves(
        _curve(walk, there.mean(0), there.std(0)),
        _curve(walk, back.mean(0), back.std(0), backwards=True),
        grid,
        (float(np.std(fewer)), float(np.std(more)), float(gains.std())),
    )


def removal_order(shown: Map) -> np.ndarray:
    """The patches of a map as row-major indices, the most important first; equal ones in the order of rows."""
    order: np.ndarray = np.argsort(-shown.values.ravel().astype(np.float64), kind="stable")
    return order


def _walks(given: Mapping[str, Map], steps: int, seeds: int, view: Tensor) -> list[_Walk]:
    walks = []
    grids: dict[tuple[int, int], Grid] = {}
    for shown in given.values():
        order = removal_order(shown)
        grids.setdefault(shown.grid.shape, shown.grid)
        walks += [_walk(order, shown.grid, steps, view), _walk(order[::-1], shown.grid, steps, view)]
    for grid in grids.values():
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(grid.size)
            walks += [_walk(order, grid, steps, view), _walk(order[::-1], grid, steps, view)]
    return walks


def _walk(order: np.ndarray, grid: Grid, steps: int, view: Tensor) -> _Walk:
    ranks = np.empty(grid.size, dtype=np.int64)
    ranks[order] = np.arange(grid.size)
    # A pixel beyond the last whole patch is none that the model sees: it goes with its neighbour.
    rows, cols = (
        np.minimum(((np.arange(side) + 0.5) / stride).astype(np.int64), count - 1)
        for side, stride, count in zip(view.shape[-2:], grid.stride, grid.shape, strict=True)
    )
    pixels = ranks.reshape(grid.shape)[rows][:, cols]
    counts = np.unique(np.linspace(0, grid.size, min(steps, grid.size) + 1).round().astype(np.int64))
    return _Walk(torch.from_numpy(pixels).to(view.device), counts)


def _run(
    walks: list[_Walk],
    view: Tensor,
    without: Tensor,
    passes: Passes,
    score: Callable[[np.ndarray], np.ndarray],
    progress: Callable[[float | None, str], None],
) -> list[np.ndarray]:
    """The scores along every walk."""
    states = [(walk, int(count)) for walk in walks for count in walk.counts]

    def logits_of(part: range) -> np.ndarray:
        progress(part.start / len(states), f"Taking patches away: view {part.start} of {len(states)}")
        gone = torch.stack([walk.pixels < count for walk, count in (states[i] for i in part)])
        return passes.run(torch.where(gone.unsqueeze(1), without, view))

    scores = score(passes.in_batches(len(states), logits_of))
    return np.split(scores, np.cumsum([len(walk.counts) for walk in walks])[:-1])


def _curve(walk: _Walk, scores: np.ndarray, spread: np.ndarray | None = None, *, backwards: bool = False) -> Curve:
    shares = (walk.counts / walk.counts[-1]).astype(np.float32)
    if backwards:  # what is gone becomes what is not yet there
        return Curve((1 - shares)[::-1], scores[::-1], None if spread is None else spread[::-1])
    return Curve(shares, scores, spread)


def _given(maps: Map | Mapping[str, Map]) -> dict[str, Map]:
    """The maps by name; AttentionError where there is none."""
    given: dict[str, Map] = {"map": maps} if isinstance(maps, Map) else {}
    if isinstance(maps, Mapping):
        given = dict(maps)
        if not given:
            raise AttentionError("There is no map to judge: give at least one.")
    if not given or not all(isinstance(each, Map) for each in given.values()):
        raise AttentionError(f"The maps are {short(maps)}: give a map, or a dictionary from names to maps.")
    return given


def _without(view: Tensor, removal: Removal) -> Tensor:
    """The view with nothing in it."""
    if removal == "grey":
        return torch.zeros_like(view)
    if removal != "blurred":
        raise AttentionError(f"Patches can't be {removal!r}: give 'grey' or 'blurred'.")
    sigma = max(view.shape[-2:]) / 16
    reach = min(2 * round(2.5 * sigma) + 1, 2 * min(view.shape[-2:]) - 1)  # it mirrors the view, once
    blurred: Tensor = gaussian_blur(view, [reach, reach], [sigma, sigma])
    return blurred


def _score(logits: np.ndarray, target: int, score: Score) -> np.ndarray:
    if score == "logit":
        return logits[:, target]
    return probabilities_of(logits)[:, target]


def _target(model: Model, logits: np.ndarray, target: int | str | None, score: Score) -> int:
    least = 2 if score == "probability" else 1
    if logits.size < least or getattr(model.module, "num_classes", None) == 0:
        raise AttentionError(f"{model.name} has no classes that could fall or rise: open a classifier.")
    if score not in ("probability", "logit"):
        raise AttentionError(f"A curve of {score!r} is unknown: give 'probability' or 'logit'.")
    return class_of(target, logits, model.labels, model.name)
