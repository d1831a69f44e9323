"""A figure from Python to a file, with its recipe: what the window and the command line write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vitviz.attention.trace import Trace
from vitviz.attention.values import Map, Selection
from vitviz.checks import short
from vitviz.errors import FileError, RenderError
from vitviz.render.figure import Figure
from vitviz.render.plan import FORMATS, Over, Plan, Scale, Seen, scale_of
from vitviz.render.recipe import produce
from vitviz.render.style import Style


def save_figure(
    path: str | os.PathLike[str],
    trace: Trace,
    what: Map | Selection,
    *,
    style: Style | None = None,
    figure: Figure | None = None,
    over: Over = "map",
    seconds: float = 0.5,
    scale: Scale | None = None,
) -> Path:
    """Write a figure to `path`, and its recipe beside it as `NAME.json`.

    Args:
        path: of the figure; its ending says the format: .png, .svg, .pdf, .npz, .safetensors, .gif, .apng.png or
            .mask.png.
        trace: of the picture through the model.
        what: a map of this trace, or the selection of one.
        style: how maps are drawn.
        figure: what is around them; the bare overlay at the picture's own size where None.
        over: "map" alone, or a sheet or animation over "heads", "layers" or "queries".
        seconds: for each frame of an animation.
        scale: of several maps whose style has the limits "map": "figure" gives all of them one scale, from their least
            to their largest value, "map" each its own; where None an animation has one, a sheet has many.

    Returns:
        The path of the recipe, `NAME.json`, not that of the figure, which is `path`.

    Raises:
        FileError: the ending is unknown, or the file can't be written.
        RenderError: the plan makes no sense, such as an animation of one map.
    """
    if not isinstance(what, Map | Selection):
        raise RenderError(f"A figure of {short(what)} was asked for: give a Map, or the Selection of one.")
    target = Path(path)
    name = target.name.lower()
    by_ending: dict[str, Any] = {".mask.png": "mask", ".apng.png": "apng", **{f".{kind}": kind for kind in FORMATS}}
    kind = next((kind for ending, kind in by_ending.items() if name.endswith(ending)), None)
    if kind is None:
        raise FileError(f"{target.name} has no ending that says a format: end it with {', '.join(by_ending)}.")
    if trace.model is None or trace.image is None:
        raise FileError("This trace does not know its picture and model any more: trace the picture again.")
    drawn = style or Style()
    selection = what.selection if isinstance(what, Map) else what
    plan = Plan(selection, drawn, figure or Figure(), kind, over, scale or scale_of(drawn.limits, kind), seconds)
    return produce(plan, Seen(trace.image, trace.model, trace)).write(target)[-1]
