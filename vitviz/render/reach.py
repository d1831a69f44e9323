"""A receptive field over its picture: what is seen is left as it is, the rest is dimmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitviz.models.layout import Grid
from vitviz.render.overlay import Canvas
from vitviz.render.windows import WindowMarks, draw_windows, edges

if TYPE_CHECKING:
    from vitviz.attention.reach import Reach

_DIM = 0.3


def draw_step(canvas: Canvas, found: Reach, at: int) -> np.ndarray:
    """One step of a receptive field over its picture, the border of the step before in it, (height, width, 3) uint8."""
    step = found.steps[at]
    before = found.steps[at - 1].seen if at else None
    return draw_reach(canvas, found.grid, step.seen, before, step.own, step.cell)


def draw_reach(
    canvas: Canvas, grid: Grid, seen: np.ndarray, before: np.ndarray | None, own: Grid, cell: tuple[int, int]
) -> np.ndarray:
    """The picture with a receptive field, (height, width, 3) uint8.

    Args:
        seen: (gh, gw) bool; its border is white.
        before: the same one step earlier, whose border is orange and dashed; None draws none.
        own, cell: the grid of the layer that is asked, and the patch of it that looks, framed.
    """
    rows, cols = canvas.cells(grid)
    bright = seen[np.maximum(rows, 0)[:, None], np.maximum(cols, 0)[None]]
    bright = bright & (rows >= 0)[:, None] & (cols >= 0)[None]
    pixels = canvas.picture().copy()
    pixels[~bright] = (pixels[~bright] * _DIM).astype(np.uint8)
    outline = edges(seen.astype(np.int64), outside=0)
    inner = () if before is None else edges(before.astype(np.int64), outside=0)
    query = np.zeros(own.shape, dtype=np.int64)
    query[cell] = 1

    def corner(row: float, col: float) -> tuple[int, int]:
        return canvas.corner(grid, row, col)

    # The border of before lies within that of now: where both run together, that of now is drawn.
    draw_windows(pixels, WindowMarks(seam=inner), corner)
    draw_windows(pixels, WindowMarks(outline=outline), corner)
    frame = WindowMarks(partition=edges(query, outside=0))
    draw_windows(pixels, frame, lambda row, col: canvas.corner(own, row, col))
    return pixels
