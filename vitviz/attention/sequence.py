"""The tokens that a block gave on, whichever way the model lays them out, in the order of the sequence."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from vitviz.attention.layer import Layer
from vitviz.errors import AttentionError

Layout = Literal["NLC", "LNC", "NHWC", "NCHW"]


def layout_of(layer: Layer) -> tuple[Tensor, Layout]:
    """The output of the block around a layer as the model has it, and what its dimensions are.

    Raises AttentionError, which says why there is none.
    """
    tokens = layer.call.tokens
    if layer.kind == "pool":
        raise AttentionError(f"Layer {layer.index} ({layer.name}) is a pool: it gives no tokens on.")
    if tokens is None:
        raise AttentionError(
            f"The tokens after layer {layer.index} ({layer.name}) were not kept: the network has no module that is a "
            "block around it, or the pass was made with features=False."
        )
    count, grid = layer.num_queries, layer.query_grid.shape
    shape = tuple(tokens.shape)
    if len(shape) == 3 and shape[:2] == (1, count):
        return tokens, "NLC"
    if len(shape) == 3 and shape[:2] == (count, 1):
        return tokens, "LNC"
    if len(shape) == 4 and shape[0] == 1 and layer.num_prefix_tokens == 0:
        if shape[1:3] == grid:
            return tokens, "NHWC"
        if shape[2:] == grid:
            return tokens, "NCHW"
    raise AttentionError(
        f"The block around layer {layer.index} ({layer.name}) gives on a tensor of {' x '.join(map(str, shape))}, "
        f"which is not its {count} tokens."
    )


def tokens_of_layer(layer: Layer) -> Tensor:
    """The tokens that the block around a layer gave on, (N, D) in the order of the sequence, on their device."""
    tokens, layout = layout_of(layer)
    if layout == "NLC":
        return tokens[0]
    if layout == "LNC":
        return tokens[:, 0]
    return (tokens[0] if layout == "NHWC" else tokens[0].movedim(0, -1)).flatten(0, 1)
