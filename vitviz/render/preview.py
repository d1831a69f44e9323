"""The pixels of a file before it is written, and what it will be, in words."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image as Pillow

from vitviz.render.figure import POINTS_PER_MM
from vitviz.render.frames import frame_of
from vitviz.render.letters import lacking
from vitviz.render.making import page_for
from vitviz.render.numbers import arrays_of
from vitviz.render.plan import MOVING, NUMBERS
from vitviz.render.raster import pixels_of
from vitviz.render.recipe import Prepared

MOST_FRAMES, LONGEST_SIDE = 48, 720  # of a film: what plays in a dialog needs no more


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """Pixels (H, W, 3) uint8, None for files of numbers; `text` says what the file is.

    Attributes:
        film: what the frames of an animation are drawn from by `film_of`; None for all that does not move.
    """

    pixels: np.ndarray | None = field(repr=False)
    text: str
    film: Prepared | None = field(default=None, repr=False)


def preview_of(prepared: Prepared) -> Preview:
    """What a file will look like. PNG files are made and read back; of an animation the first frame is drawn here."""
    found, figure = _preview_of(prepared), prepared.plan.figure
    if prepared.plan.format in (*NUMBERS, "mask"):
        return found
    note = lacking([figure.title, figure.label, *(tile.label for tile in prepared.tiles)])
    return replace(found, text=f"{found.text}; {note}") if note else found


def film_of(prepared: Prepared, check: Callable[[], None] = lambda: None) -> list[np.ndarray]:
    """The first MOST_FRAMES of an animation, (H, W, 3) uint8, with up to LONGEST_SIDE pixels at the longer side.

    `check` is called before each frame, and may raise.
    """
    frames = []
    for at in range(min(len(prepared.tiles), MOST_FRAMES)):
        check()
        frame = Pillow.fromarray(frame_of(prepared.plan, prepared.seen, prepared.tiles, at))
        frame.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        frames.append(np.asarray(frame))
    return frames


def _preview_of(prepared: Prepared) -> Preview:
    plan, seen, tiles = prepared.plan, prepared.seen, prepared.tiles
    if plan.format in NUMBERS:
        arrays = arrays_of(tiles, plan.over)
        lines = [f"{name}: {' x '.join(map(str, a.shape)) or 'one'} {a.dtype}" for name, a in arrays.items()]
        return Preview(None, "\n".join(lines))
    if plan.format in MOVING:
        pixels = frame_of(plan, seen, tiles, 0)
        words = f"{len(tiles)} frames, {len(tiles) * plan.seconds:.1f} s"
        words += f", of which the first {MOST_FRAMES} play here" if len(tiles) > MOST_FRAMES else ""
        return Preview(pixels, f"{pixels.shape[1]} x {pixels.shape[0]} px, {words}", prepared)
    if plan.format in ("svg", "pdf"):
        page = page_for(plan, seen, tiles)
        size = f"{page.width / POINTS_PER_MM:.1f} x {page.height / POINTS_PER_MM:.1f} mm"
        return Preview(pixels_of(page), f"{size}, text as text, picture at {page.dpi} dpi")
    data = prepared.finish().data
    with Pillow.open(io.BytesIO(data), formats=["PNG"]) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return Preview(pixels, f"{pixels.shape[1]} x {pixels.shape[0]} px, {len(data) / 1000:,.0f} kB")
