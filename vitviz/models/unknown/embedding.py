"""The patch embedding among tensors of unknown naming: a convolution, or a matrix on flattened patches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vitviz.errors import SourceError
from vitviz.models.unknown.naming import HEAD, PATCH, says, words
from vitviz.models.unknown.units import Unit, listed


def patch_of(left: Sequence[Unit], width: int, trunk_order: int, channels: int | None) -> Unit | None:
    """The patch embedding among the tensors beside the layers, (D, ...) with D first; None where none can be one.

    Args:
        left: the tensors that no layer has.
        width: D, the values of a token.
        trunk_order: where in the file the layers begin.
        channels: of the pictures, where that is known.

    Raises SourceError where it is several convolutions, or makes tokens of another width.
    """
    convolutions = [u for u in left if u.weight.dim() == 4]
    if len(convolutions) > 1:
        raise SourceError(f"its patches come from several convolutions (a hybrid): {listed(convolutions)}")
    if convolutions:
        only = convolutions[0]
        if only.shape[0] != width:
            raise SourceError(f"its convolution {listed(convolutions)} does not make tokens of {width} values")
        return only

    def likely(unit: Unit) -> tuple[int, int]:
        patch, head = bool(says(unit.name, PATCH)), bool(says(unit.name, HEAD))
        # torch writes modules in the order in which they were made; safetensors by the alphabet, so names come first.
        return 2 * patch - 3 * head + any("patch" in w for w in words(unit.name)) * 3, unit.order < trunk_order

    fits = [u for u in left if u.weight.dim() == 2 and (flat := _flat(u, width)) and _squares(flat, channels)]
    if not fits:
        return None
    best = max(fits, key=likely)
    score, early = likely(best)
    if score < 0 or (score == 0 and not early):
        return None
    return best.turned() if best.shape[0] != width else best


def _flat(unit: Unit, width: int) -> int | None:
    """Pixels times channels of a matrix that may project flattened patches."""
    if unit.shape[0] == width:
        return unit.shape[1]
    return unit.shape[0] if unit.raw and unit.shape[1] == width else None


def _squares(flat: int, channels: int | None) -> tuple[int, int] | None:
    """(channels, patch side) of a flattened patch: three channels first, then one, then four."""
    for count in (channels,) if channels else (3, 1, 4):
        side = math.isqrt(flat // count)
        if side > 1 and side * side * count == flat:
            return count, side
    return None


def patch_size_of(patch: Unit, channels: int | None) -> tuple[tuple[int, int], int]:
    """((height, width) of a patch in pixels, channels) of a patch embedding that `patch_of` has found."""
    if patch.weight.dim() == 4:
        _, count, rows, columns = patch.shape
        return (rows, columns), count
    found = _squares(patch.shape[1], channels)
    assert found is not None
    return (found[1], found[1]), found[0]


def channels_last(patch: Tensor, size: tuple[int, int], channels: int) -> tuple[bool | None, float]:
    """Whether flattened patches are (p1 p2 c), from trained weights: neighbouring pixels have similar weights.

    Returns (None, ratio) where neither order is clearly smoother; ratio is roughness as (p1 p2 c) over (c p1 p2). Tried
    on six trained convolutions flattened in both orders: 6 of 12 right, none wrong, the others undecided.
    """
    width, (rows, columns) = patch.shape[0], size
    last = patch.double().reshape(width, rows, columns, channels).permute(0, 3, 1, 2)
    first = patch.double().reshape(width, channels, rows, columns)

    def rough(filters: Tensor) -> Tensor:
        return filters.diff(dim=-1).square().mean() + filters.diff(dim=-2).square().mean()

    ratio = float(rough(last) / rough(first).clamp_min(torch.finfo(torch.float64).tiny))
    pairs = width * channels * (rows * (columns - 1) + columns * (rows - 1))
    # Of noise the ratio is 1 give or take about 2 / sqrt(pairs): four times that is no noise.
    clear = max(0.06, 8 / pairs**0.5)
    return (None if abs(math.log(max(ratio, 1e-9))) < clear else ratio < 1), ratio
