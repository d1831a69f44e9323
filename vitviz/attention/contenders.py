"""The maps of every method for one class of one picture, to be judged side by side."""

from __future__ import annotations

from collections.abc import Callable

from vitviz.attention.maps import attention_map
from vitviz.attention.methods import METHODS
from vitviz.attention.relevance import relevance
from vitviz.attention.rollout import rollout
from vitviz.attention.trace import Trace
from vitviz.attention.values import Map, Method
from vitviz.errors import AttentionError
from vitviz.images import Image
from vitviz.models.model import Model


def name_of(shown: Map) -> str:
    """What a map is called among others: its method, the query of rollout, and of attention also layer and head."""
    chosen = shown.selection
    title = METHODS[chosen.method].title
    if not METHODS[chosen.method].of_head:
        return f"{title} from {_query_of(shown)}" if METHODS[chosen.method].of_query else title
    head = f"head {chosen.head}" if isinstance(chosen.head, int) else f"{chosen.head} of heads"
    return f"{title} {chosen.direction} {_query_of(shown)}: layer {chosen.layer} {head}"


def _query_of(shown: Map) -> str:
    if shown.query_cell is not None:
        return f"patch ({shown.query_cell[0]}, {shown.query_cell[1]})"
    return shown.selection.query.upper() if isinstance(shown.selection.query, str) else "its query"


def contenders(
    model: Model,
    image: Image,
    seen: Trace,
    target: int,
    shown: Map | None = None,
    *,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> tuple[dict[str, Map], list[str]]:
    """The shown map, the last layer's mean of heads, and the map of every other method, by name.

    Class-specific methods are of `target`; maps that depend on a query are of the token that the output is made from.
    The second result says, in a sentence each, which methods this model can't have.
    """
    found: dict[str, Map] = {}
    gaps: list[str] = []
    if shown is not None and METHODS[shown.selection.method].of_class and shown.selection.target != target:
        shown = None  # of another class: its method is judged by the map of this one
    if shown is not None:
        found[name_of(shown)] = shown
    last = next(layer.index for layer in reversed(seen.layers) if layer.kind != "pool")
    for at, method in enumerate(METHODS):
        progress(at / len(METHODS), METHODS[method].title)
        if shown is not None and shown.selection.method == method != "attention":
            continue
        try:
            made = _made(model, image, seen, target, method, last, cancel)
        except AttentionError as error:
            gaps.append(f"{METHODS[method].title}: {error}")
            continue
        found.setdefault(name_of(made), made)
    return found, gaps


def _made(
    model: Model, image: Image, seen: Trace, target: int, method: Method, last: int, cancel: Callable[[], bool]
) -> Map:
    if method == "attention":
        return attention_map(seen, layer=last)
    if method == "rollout":
        return rollout(seen)
    return relevance(model, image, target, method, seen=seen, cancel=cancel)
