"""A difference of maps over its picture, in diverging colours about 0."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow

from vitviz.images import Image
from vitviz.render.style import color_table

DIVERGING = "colorbrewer:RdBu_r"  # blue below, white at, red above 0
_OPACITY = 0.75
_UNSEEN = 0.35


def blended(image: Image, values: np.ndarray, largest: float, size: tuple[int, int] | None = None) -> np.ndarray:
    """The grey picture under the colours of a difference, (h, w, 3) uint8.

    Args:
        image: the picture.
        values: (rows, cols) over the whole picture, NaN where a model saw nothing: there it is dark grey.
        largest: the colours go from minus this to this.
        size: (height, width) of the result, the number of values where None.
    """
    height, width = size or values.shape
    grey = np.asarray(Pillow.fromarray(image.pixels).convert("L").resize((width, height), Pillow.Resampling.BOX))
    rows, cols = (np.arange(n) * count // n for n, count in zip((height, width), values.shape, strict=True))
    values = values[rows[:, None], cols[None]]
    known = np.isfinite(values)
    scaled = np.where(known, values, 0.0) / (largest or 1.0) * 127.5 + 127.5
    colors = color_table(DIVERGING)[np.clip(np.rint(scaled), 0, 255).astype(np.uint8)].astype(np.float32)
    base = grey[..., None].astype(np.float32)
    out = np.where(known[..., None], base * (1 - _OPACITY) + colors * _OPACITY, base * _UNSEEN)
    result: np.ndarray = np.rint(out).astype(np.uint8)
    return result
