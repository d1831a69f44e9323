"""What is to be made of a picture seen by a model: selection, style, figure and kind of file, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, get_args

from vitviz.attention.methods import METHODS, TOKENS
from vitviz.attention.values import Map, Query, Selection
from vitviz.checks import is_number, one_of, short, within
from vitviz.errors import RenderError
from vitviz.images import Image
from vitviz.render.codec import LATER
from vitviz.render.figure import Figure
from vitviz.render.style import Limits, Style

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace
    from vitviz.models.model import Model

Format = Literal["png", "svg", "pdf", "npz", "safetensors", "gif", "apng", "mask"]
Over = Literal["map", "heads", "layers", "queries", "methods"]
Scale = Literal["map", "figure", "layer", "all", "fixed"]
FORMATS: tuple[Format, ...] = ("png", "svg", "pdf", "npz", "safetensors", "gif", "apng", "mask")
OVERS: tuple[Over, ...] = ("map", "heads", "layers", "queries", "methods")
MOVING: tuple[Format, ...] = ("gif", "apng")
NUMBERS: tuple[Format, ...] = ("npz", "safetensors")
# A mask is a picture of two colours, an APNG is a PNG to all that show pictures.
_SUFFIXES = {"mask": ".mask.png", "apng": ".apng.png"}


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A picture, a model, and the trace of the one through the other."""

    image: Image
    model: Model
    trace: Trace


@dataclass(frozen=True, slots=True)
class Plan:
    """One file to be made; with the hashes of picture and weights it is the recipe of that file.

    Attributes:
        selection: what is shown; a sheet or animation varies one part of it.
        style: how maps are drawn. Its limits are numbers for one map, and may be words for several.
        figure: what is around them.
        format: of the file. "mask" is a PNG of 0 and 255.
        over: "map" (the one selected), "heads" (a sheet: of every layer; an animation: of the chosen layer), "layers",
            "queries" (every patch as the query), "methods".
        scale: what the ends of the colours are shared over: "figure" (all maps of the file, from their least to their
            largest value), else what the limits of the style were when they were words.
        seconds: for each frame of an animation.
        mass: of a mask: the smallest set of patches that holds this share of the map's sum is white.
        pinned: the query that was held by hand when this was shown in a window; None where none was, or nobody knows.
    """

    selection: Selection = field(default_factory=lambda: Selection(layer=-1))
    style: Style = field(default_factory=Style)
    figure: Figure = field(default_factory=Figure)
    format: Format = "png"
    over: Over = "map"
    scale: Scale = "map"
    seconds: float = 0.5
    mass: float = 0.6
    pinned: Query | None = field(default=None, metadata=LATER)

    def __post_init__(self) -> None:
        one_of(self.format, FORMATS, "The format", RenderError)
        one_of(self.over, OVERS, "A figure over", RenderError)
        one_of(self.scale, get_args(Scale), "The scale", RenderError)
        within(self.seconds, 0.02, 60, "The seconds for each frame", RenderError)
        if not is_number(self.mass) or not 0 < self.mass <= 1:
            raise RenderError(f"The mass of a mask is {short(self.mass)}: give more than 0 and up to 1.")
        if self.format in MOVING and self.over in ("map", "methods"):
            raise RenderError("An animation goes over layers, heads or queries: choose one of them.")
        if self.selection.method in TOKENS:
            raise RenderError(
                f"A {self.selection.method} has no figure that a recipe could make again: draw the map over its "
                "picture with vitviz.overlay(image, map), and save the pixels."
            )
        one_of(self.selection.method, tuple(METHODS), "The method", RenderError)
        method = METHODS[self.selection.method]
        if (self.over in ("heads", "layers") and not method.of_head) or (
            self.over == "queries" and not method.of_query
        ):
            raise RenderError(
                f"{method.title} is one map for all {self.over}: make a figure over something else, or of attention."
            )
        if self.over == "queries" and self.format not in (*MOVING, *NUMBERS):
            raise RenderError("All queries are too many for one picture: write an animation or numbers.")
        if self.format == "mask" and self.over != "map":
            raise RenderError("A mask is of one map.")

    @property
    def suffix(self) -> str:
        """The end of the file's name."""
        return suffix_of(self.format)


def suffix_of(kind: str) -> str:
    """The end of the name of a file of one of `FORMATS`."""
    return _SUFFIXES.get(kind, f".{kind}")


def scale_of(limits: object, kind: str = "png") -> Scale:
    """What limits are shared over where nobody says it: in an animation the frames have one scale, not each its own."""
    if limits == "map" and kind in MOVING:
        return "figure"
    return limits if limits in ("map", "layer", "all") else "fixed"


def limits_for(scale: Scale, limits: Limits) -> Limits:
    """The limits of a style where the scale says what they are shared over: a word, or the numbers that are fixed."""
    return limits if scale == "fixed" else "map" if scale == "figure" else scale


def settled(plan: Plan, shown: Map, limits: tuple[float, float]) -> Plan:
    """The plan with what its map was found to be: the layer counted from 0, the query by name, limits in numbers."""
    numbers = limits if plan.over == "map" else plan.style.limits
    words = plan.style.limits
    kept = isinstance(words, tuple) or (plan.scale == "figure" and plan.over != "map")
    scale = plan.scale if kept else scale_of(words)
    return replace(plan, selection=shown.selection, style=replace(plan.style, limits=numbers), scale=scale)
