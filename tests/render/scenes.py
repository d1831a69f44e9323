"""Pictures, crops, grids and maps of all shapes for the tests of drawing, and a plain reference of what is drawn."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from vitviz.attention.values import Map, Selection
from vitviz.images import Image, View
from vitviz.models.layout import Grid
from vitviz.render.style import color_table

NEAR = 1e-6  # pixels whose middle lies as near to an edge as this may fall on either side


@dataclass(frozen=True)
class Scene:
    """A picture, and a map over a part of it."""

    image: Image
    map: Map

    @property
    def unsure(self):
        """(H, W) bool: pixels whose middle lies on an edge between patches."""
        return _on_edge(*self._points()[0], self.map.grid.stride[0])[:, None] | _on_edge(
            *self._points()[1], self.map.grid.stride[1]
        )

    def _points(self):
        height, width = self.image.size
        x0, y0, x1, y1 = self.map.view.box
        high, wide = self.map.view.size
        down, across = (y1 - y0) / high, (x1 - x0) / wide
        return ((np.arange(height) + 0.5 - y0) / down, 1 / down), ((np.arange(width) + 0.5 - x0) / across, 1 / across)

    def cells(self):
        """(H, W, 2) the patch under the middle of each pixel, and (H, W) whether there is one."""
        (v, _), (u, _) = self._points()
        grid, (high, wide) = self.map.grid, self.map.view.size
        row, col = np.floor(v / grid.stride[0]), np.floor(u / grid.stride[1])
        inside = ((v >= 0) & (v < min(high, grid.rows * grid.stride[0])))[:, None] & (
            (u >= 0) & (u < min(wide, grid.cols * grid.stride[1]))
        )
        found = np.stack(np.broadcast_arrays(row[:, None], col[None]), -1)
        return np.clip(found, 0, np.array(grid.shape) - 1).astype(int), inside


def _on_edge(at, step, stride):
    return np.abs(at / stride - np.round(at / stride)) < NEAR * max(1.0, step)


def map_over(values, picture_size, *, stride=(4, 4), size=None, box=None, cell=None):
    """A map with the whole picture as its view, unless told otherwise."""
    values = np.asarray(values, dtype=np.float32)
    grid = Grid(*values.shape, stride)
    size = size or (grid.rows * stride[0], grid.cols * stride[1])
    box = box or (0.0, 0.0, float(picture_size[1]), float(picture_size[0]))
    return Map(
        values, Selection(), grid, View(picture_size, size, box), "blocks.0", "model", "picture", query_cell=cell
    )


def picture_of(height, width, *, seed=0, low=100):
    """A picture of loud pixels: none is as grey or dark as what the model did not see."""
    pixels = np.random.default_rng(seed).integers(low, 256, (height, width, 3), dtype=np.uint8)
    return Image.from_array(pixels)


@st.composite
def scenes(draw):
    """Small pictures under crops that are off-centre, smaller or larger than they are."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rows, cols = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    stride = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    # A view need not be a multiple of its patches: the rest is not seen (floor) or padded (ceil).
    rest = tuple(draw(st.integers(-(s - 1), s - 1)) for s in stride)
    size = rows * stride[0] + rest[0], cols * stride[1] + rest[1]
    x0, y0 = draw(st.floats(-30, 38)), draw(st.floats(-30, 38))
    box = x0, y0, x0 + draw(st.floats(0.5, 90)), y0 + draw(st.floats(0.5, 90))
    seed = draw(st.integers(0, 2**16))
    values = np.random.default_rng(seed).random((rows, cols)).astype(np.float32)
    image = picture_of(height, width, seed=seed)
    return Scene(image, map_over(values, image.size, stride=stride, size=size, box=box))


def reference(scene, *, opacity, limits, colormap="viridis"):
    """The overlay in floating point, pixel by pixel from the definition; NaN where the model saw nothing."""
    cells, inside = scene.cells()
    low, high = limits
    values = scene.map.values.astype(np.float64)[cells[..., 0], cells[..., 1]]
    index = np.clip(np.floor((values - low) / (high - low) * 255 + 0.5), 0, 255).astype(int)
    colors = color_table(colormap)[index].astype(np.float64)
    mixed = scene.image.pixels * (1 - opacity) + colors * opacity
    mixed[~inside] = np.nan
    return mixed, index
