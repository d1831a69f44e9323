"""The part of a picture that a model saw, as a picture of its own: figures without what was cropped away."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from vitviz.attention.values import Map
from vitviz.images import Image
from vitviz.render.figure import Figure


def part_for(figure: Figure, image: Image, shown: Map) -> tuple[Image, Map]:
    """The picture and a map of it as a figure shows them: whole, or what the model saw alone."""
    return seen_part(image, shown) if figure.seen_only else (image, shown)


def seen_part(image: Image, shown: Map) -> tuple[Image, Map]:
    """The pixels whose middles lie in the view of a map, at least one each way, and the map laid over them."""
    view, (height, width) = shown.view, image.size
    left, right = _span(view.box[0], view.box[2], width)
    top, bottom = _span(view.box[1], view.box[3], height)
    if (left, top, right, bottom) == (0, 0, width, height):
        return image, shown
    x0, y0, x1, y1 = view.box
    moved = replace(view, picture_size=(bottom - top, right - left), box=(x0 - left, y0 - top, x1 - left, y1 - top))
    pixels = np.ascontiguousarray(image.pixels[top:bottom, left:right])
    return replace(image, pixels=pixels), replace(shown, view=moved)


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    """First pixel and one past the last whose middle lies from `low` up to `high`."""
    first = min(size - 1, max(0, math.ceil(low - 0.5)))
    return first, max(first + 1, min(size, math.ceil(high - 0.5)))
