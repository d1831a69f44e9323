"""What a user has chosen and what is shown for it: plain values, free of torch, that window and files share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from vitviz.checks import is_number, one_of, short, whole, within
from vitviz.errors import AttentionError
from vitviz.images import View
from vitviz.models.layout import Grid, Windows


@dataclass(frozen=True, slots=True)
class Place:
    """A point of the picture in its own pixels, x to the right and y down."""

    x: float
    y: float

    def __post_init__(self) -> None:
        if not (is_number(self.x) and is_number(self.y)):
            raise AttentionError(f"A place is ({short(self.x)}, {short(self.y)}): give x and y in pixels, as numbers.")


Query = str | tuple[int, int] | Place
Head = int | Literal["mean", "max", "min"]
Direction = Literal["from", "to"]
AblateTo = Literal["zero", "mean"]
Method = Literal[
    "attention",
    "rollout",
    "relevance",
    "gradient rollout",
    "attention grad-cam",
    "token grad-cam",
    "token norm",
    "token similarity",
]
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

    def __post_init__(self) -> None:
        one_of(self.fusion, get_args(Fusion), "The fusion", AttentionError)
        one_of(self.variant, get_args(Variant), "The variant", AttentionError)
        if not is_number(self.discard) or not 0 <= self.discard < 1:
            raise AttentionError(f"The share to discard is {short(self.discard)}: give a number from 0 to below 1.")
        within(self.residual, 0, 1, "The weight of the residual", AttentionError)
        object.__setattr__(self, "first_layer", whole(self.first_layer, "The first layer", AttentionError))
        if self.last_layer is not None:
            object.__setattr__(self, "last_layer", whole(self.last_layer, "The last layer", AttentionError))


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be shown.

    Attributes:
        layer: index of the layer; -1 is the last one, as in a list.
        head: index of the head from 0, or "mean", "max", "min" over the heads.
        query: a named token ("cls", "dist", "reg0", "mean" over the patches), a patch (row, column) of the layer's
            own grid, or a Place in the picture; names in any case. None is the token that the model's output is made
            from.
        direction: "from" the query (what it looks at) or "to" it (what looks at it).
        method: a name of `Method`; all but "attention" put layers and heads together in their own way, and those of
            tokens ("token norm", "token similarity") have no heads.
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

    def __post_init__(self) -> None:
        target = None if self.target is None else whole(self.target, "The class", AttentionError, "its number")
        taken = {
            "layer": whole(self.layer, "The layer", AttentionError),
            "head": head_of(self.head),
            "query": None if self.query is None else query_of(self.query),
            "target": target,
        }
        for name, value in taken.items():
            object.__setattr__(self, name, value)


def head_of(head: Any) -> Head:
    """A head as it is looked up: an int, or one of the words; AttentionError for anything else."""
    if isinstance(head, str):
        if head not in ("mean", "max", "min"):
            raise AttentionError(f"The head {short(head)} is unknown: give a number, 'mean', 'max' or 'min'.")
        return head  # type: ignore[return-value]
    return whole(head, "The head", AttentionError, "a whole number, 'mean', 'max' or 'min'")


def query_of(query: Any) -> Query:
    """A query as it is looked up: a name in lower case, (row, column) as ints, or a Place; else AttentionError."""
    if isinstance(query, Place):
        return query
    if isinstance(query, str):
        return query.lower()
    instead = "the name of a token, a patch (row, column) in whole numbers, or a Place"
    if not isinstance(query, tuple | list) or len(query) != 2:
        raise AttentionError(f"The query is {short(query)}: give {instead}.")
    row, col = (whole(each, f"A number of the patch {short(query)}", AttentionError) for each in query)
    return row, col


def head_name(layer: int, head: int) -> str:
    """ "L3 H0": a head in short, unlike the "3.0" of stages and blocks; both numbers counted from 0."""
    return f"L{layer} H{head}"


@dataclass(frozen=True, slots=True)
class Ablation:
    """Heads that are switched off: a model altered so is another model, and what it shows is of that one.

    Attributes:
        heads: pairs (layer, head), both counted from 0, in order; any iterable of pairs is taken.
        to: what a switched-off head gives instead of its output: "zero", or "mean", its mean over the tokens.
    """

    heads: tuple[tuple[int, int], ...] = ()
    to: AblateTo = "zero"

    def __post_init__(self) -> None:
        object.__setattr__(self, "heads", tuple(sorted({(int(layer), int(head)) for layer, head in self.heads})))
        if self.to not in ("zero", "mean"):
            raise AttentionError(f"A head can't be set to {self.to!r}: give 'zero' or 'mean'.")

    def __bool__(self) -> bool:
        return bool(self.heads)

    def of(self, layer: int) -> tuple[int, ...]:
        """The heads of one layer that are off, in order."""
        return tuple(head for at, head in self.heads if at == layer)

    def toggled(self, heads: Iterable[tuple[int, int]]) -> Ablation:
        """These heads off; or on again where all of them are off already."""
        chosen, now = set(heads), set(self.heads)
        return replace(self, heads=tuple(now - chosen if chosen <= now else now | chosen))

    def within(self, heads: tuple[int, ...]) -> Ablation:
        """What is left of it in a model whose layers have so many heads."""
        kept = tuple((at, head) for at, head in self.heads if 0 <= at < len(heads) and 0 <= head < heads[at])
        return self if kept == self.heads else replace(self, heads=kept)

    @property
    def text(self) -> str:
        """ "3.0 3.5": the heads that are off as the command line takes them; empty where all are on."""
        return " ".join(f"{layer}.{head}" for layer, head in self.heads)

    @property
    def brief(self) -> str:
        """ "without L5 H2", to stand after the name of a model; empty where all heads are on."""
        pairs = [head_name(*pair) for pair in self.heads]
        named = ", ".join(pairs) if len(pairs) <= 3 else f"{len(pairs)} heads"
        return "" if not pairs else f"without {named}" if self.to == "zero" else f"{named} at the mean"

    @property
    def words(self) -> str:
        """ "2 heads off (L3 H0, L3 H5)", for a line of text."""
        pairs = [head_name(*pair) for pair in self.heads]
        named = ", ".join(pairs[:6]) + (", …" if len(pairs) > 6 else "")
        how = "" if self.to == "zero" else ", set to their mean"
        return f"{len(pairs)} head{'' if len(pairs) == 1 else 's'} off ({named}{how})"


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Values over a grid of patches, with the selection that made them.

    Attributes:
        values: (gh, gw) float32. Attention weights; with "from" they and `prefix_mass` sum to 1.
        prefix_mass: the share of the row that went to class token and registers.
        prefix_weights: the same per token, by name.
        padding_mass: the share that a windowed layer spent on padding, before the row was normalised.
        query_cell: the patch that looks (or is looked at), None for named tokens.
        ablation: the heads that were switched off in the model that was looked into.
        without: the same in words, "without L3 H0, L5"; "" where all were on.
        layer_title: stage, block and kind of window of the layer, "2.1 shifted"; "" where a network has no stages.
        windows: how the layer cuts its grid, None for attention over the whole grid.
        neighbour: how the next layer of the same stage cuts it (of the last one: the layer before), if another way.
        neighbour_layer: the index of that layer.
        from_pool: whether the row is that of an attention pool's own query, whatever query the selection names.
        note: what is left out of the values, a sentence; "" where nothing is.
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
    ablation: Ablation = Ablation()
    without: str = ""
    layer_title: str = ""
    windows: Windows | None = None
    neighbour: Windows | None = None
    neighbour_layer: int | None = None
    from_pool: bool = False
    note: str = ""


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
