"""What a user has chosen and what is shown for it: plain values, free of torch, that window and files share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from vitviz.images import View
from vitviz.models.layout import Grid


@dataclass(frozen=True, slots=True)
class Place:
    """A point of the picture in its own pixels, x to the right and y down."""

    x: float
    y: float


Query = str | tuple[int, int] | Place
Head = int | Literal["mean", "max", "min"]
Direction = Literal["from", "to"]
Method = Literal["attention", "rollout", "relevance", "gradient rollout", "attention grad-cam", "token grad-cam"]
Fusion = Literal["mean", "max", "min"]
Variant = Literal["abnar", "vit-paper", "vit-explain"]


@dataclass(frozen=True, slots=True)
class RolloutOptions:
    """How attention is rolled out over the layers.

    Attributes:
        fusion: how the heads of a layer become one matrix; max and min rows are normalised again.
        discard: the share of the patches whose weight in a row is set to 0, the smallest first.
        first_layer: the layer nearest the image that is taken in.
        last_layer: "up to layer": where the query stands; None is the last layer.
        residual: the weight of the identity beside attention, 0.5 for (A + I) / 2.
        variant: "abnar" (Abnar and Zuidema), "vit-paper" (the same, drawn as the figures of the ViT paper were),
            "vit-explain" (as jacobgil/vit-explain computes it, to compare with pictures published from it).
    """

    fusion: Fusion = "mean"
    discard: float = 0.0
    first_layer: int = 0
    last_layer: int | None = None
    residual: float = 0.5
    variant: Variant = "abnar"


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be shown.

    Attributes:
        layer: index of the layer.
        head: index of the head, or "mean", "max", "min" over the heads.
        query: a named token ("cls", "dist", "reg0", "mean" over the patches), a patch (row, column) of the layer's
            own grid, or a Place in the picture; None is the token that the model's output is made from.
        direction: "from" the query (what it looks at) or "to" it (what looks at it).
        method: a name of `Method`; all but "attention" put layers and heads together in their own way.
        target: index of the class that is explained, for methods that follow its logit.
        options: how rollout is made; the usual way where None.
    """

    layer: int = 0
    head: Head = "mean"
    query: Query | None = None
    direction: Direction = "from"
    method: Method = "attention"
    target: int | None = None
    options: RolloutOptions | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Values over a grid of patches, with the selection that made them.

    Attributes:
        values: (gh, gw) float32. Attention weights; with "from" they and `prefix_mass` sum to 1.
        prefix_mass: the share of the row that went to class token and registers.
        prefix_weights: the same per token, by name.
        padding_mass: the share that a windowed layer spent on padding, before the row was normalised.
        query_cell: the patch that looks (or is looked at), None for named tokens.
    """

    values: np.ndarray = field(repr=False)
    selection: Selection
    grid: Grid
    view: View
    layer_name: str
    model_name: str
    image_name: str
    prefix_mass: float = 0.0
    prefix_weights: dict[str, float] = field(default_factory=dict)
    padding_mass: float = 0.0
    query_cell: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class HeadMaps:
    """The maps of every head of every layer for one query, computed together.

    Attributes:
        values: per layer (H, gh, gw) float32.
        prefix: per layer (H, P) float32, the weight on each prefix token.
        padding: per layer (H,) float32.
        cells: per layer the patch of the query, None for named tokens.
    """

    query: Query
    direction: Direction
    values: tuple[np.ndarray, ...] = field(repr=False)
    prefix: tuple[np.ndarray, ...] = field(repr=False)
    padding: tuple[np.ndarray, ...] = field(repr=False)
    cells: tuple[tuple[int, int] | None, ...] = ()
