"""How a map is drawn: one frozen value, and the limits of its colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np

from vitviz.checks import is_number, one_of, short, within
from vitviz.errors import RenderError

COLORMAPS = ("viridis", "inferno", "magma", "cividis", "gray")
Limits = Literal["map", "layer", "all"] | tuple[float, float]
_WORDS = ("map", "layer", "all")
Interpolation = Literal["nearest", "smooth"]
Marked = Literal["contour", "mask"]
UNIFORM = 1e-5  # what float32 leaves of equal numbers, relative


@dataclass(frozen=True, slots=True)
class Style:
    """How a map becomes colours over its picture.

    Attributes:
        colormap: a name of `COLORMAPS` (any that the cmap package knows is taken).
        opacity: 0 shows the picture alone, 1 the colours alone.
        limits: "map" (from its own least to its largest value), "layer" (0 to the largest of all heads of the layer),
            "all" (0 to the largest of all heads of all layers), or (low, high).
        interpolation: "nearest" shows the patches as they are, "smooth" interpolates between them (bicubic).
        show_query: outline the patch that looks.
        show_window: outline the window that the patch looks within, and hatch what its mask shuts out.
        show_partition: draw all windows of the layer, and dashed those of the next layer.
        threshold: the smallest set of patches that holds this share of the map's mass is marked (DINO); 0 marks none.
        marked: how, by its "contour", or as a "mask", with the picture dark around it.

    Raises RenderError for a share beyond 0 to 1, a word that is none of these, or other limits.
    """

    colormap: str = "viridis"
    opacity: float = 0.6
    limits: Limits = "map"
    interpolation: Interpolation = "nearest"
    show_query: bool = True
    show_window: bool = True
    show_partition: bool = False
    threshold: float = 0.0
    marked: Marked = "contour"

    def __post_init__(self) -> None:
        within(self.opacity, 0, 1, "The opacity", RenderError)
        within(self.threshold, 0, 1, "The threshold", RenderError)
        one_of(self.interpolation, get_args(Interpolation), "The interpolation", RenderError)
        one_of(self.marked, get_args(Marked), "The mark", RenderError)
        if self.limits in _WORDS:
            return
        if not isinstance(self.limits, tuple | list) or len(self.limits) != 2 or not all(map(is_number, self.limits)):
            words = ", ".join(map(repr, _WORDS))
            raise RenderError(f"The limits are {short(self.limits)}: give {words}, or (low, high) as numbers.")
        object.__setattr__(self, "limits", tuple(self.limits))


@lru_cache(maxsize=32)
def color_table(name: str) -> np.ndarray:
    """The (256, 3) uint8 colours of a colormap; RenderError for an unknown name."""
    from cmap import Colormap

    try:
        found = Colormap(name)
    except (ValueError, TypeError) as error:
        raise RenderError(
            f"The colormap {short(name)} is unknown: give {', '.join(COLORMAPS)}, or another of the cmap package."
        ) from error
    table = (np.asarray(found.lut(256))[:, :3] * 255.0).round().astype(np.uint8)
    table.setflags(write=False)
    return table


def limits_of(
    values: np.ndarray, limits: Limits, layer: np.ndarray, layers: Sequence[np.ndarray]
) -> tuple[float, float]:
    """The values at the two ends of the colours.

    Args:
        values: the map that is drawn.
        limits: as in Style.
        layer: the maps of all heads of its layer, (H, gh, gw).
        layers: the same for every layer.
    """
    if isinstance(limits, tuple):
        return float(limits[0]), float(limits[1])
    if limits == "layer":
        return 0.0, float(layer.max())
    if limits == "all":
        return 0.0, max(float(maps.max()) for maps in layers)
    low, high = float(values.min()), float(values.max())
    if is_uniform(low, high):
        # What is left of a softmax over equal scores is rounding: stretched over all colours it would look like a find.
        return high, high
    return low, high


def is_uniform(low: float, high: float) -> bool:
    """Whether two ends of a scale are the same value, up to rounding in float32."""
    return high - low <= UNIFORM * max(abs(low), abs(high))


def color_indices(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Values -> indices 0..255 into a color table; all 0 where the limits coincide."""
    low, high = limits
    if not high > low:
        return np.zeros(values.shape, dtype=np.uint8)
    scaled = (values - low) * (255.0 / (high - low)) + 0.5
    return np.clip(scaled, 0.0, 255.0).astype(np.uint8)
