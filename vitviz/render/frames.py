"""The frames of an animation: one map each, alike in size and place, with its name and what its colours mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from vitviz.render import animation
from vitviz.render.compose import Tile, page_of, units_of
from vitviz.render.page import Page
from vitviz.render.plan import Plan, Seen
from vitviz.render.raster import pixels_of
from vitviz.render.scale import ends_text, note_of

# What a scale is called where there are several maps one after the other.
_NOTES = {"map": "each", "figure": "frames"}


def frames_of(plan: Plan, seen: Seen, tiles: Sequence[Tile]) -> Iterator[np.ndarray]:
    """The pixels of each frame, (H, W, 3) uint8 of one size; FileError where they would not fit into memory."""
    for i in range(len(tiles)):
        pixels = frame_of(plan, seen, tiles, i)
        if i == 0:
            animation.checked(len(tiles), pixels.shape[:2])
        yield pixels


def frame_of(plan: Plan, seen: Seen, tiles: Sequence[Tile], at: int) -> np.ndarray:
    """The pixels of one frame."""
    return pixels_of(frame_page(plan, seen, tiles, at))


def frame_page(plan: Plan, seen: Seen, tiles: Sequence[Tile], at: int) -> Page:
    """One frame, with what it is, and what its colours are where no bar says it, as the last words of its title."""
    titles = [_title(plan, tile) for tile in tiles]
    among = [(title, tile.limits) for title, tile in zip(titles, tiles, strict=True)]
    figure = replace(plan.figure, title=titles[at])
    return page_of(seen.image, tiles[at], plan.style, figure, _note(plan), among=among)


def _note(plan: Plan) -> str:
    """Which of the notes of `scale` is that of an animation."""
    if plan.over == "queries" and plan.scale in ("layer", "all"):
        return "zero frames"
    return _NOTES.get(plan.scale, plan.scale)


def _title(plan: Plan, tile: Tile) -> str:
    figure = plan.figure
    off = tile.shown.without if figure.title or figure.labels or not figure.bare else ""
    parts = [part for part in (figure.title, off, tile.label if figure.labels else "") if part]
    if parts and not figure.color_bar:
        ends = "" if tile.limits[0] == tile.limits[1] else f" {ends_text(tile.limits)}"
        parts.append(f"{units_of(tile.shown)}{ends}, {note_of(_note(plan), tile.limits)}")
    return " · ".join(parts)
