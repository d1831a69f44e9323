"""Any selection -> its map, whatever its method."""

from __future__ import annotations

from collections.abc import Callable

from vitviz.attention.maps import map_of
from vitviz.attention.methods import METHODS
from vitviz.attention.relevance import relevance
from vitviz.attention.rollout import rollout_of
from vitviz.attention.trace import Trace
from vitviz.attention.values import HeadMaps, Map, Selection
from vitviz.errors import AttentionError
from vitviz.images import Image
from vitviz.models.model import Model


def chosen_map(
    model: Model,
    image: Image,
    trace: Trace,
    selection: Selection,
    maps: HeadMaps | None = None,
    *,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> Map:
    """The map of a selection, taken from `maps` where these are the attention that it asks for.

    Raises AttentionError where the method is unknown, or not defined for this model; with the reason.
    """
    if selection.method not in METHODS:
        raise AttentionError(f"The method {selection.method!r} is unknown: give one of {', '.join(METHODS)}.")
    if selection.method == "attention":
        return map_of(trace, selection, maps)
    if selection.method == "rollout":
        return rollout_of(trace, selection, progress, cancel)
    return relevance(model, image, selection.target, selection.method, seen=trace, progress=progress, cancel=cancel)
