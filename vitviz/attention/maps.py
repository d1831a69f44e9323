"""(Trace, Selection) -> Map: what a query looks at, or is looked at by, laid on the grid of patches."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np
import torch

from vitviz.attention.layer import Layer
from vitviz.attention.threads import by_two, with_threads
from vitviz.attention.trace import Trace
from vitviz.attention.values import Direction, Head, HeadMaps, Map, Place, Query, Selection, query_of
from vitviz.errors import AttentionError

_FEW, _QUICK = 2e7, 2e8  # multiplications


def attention_map(
    trace: Trace,
    *,
    layer: int,
    head: Head = "mean",
    query: Query | None = None,
    direction: Direction = "from",
) -> Map:
    """The attention of one head (or the mean, max or min over heads) of one layer as a map over the picture.

    Heads that are switched off move nothing, so mean, max and min are over the others, and 0 everywhere where a whole
    layer is off; asked for by its number a head that is off is shown as it looks, and the note of the map says so.

    Layers count from 0, or from the last one: -1, as in a list. Heads, tokens and patches have no negative numbers.

    Raises AttentionError where the layer, head or query does not exist in this trace.
    """
    return map_of(trace, Selection(layer, head, query, direction))


def map_of(trace: Trace, selection: Selection, maps: HeadMaps | None = None) -> Map:
    """The map of a selection, taken from `maps` where these hold the same query already."""
    found = trace.layer(selection.layer)
    query = trace.default_query if selection.query is None else selection.query
    selection = replace(selection, layer=found.index, query=query)
    if maps is not None and (maps.query, maps.direction) == (query, selection.direction):
        values, prefix, padding = (part[found.index] for part in (maps.values, maps.prefix, maps.padding))
        cell = maps.cells[found.index]
    else:
        values, prefix, padding, cell = _numbers(_head_rows(trace, found, query, selection.direction))
    fuse = _fusion(selection.head, found)
    shares = fuse(prefix)
    beside = _neighbour(trace, found)
    return Map(
        values=np.ascontiguousarray(fuse(values), dtype=np.float32),
        selection=selection,
        grid=found.grid if selection.direction == "from" else found.query_grid,
        view=trace.view,
        layer_name=found.name,
        model_name=trace.model_name,
        image_name=trace.image_name,
        prefix_mass=float(shares.sum()),
        prefix_weights={name: float(w) for name, w in zip(found.prefix_tokens, shares, strict=False)},
        padding_mass=float(fuse(padding)),
        query_cell=cell,
        ablation=trace.ablation,
        without=trace.without,
        layer_title=found.title,
        windows=found.windows,
        neighbour=beside.windows if beside is not None else None,
        neighbour_layer=beside.index if beside is not None else None,
        from_pool=found.kind == "pool",
        note=heads_left(found, selection.head),
    )


def _neighbour(trace: Trace, layer: Layer) -> Layer | None:
    """The next layer of the stage, or else the one before, if it cuts the grid another way."""
    for other in (trace.layers[i] for i in (layer.index + 1, layer.index - 1) if 0 <= i < len(trace.layers)):
        if other.windows is not None and other.stage == layer.stage and layer.windows is not None:
            return other if other.windows != layer.windows else None
    return None


def head_maps(trace: Trace, query: Query | None = None, direction: Direction = "from") -> HeadMaps:
    """All heads of all layers for one query; on a GPU only what is drawn comes back, in one copy."""
    query = trace.default_query if query is None else query_of(query)
    if isinstance(query, tuple):
        query = place_of(trace, trace.layers[0], query)

    def rows(layer: Layer) -> _Rows:
        return _head_rows(trace, layer, query, direction, lenient=True)

    work = cost(trace, query, direction)
    if trace.layers[0].device.type == "cpu" and _FEW < work <= _QUICK:
        found = by_two(rows, trace.layers)
    else:
        with quick_threads(work):
            found = [rows(layer) for layer in trace.layers]
    device = found[0].values.device
    if device.type != "cpu":
        tensors = [t for each in found for t in (each.values, each.prefix, each.padding)]
        flat, sizes = torch.cat([t.reshape(-1) for t in tensors]).cpu(), [t.numel() for t in tensors]
        parts = iter(torch.split(flat, sizes))
        found = [
            replace(
                each,
                values=next(parts).view(each.values.shape),
                prefix=next(parts).view(each.prefix.shape),
                padding=next(parts).view(each.padding.shape),
            )
            for each in found
        ]
    numbers = [_numbers(each) for each in found]
    return HeadMaps(
        query,
        direction,
        values=tuple(n[0] for n in numbers),
        prefix=tuple(n[1] for n in numbers),
        padding=tuple(n[2] for n in numbers),
        cells=tuple(n[3] for n in numbers),
    )


def cost(trace: Trace, query: Query | None = None, direction: Direction = "from") -> float:
    """About how many multiplications `head_maps` will take for this query: the window runs the cheap ones at once."""
    query = trace.default_query if query is None else query
    total = 0.0
    for layer in trace.layers:
        q = layer.call.q
        width = layer.call.shape[3] if q is None else q.shape[-1]
        every = query == "mean" or (direction == "to" and layer.windows is None)
        rows = layer.num_queries if every and not layer.margins_known else 1
        total += layer.num_heads * rows * width * (layer.call.shape[3] if layer.windows else layer.num_keys)
    return total


def quick_threads(work: float) -> AbstractContextManager[None]:
    """One thread for work of few multiplications."""
    # Waking the other threads for a row costs more than the row, and tens of milliseconds where the machine is busy.
    return with_threads(None if work > _QUICK else 1)


def tokens_of(trace: Trace) -> tuple[str, ...]:
    """The named queries that this trace offers: prefix tokens, then "mean"."""
    return (*trace.prefix_tokens, "mean")


def place_of(trace: Trace, layer: Layer, cell: tuple[int, int]) -> Place:
    """The point of the picture in the middle of a patch (row, column) of a layer's grid."""
    row, col = cell
    if not (0 <= row < layer.query_grid.rows and 0 <= col < layer.query_grid.cols):
        raise AttentionError(
            f"There is no patch {cell}: the grid of this layer is {layer.query_grid.rows} x {layer.query_grid.cols}."
        )
    return Place(*trace.view.to_picture(*layer.query_grid.centre(row, col)))


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    values: torch.Tensor
    prefix: torch.Tensor
    padding: torch.Tensor
    cell: tuple[int, int] | None


def _head_rows(trace: Trace, layer: Layer, query: Query, direction: Direction, lenient: bool = False) -> _Rows:
    """One row (or column) per head of a layer: values (H, gh, gw), prefix (H, P), padding (H,)."""
    none = torch.zeros(layer.num_heads, dtype=torch.float32, device=layer.device)
    token, cell = token_of(trace, layer, query, direction, lenient)
    padding = none
    if layer.kind == "pool":
        row = layer.rows(None, torch.zeros(1, dtype=torch.long, device=layer.device))[:, 0]
        cell = None
    elif token is None:
        row = layer.mean_row() if direction == "from" else _mean_column(layer)
    elif direction == "from":
        index = torch.tensor([token], device=layer.device)
        row = layer.rows(None, index)[:, 0]
        padding = layer.padding(None, index)[:, 0] if layer.windows else none
    else:
        row = layer.column(None, token)
    count = layer.num_prefix_tokens
    grid = layer.grid if direction == "from" or layer.kind == "pool" else layer.query_grid
    return _Rows(row[:, count:].reshape(-1, *grid.shape), row[:, :count], padding, cell)


def _mean_column(layer: Layer) -> torch.Tensor:
    # Looked at by: how much each token looks at the patches as a whole, as a mean over the patches.
    return (1.0 - _prefix_weight(layer)) / layer.grid.size


def _prefix_weight(layer: Layer) -> torch.Tensor:
    total = torch.zeros(layer.num_heads, layer.num_queries, dtype=torch.float32, device=layer.device)
    for key in range(layer.num_prefix_tokens):
        total += layer.column(None, key)
    return total


def token_of(
    trace: Trace, layer: Layer, query: Query, direction: Direction = "from", lenient: bool = False
) -> tuple[int | None, tuple[int, int] | None]:
    """The token of a query in a layer (None for the mean over patches), and its patch.

    `lenient` takes the nearest patch for a place beside the view, and the mean for a token that the layer lacks.
    """
    if direction not in ("from", "to"):
        raise AttentionError(f"The direction {direction!r} is unknown: give 'from' or 'to'.")
    if layer.kind == "pool" or query == "mean":
        return None, None
    if isinstance(query, str):
        if query in layer.prefix_tokens:
            return layer.prefix_tokens.index(query), None
        if lenient and query in trace.prefix_tokens:
            return None, None
        raise AttentionError(
            f"Layer {layer.index} of {trace.model_name} has no token {query!r}: "
            f"it has {', '.join((*layer.prefix_tokens, 'mean'))} and patches."
        )
    if isinstance(query, tuple):
        query = place_of(trace, layer, query)
    u, v = trace.view.to_view(query.x, query.y)
    # A grid that was padded reaches a little beyond the view.
    height, width = (
        max(side, count * stride)
        for side, count, stride in zip(trace.view.size, layer.grid.shape, layer.grid.stride, strict=True)
    )
    if not lenient and not (0 <= u <= width and 0 <= v <= height):
        height, width = trace.view.picture_size
        raise AttentionError(
            f"The model did not see the place ({query.x:g}, {query.y:g}) of {trace.image_name}, which is {width} x "
            f"{height} px: choose one inside its view."
        )
    grid = layer.query_grid if direction == "from" else layer.grid
    cell = grid.cell_at(*trace.view.to_view(query.x, query.y))
    return layer.num_prefix_tokens + cell[0] * grid.cols + cell[1], cell


def _numbers(rows: _Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int] | None]:
    return rows.values.cpu().numpy(), rows.prefix.cpu().numpy(), rows.padding.cpu().numpy(), rows.cell


def _fusion(head: Head, layer: Layer) -> Callable[[np.ndarray], np.ndarray]:
    if isinstance(head, int):
        if not 0 <= head < layer.num_heads:
            raise AttentionError(
                f"There is no head {head}: layer {layer.index} has {layer.num_heads}, numbered from 0."
            )
        return lambda a: np.asarray(a[head])
    fuse: Callable[..., np.ndarray] = getattr(np, head)
    on = list(layer.heads_on)
    if not on:
        return lambda a: np.zeros_like(a[0])
    return lambda a: fuse(a[on] if layer.off else a, axis=0)


def heads_left(layer: Layer, head: Head) -> str:
    """What heads that are off mean for a map of this layer, in words; "" where none is off."""
    if not layer.off:
        return ""
    if isinstance(head, int):
        return f"Head {head} is off: this is where it looks, and it moves nothing" if head in layer.off else ""
    if not layer.heads_on:
        return f"All heads of layer {layer.index} are off"
    return f"{head} of {len(layer.heads_on)} of {layer.num_heads} heads: the others are off"
