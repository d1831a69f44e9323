"""From rows of A and dy/dA, as they come on the way back, to a row over the patches: nothing else is kept."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vitviz.attention.calls import Call
from vitviz.attention.layer import Layer
from vitviz.attention.rollout import POOL, between
from vitviz.attention.values import Map, Method, Selection
from vitviz.images import Image
from vitviz.models.model import Model

PER_LAYER: tuple[Method, ...] = ("relevance", "gradient rollout")


def start_row(layer: Layer, query: str) -> Tensor:
    """The row over the tokens of the last layer that the output is made from: one token, or all patches alike."""
    row = torch.zeros(layer.num_queries, dtype=torch.float32, device=layer.device)
    if query == POOL:
        row[0] = 1.0
    elif query in layer.prefix_tokens:
        row[layer.prefix_tokens.index(query)] = 1.0
    else:
        row[layer.num_prefix_tokens :] = 1.0 / layer.query_grid.size
    return row


class Walk:
    """`relevance` and `gradient rollout`: r <- r + r Ā_l, or r <- r Â_l, from the last layer to the first.

    With G = dy/dA: Ā = mean_h(relu(G A)); M = relu(mean_h(G A)) and Â = (M + I) / 2 with its rows normalised, which
    is (M + I) / (1 + sum of the row). A pool at the end has no residual: its row is Ā, or M normalised. Windows are
    blocks of these matrices; columns of padding are left out.
    """

    def __init__(self, layers: list[Layer], query: str, method: Method, progress: Callable[[float, str], None]) -> None:
        self._layers, self._method, self._progress = layers, method, progress
        self._at = len(layers) - 1
        self._row = start_row(layers[-1], query)
        self._next = self._empty()

    def _empty(self) -> Tensor:
        layer = self._layers[self._at]
        return torch.zeros(layer.num_keys, dtype=torch.float32, device=layer.device)

    def take(self, call: Call, rows: Tensor | None, weights: Tensor | None, gradient: Tensor | None) -> None:
        """Take in some rows of a layer; without rows, the layer is done."""
        layer = self._layers[self._at]
        if call is not layer.call:
            raise RuntimeError(f"The gradient of {call.frame.name} came where that of {layer.name} was due.")
        if rows is None or weights is None or gradient is None:
            self._finish(layer)
            return
        if layer.windows is not None:
            self._take_windows(layer, rows, weights * gradient)
            return
        product = weights[0] * gradient[0]
        share = self._row[rows]
        if self._method == "relevance":
            self._next += share @ product.clamp_min_(0).mean(0)
            return
        mean = product.mean(0).clamp_min_(0)
        total = mean.sum(-1)
        if layer.kind == "pool":
            self._next += share / total.clamp_min(torch.finfo(total.dtype).tiny) @ mean
            return
        share = share / (1 + total)
        self._next += share @ mean
        self._next.index_add_(0, rows, share)

    def _take_windows(self, layer: Layer, rows: Tensor, product: Tensor) -> None:
        """The same for some places (n,) of every window; the product is (windows, H, n, M)."""
        index, product = in_windows(layer, product)
        share = _of_places(self._row, index[:, rows])
        if self._method == "relevance":
            mean = product.clamp_min_(0).mean(1)
        else:
            mean = product.mean(1).clamp_min_(0)
            share = share / (1 + mean.sum(-1))
            self._next.index_add_(0, index[:, rows].clamp(min=0).flatten(), share.flatten())
        pulled = (share.unsqueeze(1) @ mean).squeeze(1)
        self._next.index_add_(0, index.clamp(min=0).flatten(), pulled.flatten())

    def _finish(self, layer: Layer) -> None:
        if self._method == "relevance" and layer.kind != "pool":
            self._next += self._row
        self._row = self._next
        self._progress(1 - self._at / len(self._layers), f"Back through layer {layer.index}")
        self._at -= 1
        if self._at >= 0:
            self._row = between(self._row, layer, self._layers[self._at])
            self._next = self._empty()

    def result(self) -> tuple[Tensor, Tensor]:
        """Values over the patches (gh, gw) and over the prefix tokens (P,)."""
        if self._at >= 0:
            raise RuntimeError(f"No gradient reached {self._layers[self._at].name}.")
        first = self._layers[0]
        count = first.num_prefix_tokens
        return self._row[count:].reshape(first.query_grid.shape), self._row[:count]


class LastLayer:
    """`attention grad-cam`: relu(mean over heads of w_h A_h), w_h the mean over the patches of the row of dy/dA_h.

    The row is that of the token which the output is made from; where all patches are pooled, the mean of their rows.
    """

    def __init__(self, layer: Layer, query: str) -> None:
        self._layer, self._start = layer, start_row(layer, query)
        self._weights = torch.zeros(layer.num_heads, layer.num_keys, dtype=torch.float32, device=layer.device)
        self._gradient = torch.zeros_like(self._weights)

    def take(self, call: Call, rows: Tensor | None, weights: Tensor | None, gradient: Tensor | None) -> None:
        """Take in some rows of the last layer; others are passed over."""
        if call is not self._layer.call or rows is None or weights is None or gradient is None:
            return
        if self._layer.windows is None:
            share = self._start[rows]
            self._weights += share @ weights[0]
            self._gradient += share @ gradient[0]
            return
        for total, block in ((self._weights, weights), (self._gradient, gradient)):
            index, inside = in_windows(self._layer, block)
            share = _of_places(self._start, index[:, rows])
            taken = (share[:, None, None] @ inside).squeeze(2).transpose(0, 1)
            total.index_add_(1, index.clamp(min=0).flatten(), taken.flatten(1))

    def result(self) -> tuple[Tensor, Tensor | None]:
        """Values over the patches (gh, gw); prefix tokens have none."""
        count = self._layer.num_prefix_tokens
        shares = self._gradient[:, count:].mean(-1, keepdim=True)
        values = (shares * self._weights[:, count:]).mean(0).clamp_min(0)
        return values.reshape(self._layer.grid.shape), None


def in_windows(layer: Layer, block: Tensor) -> tuple[Tensor, Tensor]:
    """The token at each place (windows, M), -1 on padding, and values (B, H, n, M) by window, 0 on padded keys."""
    index = layer.window_tokens
    apart = block.reshape(len(index), layer.num_heads, *block.shape[2:])
    return index, apart * (index >= 0)[:, None, None, :]


def _of_places(row: Tensor, tokens: Tensor) -> Tensor:
    """The row at the tokens of some places, 0 where these are padding."""
    return row[tokens.clamp(min=0)] * (tokens >= 0)


def map_of_values(
    model: Model, image: Image, selection: Selection, layer: Layer, values: Tensor, prefix: Tensor | None = None
) -> Map:
    """The Map of values (gh, gw) over the grid of a layer, with those of its prefix tokens."""
    numbers = [] if prefix is None else prefix.float().cpu().tolist()
    return Map(
        values=values.detach().float().cpu().numpy(),
        selection=selection,
        grid=layer.query_grid,
        view=model.view(image),
        layer_name=f"layers 0 to {selection.layer}" if selection.method in PER_LAYER else layer.name,
        model_name=model.name,
        image_name=image.name,
        prefix_mass=float(sum(numbers)),
        prefix_weights=dict(zip(layer.prefix_tokens, numbers, strict=False)),
    )
