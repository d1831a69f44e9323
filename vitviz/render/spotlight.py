"""Rollout as the figures of the ViT paper show it: the picture lit by the map, black where it is least.

Dosovitskiy et al. 2020, figure 6, as its authors describe it in google-research/vision_transformer, issues 18 and 27:
the map over its largest value, enlarged (Lanczos), blurred by a Gaussian of one patch, stretched to 0..1, and taken
as the share of the picture over black.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image as Pillow


def spotlight(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Values (gh, gw) -> the share of the picture that is left, (height, width) float32 from 0 to 1.

    A constant map leaves all of the picture.
    """
    largest = float(values.max())
    rows, cols = (_enlarging(count, many) for count, many in zip(values.shape, size, strict=True))
    light = rows @ (values / (largest if largest > 0 else 1.0)).astype(np.float32) @ cols.T
    low, high = float(light.min()), float(light.max())
    if high - low < 1e-6:
        return np.ones(size, dtype=np.float32)
    result: np.ndarray = (light - low) / (high - low)
    return result


@lru_cache(maxsize=8)
def _enlarging(count: int, many: int) -> np.ndarray:
    """(many, count): what each of `count` patches in a line gives to `many` pixels, enlarged and blurred."""
    steps = Pillow.fromarray(np.eye(count, dtype=np.float32)).resize((count, many), Pillow.Resampling.LANCZOS)
    width = many / count
    reach = int(4 * width + 0.5)
    offsets = np.arange(-reach, reach + 1)
    bell = np.exp(-0.5 * (offsets / width) ** 2)
    # The pixel at the border goes on beyond it, as in any blur of a picture.
    taken = np.clip(np.arange(many)[:, None] + offsets[None], 0, many - 1)
    blurring = np.zeros((many, many))
    np.add.at(blurring, (np.arange(many)[:, None], taken), bell / bell.sum())
    weights: np.ndarray = blurring @ np.asarray(steps, dtype=np.float64)
    return weights.astype(np.float32)
