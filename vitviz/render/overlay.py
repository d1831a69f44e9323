"""Image + Map + Style -> pixels in the coordinates of the original picture; the screen and the files use it alike."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image as Pillow

from vitviz.attention.values import Map
from vitviz.checks import short
from vitviz.errors import RenderError
from vitviz.images import Image, View, check_image
from vitviz.models.layout import Grid
from vitviz.render.blending import OPAQUE, bicubic, shares_of, weight_of, words_of
from vitviz.render.spotlight import spotlight
from vitviz.render.style import Interpolation, Limits, Marked, Style, color_indices, color_table, limits_of
from vitviz.render.threshold import dim_outside, draw_contour, mass_mask
from vitviz.render.windows import draw_windows, window_marks

_UNSEEN_DIM = 0.35
_HATCH = 12
_TINY, _ENLARGED = 128, 512  # pixels along the longer side


def overlay(
    image: Image,
    m: Map,
    *,
    colormap: str = "viridis",
    opacity: float = 0.6,
    limits: Limits | None = None,
    interpolation: Interpolation = "nearest",
    show_query: bool = True,
    show_window: bool = True,
    show_partition: bool = False,
    threshold: float = 0.0,
    marked: Marked = "contour",
) -> np.ndarray:
    """Colour a map over its picture.

    Args:
        image: the picture that the map was made from.
        m: the map.
        limits: (low, high) of the colours; the map's own least and largest value where None.
        The others as in Style.

    Returns:
        (H, W, 3) uint8 of the original picture's size; the part that the model did not see is grey and hatched.

    Raises:
        ImageError, RenderError: this is no Image, no map, or a way to draw that is not in Style.
    """
    check_image(image)
    if not isinstance(m, Map):
        raise RenderError(f"The map is {short(m)}: give a Map, as attention_map makes it.")
    style = Style(
        colormap,
        opacity,
        "map" if limits is None else limits,
        interpolation,
        show_query,
        show_window,
        show_partition,
        threshold,
        marked,
    )
    ends = limits_of(m.values, style.limits, m.values[None], [m.values[None]])
    return np.ascontiguousarray(Canvas(image, m.view).draw(m, style, ends)[..., :3])


@dataclass(slots=True, eq=False)
class Canvas:
    """A picture made ready to be drawn over again and again, at its own size or at another.

    Attributes:
        image: the picture.
        view: which part of it the model saw.
        scale: drawn pixels per picture pixel, 1 for files.
    """

    image: Image
    view: View
    scale: float = 1.0
    _base: tuple[float, np.ndarray] | None = field(default=None, repr=False)
    _picture: np.ndarray | None = field(default=None, repr=False)
    _packed: np.ndarray | None = field(default=None, repr=False)
    _unseen: list[tuple[tuple[slice, slice], np.ndarray]] | None = field(default=None, repr=False)
    _bicubic: tuple[Grid, np.ndarray, np.ndarray] | None = field(default=None, repr=False)

    @classmethod
    def for_screen(cls, image: Image, view: View, largest: int) -> Canvas:
        """A canvas of at most `largest` pixels along its longer side.

        A tiny picture, whose marks would be as thick as its pixels and hide its patches, is drawn a whole number of
        times as large.
        """
        side = max(image.size)
        times = min(largest, _ENLARGED) // side if side <= _TINY else 1
        return cls(image, view, min(float(max(times, 1)), largest / side))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of what is drawn."""
        height, width = self.image.size
        return max(1, round(height * self.scale)), max(1, round(width * self.scale))

    def draw(self, m: Map, style: Style, limits: tuple[float, float]) -> np.ndarray:
        """The picture with the map over it, (height, width, 4) uint8, the fourth channel 255."""
        options = m.selection.options
        if options is not None and options.variant == "vit-paper":
            return self._lit(m, style)
        rows, cols = self.cells(m.grid)
        inside = slice(*ends_of(rows)), slice(*ends_of(cols))
        total = self._weighted(style.opacity).copy()
        if total[inside].size:
            shares = (color_table(style.colormap).astype(np.uint16) * weight_of(style.opacity) + 127) >> 8
            colors = words_of(shares)
            if style.interpolation == "smooth":
                total[inside] += colors[self._interpolated(m, limits, inside)]
            else:
                # Widened first and heightened then, so that whole rows are copied.
                total[inside] += colors[color_indices(m.values, limits)][:, cols[inside[1]]][rows[inside[0]]]
        result = total.view(np.uint8).reshape(*total.shape, 4)
        if style.threshold > 0:
            self._mark(result, m, style)
        if m.windows is not None:
            draw_windows(result, window_marks(m, style), lambda row, col: self.corner(m.grid, row, col))
        if style.show_query and m.query_cell is not None:
            self._outline(result, m.grid, m.query_cell)
        return result

    def draw_colors(self, grid: Grid, colors: np.ndarray, style: Style) -> np.ndarray:
        """The picture with a colour of its own, (gh, gw, 3) uint8, over every patch; as `draw` gives it."""
        rows, cols = self.cells(grid)
        inside = slice(*ends_of(rows)), slice(*ends_of(cols))
        total = self._weighted(style.opacity).copy()
        if total[inside].size:
            shares = words_of((colors.astype(np.uint16) * weight_of(style.opacity) + 127) >> 8)
            total[inside] += shares[:, cols[inside[1]]][rows[inside[0]]]
        return total.view(np.uint8).reshape(*total.shape, 4)

    def share_of_mass(self, m: Map, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Where the model saw something, and of that the smallest set of patches that holds a share of the map's mass:
        two (height, width) bool."""
        rows, cols = self.cells(m.grid)
        seen = (rows >= 0)[:, None] & (cols >= 0)[None]
        return seen, seen & mass_mask(m.values, share)[rows][:, cols]

    def _mark(self, pixels: np.ndarray, m: Map, style: Style) -> None:
        """Mark the set of patches that the style's threshold asks for, in place."""
        seen, mask = self.share_of_mass(m, style.threshold)
        if style.marked == "mask":
            dim_outside(pixels, self.picture(), seen & ~mask)
        draw_contour(pixels, mask)

    def _lit(self, m: Map, style: Style) -> np.ndarray:
        """The picture lit by the map over black, as the figures of the ViT paper are."""
        result = self._weighted(0.0).copy().view(np.uint8).reshape(*self.size, 4)
        (top, bottom), (left, right) = (ends_of(cells) for cells in self.cells(m.grid))
        if bottom > top and right > left:
            light = spotlight(m.values, (bottom - top, right - left))[..., None]
            part = self.picture()[top:bottom, left:right]
            result[top:bottom, left:right, :3] = np.rint(part * light).astype(np.uint8)
        if style.show_query and m.query_cell is not None:
            self._outline(result, m.grid, m.query_cell)
        return result

    def cells(self, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        """For every drawn row and column the grid's row and column under its middle, -1 outside the view."""
        return tuple(  # type: ignore[return-value]
            np.where(
                (at >= 0) & (at < min(size, count * stride)),
                np.clip((at / stride).astype(np.int64), 0, count - 1),
                -1,
            )
            for at, size, count, stride in zip(self._points(), self.view.size, grid.shape, grid.stride, strict=True)
        )

    def _points(self) -> tuple[np.ndarray, np.ndarray]:
        """The view coordinates (v, u) of the middles of the drawn rows and columns."""
        height, width = self.size
        x0, y0, x1, y1 = self.view.box
        rows = (np.arange(height) + 0.5) * (self.image.size[0] / height)
        cols = (np.arange(width) + 0.5) * (self.image.size[1] / width)
        return (rows - y0) * self.view.size[0] / (y1 - y0), (cols - x0) * self.view.size[1] / (x1 - x0)

    def _interpolated(self, m: Map, limits: tuple[float, float], inside: tuple[slice, slice]) -> np.ndarray:
        """Indices of colours between the patch middles, bicubic; the few values are scaled, not the many pixels."""
        if self._bicubic is None or self._bicubic[0] != m.grid:
            down, across = (
                bicubic(at / stride - 0.5, count)
                for at, count, stride in zip(self._points(), m.grid.shape, m.grid.stride, strict=True)
            )
            self._bicubic = m.grid, down, across
        low, high = limits
        if not high > low:
            return color_indices(np.zeros((1, 1), dtype=np.float32), limits)
        scaled = ((m.values - low) * (255.0 / (high - low))).astype(np.float32)
        fine = (self._bicubic[1][inside[0]] @ scaled) @ self._bicubic[2][inside[1]].T
        fine += 0.5
        indices: np.ndarray = np.clip(fine, 0.0, 255.0, out=fine).astype(np.uint8)
        return indices

    def picture(self) -> np.ndarray:
        """The picture at the drawn size, uint8, without marks."""
        if self._picture is None:
            pixels = self.image.pixels
            if self.size != self.image.size:
                tiny = max(self.image.size) <= _TINY and self.scale > 1  # its pixels are what there is to see
                how = Pillow.Resampling.NEAREST if tiny else Pillow.Resampling.LANCZOS
                pixels = np.asarray(Pillow.fromarray(pixels).resize(self.size[::-1], how, reducing_gap=3.0))
            self._picture = pixels
        return self._picture

    def _weighted(self, opacity: float) -> np.ndarray:
        """The picture less the colours' share, a word of 32 bits per pixel; unseen parts marked.

        Both parts of the sum are rounded, one of them down at a half, so that no byte of it can overflow and a colour
        is added in one step.
        """
        if self._base is None or self._base[0] != opacity:
            if self._packed is None:
                self._packed = words_of(self.picture())
            base = shares_of(self._packed, 256 - int(weight_of(opacity))) + OPAQUE
            if self._unseen is None:
                self._unseen = [(where, self._marked(*where)) for where in self._edges()]
            for where, words in self._unseen:
                base[where] = words
            self._base = opacity, base
        return self._base[1]

    def _edges(self) -> list[tuple[slice, slice]]:
        """Where the model saw nothing: above, below, left and right of what it saw."""
        rows, cols = self.cells(Grid(1, 1, (float(self.view.size[0]), float(self.view.size[1]))))
        (top, bottom), (left, right) = ends_of(rows), ends_of(cols)
        height, width = self.size
        edges = [(0, top, 0, width), (bottom, height, 0, width), (top, bottom, 0, left), (top, bottom, right, width)]
        return [(slice(a, b), slice(c, d)) for a, b, c, d in edges if b > a and d > c]

    def _marked(self, rows: slice, cols: slice) -> np.ndarray:
        """Grey, dim and hatched words: what the model did not see there."""
        grey = self.picture()[rows, cols] @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
        height, width = self.size
        period = max(6, round(_HATCH * max(height, width) / 512))
        diagonal = np.arange(height)[rows, None] + np.arange(width)[None, cols]
        dim = grey * _UNSEEN_DIM + np.where(diagonal % period < max(1, period // 8), np.float32(60), np.float32(10))
        words: np.ndarray = words_of(dim.astype(np.uint8)[..., None].repeat(3, axis=-1)) + OPAQUE
        return words

    def corner(self, grid: Grid, row: float, col: float) -> tuple[int, int]:
        """The drawn pixel (y, x) at a corner of the grid."""
        x, y = self.view.to_picture(col * grid.stride[1], row * grid.stride[0])
        height, width = self.size
        return round(y * height / self.image.size[0]), round(x * width / self.image.size[1])

    def _outline(self, pixels: np.ndarray, grid: Grid, cell: tuple[int, int]) -> None:
        """A black and white frame around a patch, in place."""
        height, width = self.size
        (top, left), (bottom, right) = self.corner(grid, *cell), self.corner(grid, cell[0] + 1, cell[1] + 1)
        thick = max(1, round(max(height, width) / 400))
        for shade, out in ((0, thick), (255, 0)):
            box = (top - out, bottom + out, left - out, right + out)
            _frame(pixels[..., :3], box, thick, shade)


def _frame(pixels: np.ndarray, box: tuple[int, int, int, int], thick: int, shade: int) -> None:
    height, width = pixels.shape[:2]
    if box[1] <= 0 or box[0] >= height or box[3] <= 0 or box[2] >= width:
        return  # the patch lies in the padding beside the picture
    top, bottom, left, right = (
        max(0, min(edge, limit)) for edge, limit in zip(box, (height, height, width, width), strict=True)
    )
    pixels[top : top + thick, left:right] = shade
    pixels[max(top, bottom - thick) : bottom, left:right] = shade
    pixels[top:bottom, left : left + thick] = shade
    pixels[top:bottom, max(left, right - thick) : right] = shade


def ends_of(cells: np.ndarray) -> tuple[int, int]:
    """From where to where cells are 0 or more, as `Canvas.cells` has them inside the view."""
    inside = np.flatnonzero(cells >= 0)
    return (int(inside[0]), int(inside[-1]) + 1) if inside.size else (0, 0)
