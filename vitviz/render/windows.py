"""The windows of a layer over a drawn map: that of the patch that looks, where it goes on, what its mask shuts out.

All that is drawn is first geometry in corners of the grid, (row, column), which the window draws with Qt and files draw
as pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vitviz.attention.values import Map
from vitviz.models.layout import Piece, Windows
from vitviz.render.style import Style

Segment = tuple[int, int, int, int]  # row and column of one end, row and column of the other
Corner = Callable[[float, float], tuple[int, int]]  # row and column of a corner of the grid -> y and x of a pixel

WINDOW, SEAM, NEIGHBOUR = (255, 255, 255), (255, 166, 0), (96, 200, 255)
_DIM = 0.4


@dataclass(frozen=True, slots=True)
class WindowMarks:
    """What is drawn of windows over a map.

    Attributes:
        outline: the border of the query's window; `seam`: those parts of it that lie on the border of the picture and
            beyond which the window goes on at the other side.
        shut_out: the parts of the window that the mask keeps the query from.
        partition: the borders of all windows of the layer; `neighbour`: those of the layer beside it in the stage.
    """

    outline: tuple[Segment, ...] = ()
    seam: tuple[Segment, ...] = ()
    shut_out: tuple[Piece, ...] = ()
    partition: tuple[Segment, ...] = ()
    neighbour: tuple[Segment, ...] = ()


def window_marks(m: Map, style: Style) -> WindowMarks:
    """What a style asks to be drawn of the windows of a map; nothing for attention over the whole grid."""
    if m.windows is None:
        return WindowMarks()
    return _marks(m.windows, m.neighbour, m.query_cell, style.show_window, style.show_partition)


@lru_cache(maxsize=256)
def _marks(
    windows: Windows, neighbour: Windows | None, cell: tuple[int, int] | None, show_window: bool, show_partition: bool
) -> WindowMarks:
    # The map, the patches beside it and the words above ask for the same marks under every mouse move.
    outline: tuple[Segment, ...] = ()
    seam: list[Segment] = []
    shut_out: tuple[Piece, ...] = ()
    if show_window and cell is not None:
        outline = edges(windows.members(cell).astype(np.int64), outside=0)
        below, right = windows.wraps(cell)
        rows, cols = windows.grid
        for segment in outline:
            r0, c0, r1, c1 = segment
            if (below and r0 == r1 and r0 in (0, rows)) or (right and c0 == c1 and c0 in (0, cols)):
                seam.append(segment)
        shut_out = tuple(piece for piece in windows.pieces(cell) if piece.shut_out)
    partition, beside = (
        _partition(each) if show_partition and each is not None else () for each in (windows, neighbour)
    )
    return WindowMarks(outline, tuple(seam), shut_out, partition, beside)


def _partition(windows: Windows) -> tuple[Segment, ...]:
    return edges(windows.cells(), outside=-1)


def edges(numbers: np.ndarray, *, outside: int) -> tuple[Segment, ...]:
    """The borders between cells of different numbers (rows, cols), as the fewest straight segments.

    `outside` is the number of what lies around the grid.
    """
    around = np.pad(numbers, 1, constant_values=outside)
    level = around[1:, 1:-1] != around[:-1, 1:-1]  # above row r of the grid, for each column
    upright = around[1:-1, 1:] != around[1:-1, :-1]  # left of column c, for each row
    return (
        *((r, start, r, end) for r, start, end in _stretches(level)),
        *((start, c, end, c) for c, start, end in _stretches(upright.T)),
    )


def _stretches(lines: np.ndarray) -> list[tuple[int, int, int]]:
    """Where lines (n, m) bool are True: (line, first, one past the last)."""
    steps = np.diff(np.pad(lines, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.argwhere(steps == 1), np.argwhere(steps == -1)
    return [(line, first, end) for (line, first), (_, end) in zip(starts.tolist(), ends.tolist(), strict=True)]


def draw_windows(pixels: np.ndarray, marks: WindowMarks, corner: Corner) -> None:
    """Draw over pixels (H, W, 4) uint8, in place."""
    thick = max(1, round(max(pixels.shape[:2]) / 400))
    for piece in marks.shut_out:
        _hatch(pixels, corner(piece.rows[0], piece.cols[0]), corner(piece.rows[1], piece.cols[1]))
    # Thin, with dark edges, since they lie over the whole map; the neighbour's are dashed.
    for lines, color, dash in ((marks.neighbour, NEIGHBOUR, 6 * thick), (marks.partition, WINDOW, 0)):
        _lines(pixels, lines, corner, color, thick, dash)
    plain = [segment for segment in marks.outline if segment not in marks.seam]
    _lines(pixels, plain, corner, WINDOW, 2 * thick, 0)
    _lines(pixels, marks.seam, corner, SEAM, 2 * thick, 5 * thick)


def _lines(
    pixels: np.ndarray,
    lines: tuple[Segment, ...] | list[Segment],
    corner: Corner,
    color: tuple[int, int, int],
    thick: int,
    dash: int,
) -> None:
    edge = max(1, thick // 2)
    ends = [(*corner(r0, c0), *corner(r1, c1)) for r0, c0, r1, c1 in lines]
    for shade, wide in (((0, 0, 0), thick + 2 * edge), (color, thick)):
        for y0, x0, y1, x1 in ends:
            low, high = wide // 2, wide - wide // 2
            # A line on the very border of the picture is moved inside, where it can be seen.
            y0, y1, x0, x1 = (
                min(max(at, low), max(low, limit - high))
                for at, limit in zip((y0, y1, x0, x1), (*pixels.shape[:1] * 2, *pixels.shape[1:2] * 2), strict=True)
            )
            part = pixels[y0 - low : y1 + high, x0 - low : x1 + high, :3]
            if dash and shade == color:
                along = part if y1 - y0 > x1 - x0 else part.transpose(1, 0, 2)
                along[np.arange(len(along)) // dash % 2 == 0] = shade
            else:
                part[:] = shade


def _hatch(pixels: np.ndarray, start: tuple[int, int], end: tuple[int, int]) -> None:
    (top, left), (bottom, right) = ((max(y, 0), max(x, 0)) for y, x in (start, end))
    part = pixels[top:bottom, left:right, :3]
    height, width = part.shape[:2]
    period = max(6, round(10 * max(pixels.shape[:2]) / 512))
    stripe = (np.arange(top, top + height)[:, None] + np.arange(left, left + width)[None]) % period < max(
        1, period // 5
    )
    part[:] = (part * _DIM).astype(np.uint8)
    part[stripe] = (200, 200, 200)
