"""Colours of classes over their picture, of which only the light and dark is left: they stay those of the legend."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image as Pillow

from vitviz.models.layout import Grid
from vitviz.render.overlay import Canvas, ends_of
from vitviz.render.style import Style

_FULL = 0.25  # the opacity from which on the colours are those of the legend
_DEPTH = 0.65  # how much of a colour the picture's light and dark may add or take


def draw_classes(canvas: Canvas, grid: Grid, colors: np.ndarray, style: Style) -> np.ndarray:
    """The picture as light and dark of colours, (gh, gw, 3) uint8, one for every patch; (height, width, 4) uint8.

    Every colour is scaled by how much lighter or darker the picture is there than in the mean of its patch, so that the
    mean over a patch is its colour, whatever the picture. Below an opacity of a quarter they fade into the picture.
    """
    pixels = canvas.draw_colors(grid, colors, replace(style, opacity=0.0))
    rows, cols = canvas.cells(grid)
    (top, bottom), (left, right) = ends_of(rows), ends_of(cols)
    inside = slice(top, bottom), slice(left, right)
    if style.opacity <= 0 or not pixels[inside].size:
        return pixels
    rows, cols = rows[inside[0]], cols[inside[1]]
    light = np.asarray(Pillow.fromarray(canvas.picture()).convert("L"))[inside].astype(np.float32)
    light -= _patch_means(light, rows, cols)[rows - rows[0]][:, cols - cols[0]]
    light *= _DEPTH * (1.0 - min(style.opacity, 1.0))
    light += 128.5
    # In 128ths, which times 255 fit into 16 bits, a channel at a time: a third of what fractions of all would take.
    scale, share = light.astype(np.uint16), np.float32(min(1.0, style.opacity / _FULL))
    for channel in range(3):
        painted = colors[..., channel].astype(np.uint16)[:, cols][rows]
        painted *= scale
        painted += 64
        painted >>= 7
        np.minimum(painted, 255, out=painted)
        seen = pixels[(*inside, channel)]
        seen[:] = painted if share == 1 else np.rint(painted * share + seen * (1 - share))
    return pixels


def _patch_means(values: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Means over the patches that have a pixel, from the first row and column of them on."""
    down, across = (np.flatnonzero(np.diff(at, prepend=-1)) for at in (rows, cols))
    sums = np.add.reduceat(np.add.reduceat(values, down, axis=0), across, axis=1)
    counts = np.outer(np.diff(down, append=len(rows)), np.diff(across, append=len(cols)))
    means = np.zeros((rows[-1] - rows[0] + 1, cols[-1] - cols[0] + 1), dtype=np.float32)
    means[np.ix_(rows[down] - rows[0], cols[across] - cols[0])] = sums / counts
    return means
