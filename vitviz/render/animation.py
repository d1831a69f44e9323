"""Frames -> GIF or APNG by Pillow."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
from PIL import Image as Pillow

from vitviz.errors import FileError
from vitviz.render.png import info

MOST_PIXELS = 600_000_000  # of all frames together: 1.8 GB while the file is made


def checked(frames: int, size: tuple[int, int]) -> None:
    """FileError where so many frames of (height, width) would not fit into memory."""
    if frames * size[0] * size[1] > MOST_PIXELS:
        raise FileError(
            f"{frames} frames of {size[1]} x {size[0]} pixels are more than the {MOST_PIXELS // 10**6} megapixels "
            "that an animation may have: choose a smaller width, scale or resolution."
        )


def gif(frames: Iterable[np.ndarray], seconds: float) -> bytes:
    """(H, W, 3) uint8 frames of one size -> a GIF that repeats for ever, 256 colours for each frame."""
    pictures = [
        Pillow.fromarray(frame).quantize(256, Pillow.Quantize.MEDIANCUT, dither=Pillow.Dither.FLOYDSTEINBERG)
        for frame in frames
    ]
    data = io.BytesIO()
    # GIF counts in hundredths of a second.
    pictures[0].save(
        data,
        format="GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=max(20, round(seconds * 100) * 10),
        loop=0,
        disposal=1,
        optimize=False,
    )
    return data.getvalue()


def apng(frames: Iterable[np.ndarray], seconds: float, text: str | None) -> bytes:
    """(H, W, 3) uint8 frames of one size -> an APNG that repeats for ever, without loss, with `text` in an iTXt."""
    pictures = [Pillow.fromarray(frame) for frame in frames]
    data = io.BytesIO()
    pictures[0].save(
        data,
        format="PNG",
        save_all=True,
        append_images=pictures[1:],
        duration=round(seconds * 1000),
        loop=0,
        pnginfo=info(text),
    )
    return data.getvalue()
