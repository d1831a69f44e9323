"""Attention rollout: what reaches a token through all layers (Abnar and Zuidema 2020, arXiv 2005.00928).

`R = Â_{L-1} ... Â_1 Â_0` with `Â_l = (A_l + I) / 2`; a map is one row of R. One row is L products of a vector and a
matrix, from the last layer down to the first: O(L N^2) time, O(N) memory.

Where heads are switched off A_l is fused from the others, for the attention of a head that gives nothing moves
nothing; of a layer without any head the residual alone is left, and Â_l is I.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from vitviz.attention.layer import Layer
from vitviz.attention.legacy import legacy_step
from vitviz.attention.maps import quick_threads, token_of
from vitviz.attention.steps import descend, fuse, pull
from vitviz.attention.trace import Trace
from vitviz.attention.values import Fusion, Map, Query, RolloutOptions, Selection, Variant
from vitviz.errors import AttentionError, Cancelled

POOL = "pool"


def rollout(
    trace: Trace,
    *,
    query: Query | None = None,
    fusion: Fusion = "mean",
    discard: float = 0.0,
    first_layer: int = 0,
    last_layer: int | None = None,
    residual: float = 0.5,
    variant: Variant = "abnar",
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> Map:
    """Roll the attention out from a token of the last layer to the patches of the first.

    Args:
        trace: as `trace` gives it.
        query: "cls", "dist", "reg0", "mean" over the patches, "pool" (the row of an attention pool), a patch
            (row, column) of the last layer's grid, or a Place; None is what the model's output is made from.
        fusion: heads by "mean", "max" or "min".
        discard: share of the patches that is set to 0 in every row, 0 <= discard < 1.
        first_layer, last_layer: the layers between which it is rolled out, both included; None is the last.
        residual: weight of the identity, 0 <= residual <= 1.
        variant: "abnar", "vit-paper" or "vit-explain"; see RolloutOptions.
        progress, cancel: told and asked at every layer.

    Returns:
        A Map whose values and `prefix_mass` sum to 1 (in the variant "vit-explain" they need not).

    Raises:
        AttentionError: an option out of its range, or a query that the model does not have.
    """
    options = RolloutOptions(fusion, discard, first_layer, last_layer, residual, variant)
    return rollout_of(trace, Selection(query=query, method="rollout", options=options), progress, cancel)


def rollout_of(
    trace: Trace,
    selection: Selection,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> Map:
    """The rollout of a selection; its query and options count, and its layer becomes the last one taken in."""
    options = selection.options or RolloutOptions()
    layers = _between(trace, options)
    if selection.query not in (None, POOL) and layers[-1].kind == "pool":
        layers = layers[:-1]
    if not layers:
        raise AttentionError(f"{trace.model_name} has only an attention pool there: ask for its row with 'pool'.")
    top, bottom = layers[-1], layers[0]
    with quick_threads(rollout_cost(trace, options)), torch.inference_mode():
        row, query, cell = start(trace, top, selection.query, options)
        for count, layer in enumerate(reversed(layers)):
            if cancel():
                raise Cancelled("The rollout was cancelled.")
            progress(count / len(layers), f"Rollout, layer {layer.index}")
            if count:
                row = between(row, layers[len(layers) - count], layer)
            row = step(layer, row, options)
    options = replace(options, first_layer=bottom.index, last_layer=top.index)
    made = replace(selection, layer=top.index, head=options.fusion, query=query, options=options)
    return map_from_row(trace, made, bottom, row, cell, f"layers {bottom.index} to {top.index}")


def step(layer: Layer, row: Tensor, options: RolloutOptions) -> Tensor:
    """row^T (w I + (1 - w) fuse(A)) through one layer, (num_queries,) -> (num_queries,)."""
    if layer.kind == "pool" or not layer.heads_on:
        return row
    if options.variant == "vit-explain":
        return legacy_step(layer, row, options)
    if options.residual == 1.0:
        return row
    return options.residual * row + (1.0 - options.residual) * pull(layer, row, options)


def start(
    trace: Trace, top: Layer, query: Query | None, options: RolloutOptions
) -> tuple[Tensor, Query, tuple[int, int] | None]:
    """The row at which the walk begins, over the tokens of `top`; the query it stands for, and its patch."""
    if top.kind == "pool" and query in (None, POOL):
        if not top.heads_on:
            return torch.zeros(top.num_keys, dtype=torch.float32, device=top.device), POOL, None
        on = torch.tensor(top.heads_on, device=top.device)
        pooled = fuse(top.rows(on, torch.zeros(1, dtype=torch.long, device=top.device)), top.num_prefix_tokens, options)
        return pooled[0], POOL, None
    if query == POOL:
        raise AttentionError(f"{trace.model_name} has no attention pool at the end: ask for another query.")
    query = trace.default_query if query is None else query
    row = torch.zeros(top.num_queries, dtype=torch.float32, device=top.device)
    token, cell = token_of(trace, top, query)
    if token is None:
        row[top.num_prefix_tokens :] = 1.0 / (len(row) - top.num_prefix_tokens)
    else:
        row[token] = 1.0
    return row, query, cell


def between(row: Tensor, above: Layer, below: Layer) -> Tensor:
    """A row over the tokens of one layer as a row over those of the layer below it, whose grid may be finer."""
    grid = above.grid if above.kind == "pool" else above.query_grid
    count = above.num_prefix_tokens
    patches = descend(row[count:], grid, below.query_grid)
    prefix = row.new_zeros(below.num_prefix_tokens)
    for name, weight in zip(above.prefix_tokens, row[:count], strict=True):
        if name in below.prefix_tokens:
            prefix[below.prefix_tokens.index(name)] = weight
    return torch.cat([prefix, patches])


def map_from_row(
    trace: Trace, selection: Selection, bottom: Layer, row: Tensor, cell: tuple[int, int] | None, layer_name: str
) -> Map:
    """The Map of a row over the tokens of the layer nearest the image."""
    numbers = row.float().cpu().numpy()
    top = trace.layers[selection.layer]
    if cell is not None and top.query_grid != bottom.query_grid:
        # The patch of a coarser grid is named by the one of the map that holds its middle.
        cell = bottom.query_grid.cell_at(*top.query_grid.centre(*cell))
    count, grid = bottom.num_prefix_tokens, bottom.grid if bottom.kind == "pool" else bottom.query_grid
    return Map(
        values=numbers[count:].reshape(grid.shape),
        selection=selection,
        grid=grid,
        view=trace.view,
        layer_name=layer_name,
        model_name=trace.model_name,
        image_name=trace.image_name,
        prefix_mass=float(numbers[:count].sum()),
        prefix_weights={name: float(w) for name, w in zip(bottom.prefix_tokens, numbers[:count], strict=True)},
        query_cell=cell,
        ablation=trace.ablation,
        without=trace.without,
        note=left_out(trace.layers[: top.index + 1], trace.layers[bottom.index : top.index + 1]),
    )


def left_out(layers: Sequence[Layer], fused: Sequence[Layer] = ()) -> str:
    """What a product of the attention of these layers does not follow, in sentences; "" where nothing is.

    `fused` are the layers whose heads were put together, without those that are off.
    """
    words = []
    if any(layer.is_convolved for layer in layers):
        words.append(
            "An approximation: the convolutions between the attention layers, which mix neighbours, are left out."
        )
    if empty := [str(layer.index) for layer in fused if not layer.heads_on]:
        words.append(f"All heads of layer{'s' if len(empty) > 1 else ''} {', '.join(empty)} are off: residual alone.")
    if some := [layer for layer in fused if layer.off and layer.heads_on]:
        counts = ", ".join(f"{len(each.heads_on)} of {each.num_heads} heads of layer {each.index}" for each in some[:3])
        words.append(f"Over {counts}{', …' if len(some) > 3 else ''}.")
    return " ".join(words)


def rollout_cost(trace: Trace, options: RolloutOptions | None = None) -> float:
    """About how many multiplications a rollout takes: the window runs the cheap ones at once."""
    total = 0.0
    for layer in _between(trace, options or RolloutOptions()):
        _, heads, queries, keys = layer.call.shape
        width = 8 if layer.call.q is None else layer.call.q.shape[-1]
        total += layer.call.shape[0] * heads * queries * keys * (width + 16)
    return total


def _between(trace: Trace, options: RolloutOptions) -> list[Layer]:
    """The layers that are taken in, nearest the image first."""
    top = trace.layer(-1 if options.last_layer is None else options.last_layer)
    first = trace.layer(options.first_layer)
    if first.index > top.index:
        raise AttentionError(
            f"The first layer {first.index} lies above the last one {top.index}: choose one that is not."
        )
    chosen = trace.layers[first.index : top.index + 1]
    return [layer for layer in chosen if layer.kind != "pool" or layer is top]
