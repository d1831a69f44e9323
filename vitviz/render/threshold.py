"""The smallest set of patches that holds a share of a map's mass (Caron et al. 2021, DINO, arXiv 2104.14294)."""

from __future__ import annotations

import numpy as np

_DIM = 0.25


def mass_mask(values: np.ndarray, share: float) -> np.ndarray:
    """The smallest set of patches whose values sum to at least `share` of all: (gh, gw) bool; none where all are 0."""
    order = np.argsort(-values, axis=None, kind="stable")
    sums = np.cumsum(values.reshape(-1)[order], dtype=np.float64)
    mask = np.zeros(values.size, dtype=bool)
    if sums[-1] > 0:
        # Rounding must not ask for one patch more.
        mask[order[: int(np.searchsorted(sums, share * sums[-1] * (1 - 1e-7))) + 1]] = True
    return mask.reshape(values.shape)


def dim_outside(pixels: np.ndarray, picture: np.ndarray, outside: np.ndarray) -> None:
    """Show the bare picture, dark, at the points (H, W) bool outside the set; in place."""
    pixels[..., :3][outside] = (picture[outside] * _DIM).astype(np.uint8)


def draw_contour(pixels: np.ndarray, mask: np.ndarray) -> None:
    """A white line just inside the border of a set of points (H, W) bool, a black one just outside; in place."""
    # Thicker than the lines of a patch grid, which may lie over it.
    thick = max(1, round(max(mask.shape) / 250))
    grown = _grown(mask, thick)
    outside = np.pad(~mask, thick, constant_values=True)  # the border of the picture is one of the set too
    shrunk = ~_grown(outside, thick)[thick:-thick, thick:-thick]
    pixels[..., :3][grown & ~mask] = 0
    pixels[..., :3][mask & ~shrunk] = 255


def _grown(mask: np.ndarray, by: int) -> np.ndarray:
    """The points within `by` rows and columns of a set; beyond the picture there are none."""
    wide = mask.copy()
    for step in range(1, by + 1):
        wide[:, step:] |= mask[:, :-step]
        wide[:, :-step] |= mask[:, step:]
    high = wide.copy()
    for step in range(1, by + 1):
        high[step:] |= wide[:-step]
        high[:-step] |= wide[step:]
    return high
