"""The pixels of a file before it is written, and what it will be, in words."""

from __future__ import annotations

import io
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


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """Pixels (H, W, 3) uint8, None for files of numbers; `text` says what the file is."""

    pixels: np.ndarray | None = field(repr=False)
    text: str


def preview_of(prepared: Prepared) -> Preview:
    """What a file will look like. PNG files are made and read back; of an animation the first frame is drawn."""
    found, figure = _preview_of(prepared), prepared.plan.figure
    if prepared.plan.format in (*NUMBERS, "mask"):
        return found
    note = lacking([figure.title, figure.label, *(tile.label for tile in prepared.tiles)])
    return replace(found, text=f"{found.text}; {note}") if note else found


def _preview_of(prepared: Prepared) -> Preview:
    plan, seen, tiles = prepared.plan, prepared.seen, prepared.tiles
    if plan.format in NUMBERS:
        arrays = arrays_of(tiles, plan.over)
        lines = [f"{name}: {' x '.join(map(str, a.shape)) or 'one'} {a.dtype}" for name, a in arrays.items()]
        return Preview(None, "\n".join(lines))
    if plan.format in MOVING:
        pixels = frame_of(plan, seen, tiles, 0)
        words = f"{len(tiles)} frames, {len(tiles) * plan.seconds:.1f} s"
        return Preview(pixels, f"{pixels.shape[1]} x {pixels.shape[0]} px, {words}")
    if plan.format in ("svg", "pdf"):
        page = page_for(plan, seen, tiles)
        size = f"{page.width / POINTS_PER_MM:.1f} x {page.height / POINTS_PER_MM:.1f} mm"
        return Preview(pixels_of(page), f"{size}, text as text, picture at {page.dpi} dpi")
    data = prepared.finish().data
    with Pillow.open(io.BytesIO(data), formats=["PNG"]) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return Preview(pixels, f"{pixels.shape[1]} x {pixels.shape[0]} px, {len(data) / 1000:,.0f} kB")
