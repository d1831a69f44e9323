"""The view: where it lies in the picture and how it is cut out, as timm's eval transform, without torch."""

import math
from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from vitviz.errors import ImageError

# A picture resized to more than this is cropped first; up to there the result is timm's, bit for bit.
MAX_RESIZED_PIXELS = 64_000_000

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a model wants its view; names as in timm's ``pretrained_cfg``. ImageError where no view can be made so."""

    input_size: tuple[int, int]  # height, width
    mean: tuple[float, ...]  # one for each channel, or one for all
    std: tuple[float, ...]
    interpolation: str = "bicubic"
    crop_pct: float = 1.0
    crop_mode: str = "center"  # center | squash | border
    channels: int = 3

    def __post_init__(self) -> None:
        numbers = (*self.mean, *self.std)
        wrong = (
            (len(self.input_size) != 2 or not all(1 <= side <= 8192 for side in self.input_size), "input_size"),
            (self.channels not in (1, 3), "channels"),
            ({len(self.mean), len(self.std)} - {1, 3, self.channels} or not all(map(math.isfinite, numbers)), "mean"),
            (not all(self.std), "std"),
            (self.interpolation not in _INTERPOLATIONS, "interpolation"),
            (not 0.01 <= self.crop_pct <= 4, "crop_pct"),
            (self.crop_mode not in ("center", "squash", "border"), "crop_mode"),
        )
        for is_wrong, what in wrong:
            if is_wrong:
                came = repr(getattr(self, what))[:60]
                raise ImageError(f"The model asks for {what} {came}, which no view can have; check its configuration.")

    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and std, one of each for every channel; three for one channel are averaged."""
        if self.channels == 1:
            return (sum(self.mean) / len(self.mean),), (sum(self.std) / len(self.std),)
        return self.mean * (3 // len(self.mean)), self.std * (3 // len(self.std))


@dataclass(frozen=True, slots=True)
class View:
    """Where the model's view lies in the picture; coordinates are continuous, pixel i covers [i, i + 1)."""

    picture_size: tuple[int, int]  # height, width
    size: tuple[int, int]
    box: tuple[float, float, float, float]  # x0, y0, x1, y1 in picture pixels; beyond the picture where it is padded

    def to_view(self, x: float, y: float) -> tuple[float, float]:
        """The place (u, v) in the view of the place (x, y) in the picture."""
        x0, y0, x1, y1 = self.box
        return (x - x0) / (x1 - x0) * self.size[1], (y - y0) / (y1 - y0) * self.size[0]

    def to_picture(self, u: float, v: float) -> tuple[float, float]:
        """The place (x, y) in the picture of the place (u, v) in the view."""
        x0, y0, x1, y1 = self.box
        return x0 + u / self.size[1] * (x1 - x0), y0 + v / self.size[0] * (y1 - y0)

    def contains(self, x: float, y: float) -> bool:
        """Whether the place (x, y) in picture pixels lies in the view, its padding included."""
        x0, y0, x1, y1 = self.box
        return x0 <= x < x1 and y0 <= y < y1


def _placement(picture_size: tuple[int, int], asked: Preprocessing) -> tuple[tuple[int, int], tuple[int, int]]:
    """The size to resize to, and (top, left) of the view in it, as timm's and torchvision's transforms round them."""
    height, width = picture_size
    target = [math.floor(side / asked.crop_pct) for side in asked.input_size]
    # timm fails where a side would be 0.
    high, wide = (max(1, side) for side in target)
    if asked.crop_mode == "squash":
        resized = [high, wide]
    elif asked.crop_mode == "center" and high == wide:
        long = int(high * max(height, width) / min(height, width))
        resized = [high, long] if height < width else [long, high]
    else:
        ratio = (max if asked.crop_mode == "border" else min)(height / high, width / wide)
        resized = [max(1, round(height / ratio)), max(1, round(width / ratio))]
    offset = [
        -((crop - have) // 2) if crop > have else round((have - crop) / 2)
        for crop, have in zip(asked.input_size, resized, strict=True)
    ]
    return (resized[0], resized[1]), (offset[0], offset[1])


def view_of(picture_size: tuple[int, int], preprocessing: Preprocessing) -> View:
    """Where the view lies in a picture of (height, width): the exact inverse of the resize and crop."""
    (high, wide), (top, left) = _placement(picture_size, preprocessing)
    height, width = preprocessing.input_size
    across, down = picture_size[1] / wide, picture_size[0] / high
    box = (left * across, top * down, (left + width) * across, (top + height) * down)
    return View(picture_size, preprocessing.input_size, box)


def lay_out(pixels: NDArray[np.uint8], asked: Preprocessing) -> PIL.Image.Image:
    """The view of a picture's pixels, (H, W, 3) uint8, as a Pillow image: RGB or, for one channel, L."""
    (high, wide), (top, left) = _placement((pixels.shape[0], pixels.shape[1]), asked)
    height, width = asked.input_size
    picture = PIL.Image.fromarray(pixels)
    picture = picture.convert("L") if asked.channels == 1 else picture
    filter_ = PIL.Image.Resampling[asked.interpolation.upper()]
    fill = tuple(min(max(round(255 * mean), 0), 255) for mean in asked.statistics()[0])
    view = PIL.Image.new(picture.mode, (width, height), fill if asked.crop_mode == "border" else 0)
    if high * wide <= MAX_RESIZED_PIXELS:
        view.paste(picture.resize((wide, high), filter_), (-left, -top))
        return view
    # A ribbon of 1 x 64,000,000 would be resized to terabytes: only what is seen is resized, with a margin for the
    # filter (lanczos reaches 3 pixels of the coarser side).
    seen = (max(left, 0), max(top, 0), min(left + width, wide), min(top + height, high))
    step = (picture.width / wide, picture.height / high)
    box = [edge * step[i % 2] for i, edge in enumerate(seen)]
    margin = [math.ceil(4 * max(1, s)) for s in step]
    near = [max(0, math.floor(box[i]) - margin[i]) for i in (0, 1)]
    far = [min(picture.size[i], math.ceil(box[i + 2]) + margin[i]) for i in (0, 1)]
    part = PIL.Image.fromarray(np.asarray(picture)[near[1] : far[1], near[0] : far[0]])
    within = (box[0] - near[0], box[1] - near[1], box[2] - near[0], box[3] - near[1])
    view.paste(part.resize((seen[2] - seen[0], seen[3] - seen[1]), filter_, within), (seen[0] - left, seen[1] - top))
    return view
