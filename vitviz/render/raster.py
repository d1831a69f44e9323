"""A page of marks -> pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from vitviz.errors import FileError
from vitviz.render.letters import drawn, font, text_width
from vitviz.render.page import DESCENT, Line, Page, Picture, Ramp, Text

MOST_PIXELS = 64_000_000


def pixels_of(page: Page) -> np.ndarray:
    """The page as (height, width, 3) uint8, at its own resolution; FileError where that is too much."""
    times = page.dpi / 72.0
    width, height = max(1, round(page.width * times)), max(1, round(page.height * times))
    refuse_large(width, height)
    canvas = Pillow.new("RGB", (width, height), page.background)
    for mark in page.marks:
        if isinstance(mark, Picture):
            _picture(canvas, mark, times)
        elif isinstance(mark, Ramp):
            _ramp(canvas, mark, times)
        elif isinstance(mark, Line):
            _line(canvas, mark, times)
        else:
            _text(canvas, mark, times)
    return np.asarray(canvas)


def refuse_large(width: float, height: float) -> None:
    """FileError where so many pixels would not fit into memory comfortably."""
    if width * height > MOST_PIXELS:
        raise FileError(
            f"The figure would have {width:.0f} x {height:.0f} pixels; up to {MOST_PIXELS // 10**6} megapixels can be "
            "written: choose a smaller width, scale or resolution."
        )


def _box(mark: Picture | Ramp, times: float) -> tuple[int, int, int, int]:
    left, top = round(mark.x * times), round(mark.y * times)
    return left, top, max(1, round(mark.width * times)), max(1, round(mark.height * times))


def _picture(canvas: Pillow.Image, mark: Picture, times: float) -> None:
    left, top, width, height = _box(mark, times)
    picture = Pillow.fromarray(np.ascontiguousarray(mark.pixels))
    if picture.size != (width, height):
        way = Pillow.Resampling.BICUBIC if mark.smooth else Pillow.Resampling.NEAREST
        picture = picture.resize((width, height), way)
    canvas.paste(picture, (left, top))


def _ramp(canvas: Pillow.Image, mark: Ramp, times: float) -> None:
    left, top, width, height = _box(mark, times)
    count = len(mark.table)
    rows = count - 1 - ((np.arange(height) + 0.5) * count / height).astype(int)
    canvas.paste(Pillow.fromarray(np.ascontiguousarray(mark.table[rows][:, None].repeat(width, 1))), (left, top))


def _line(canvas: Pillow.Image, mark: Line, times: float) -> None:
    # Lines are upright or level: whole pixels, so that none is blurred.
    thick = max(1, round(mark.width * times))
    x0, x1 = sorted((mark.x0 * times, mark.x1 * times))
    y0, y1 = sorted((mark.y0 * times, mark.y1 * times))
    left, top = round(x0 - thick / 2 if x0 == x1 else x0), round(y0 - thick / 2 if y0 == y1 else y0)
    right = left + thick if x0 == x1 else round(x1)
    bottom = top + thick if y0 == y1 else round(y1)
    box = max(0, left), max(0, top), min(canvas.width, right), min(canvas.height, bottom)
    if box[2] > box[0] and box[3] > box[1]:
        size = box[2] - box[0], box[3] - box[1]
        canvas.paste(mark.color, box, Pillow.new("L", size, round(255 * mark.opacity)))


def _text(canvas: Pillow.Image, mark: Text, times: float) -> None:
    letters, text = font(mark.size * times), drawn(mark.text)
    width = text_width(mark.text, mark.size) * times
    back = {"start": 0.0, "middle": width / 2, "end": width}[mark.anchor]
    if not mark.turned:
        ImageDraw.Draw(canvas).text(
            (mark.x * times - back, mark.y * times), text, font=letters, fill=mark.color, anchor="ls"
        )
        return
    # Drawn level on a slip of its own, then turned: the baseline is then the right of the letters.
    below = round(mark.size * times * DESCENT) + 2
    slip = Pillow.new("L", (round(width) + 4, round(mark.size * times) + below), 0)
    ImageDraw.Draw(slip).text((2, slip.height - below), text, font=letters, fill=255, anchor="ls")
    slip = slip.transpose(Pillow.Transpose.ROTATE_90)
    left = round(mark.x * times) - (slip.width - below)
    top = round(mark.y * times + back) - slip.height + 2
    canvas.paste(mark.color, (left, top), slip)
