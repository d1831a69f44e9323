"""Frames -> GIF or APNG by Pillow."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image as Pillow

from vitviz.errors import FileError
from vitviz.render.png import info

_BITS = 5  # of a channel: colours nearer to each other count as one
MOST_PIXELS = 600_000_000  # of all frames together: about 2 GB while a GIF is made, 5 GB for an APNG


def checked(frames: int, size: tuple[int, int]) -> None:
    """FileError where so many frames of (height, width) would not fit into memory."""
    if frames * size[0] * size[1] > MOST_PIXELS:
        raise FileError(
            f"{frames} frames of {size[1]} x {size[0]} pixels are more than the {MOST_PIXELS // 10**6} megapixels "
            "that an animation may have: choose a smaller width, scale or resolution."
        )


def gif(frames: Iterable[np.ndarray], seconds: float) -> bytes:
    """(H, W, 3) uint8 frames of one size -> a GIF that repeats for ever; all frames have the same 256 colours."""
    pictures = deque(frames)
    palette, drawn = _palette(pictures), []
    while pictures:  # of a frame either its colours are kept or their numbers, not both
        picture = Pillow.fromarray(pictures.popleft())
        drawn.append(picture.quantize(palette=palette, dither=Pillow.Dither.FLOYDSTEINBERG))
    data = io.BytesIO()
    # GIF counts in hundredths of a second.
    drawn[0].save(
        data,
        format="GIF",
        save_all=True,
        append_images=drawn[1:],
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


def _palette(frames: Sequence[np.ndarray]) -> Pillow.Image:
    """256 colours for all frames together, so that a value has the same colour in each.

    Colours that are rare, such as the ends of a colour bar, count by the root of their number: by the number itself the
    largest weights would lose theirs to the picture. The colour of the corner, around a figure, is kept as it is.
    """
    counts, sums = np.zeros(1 << 3 * _BITS, dtype=np.int64), np.zeros((1 << 3 * _BITS, 3))
    for frame in frames:  # all pixels at once take ten times the memory of the frames
        cells = frame.reshape(-1, 3) >> (8 - _BITS)
        keys = (cells[:, 0].astype(np.int32) << 2 * _BITS) | (cells[:, 1].astype(np.int32) << _BITS) | cells[:, 2]
        counts += np.bincount(keys, minlength=len(counts))
        for c in range(3):  # sums of whole numbers, which are exact in any order
            sums[:, c] += np.bincount(keys, weights=frame[..., c].ravel(), minlength=len(counts))
    used = counts > 0
    colors = (sums[used] / counts[used, None]).round().astype(np.uint8)
    sample = colors.repeat(np.ceil(np.sqrt(counts[used])).astype(np.int64), axis=0)
    found = Pillow.fromarray(sample[None]).quantize(255, Pillow.Quantize.MEDIANCUT, kmeans=1).getpalette() or []
    palette = Pillow.new("P", (1, 1))
    palette.putpalette([*frames[0][0, 0].tolist(), *found[: 255 * 3]])
    return palette
