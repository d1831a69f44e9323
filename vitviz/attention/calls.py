"""What one attention call was given, its rows on demand, and the proof that they are what the model computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vitviz.attention.bias import Bias, added
from vitviz.attention.blocks import Frame

_PROOF_ROWS = 4


@dataclass(slots=True, eq=False)
class Call:
    """One attention call. Shapes: q (B, H, Nq, d), k (B, H, Nk, d).

    Either q, k, scale, bias and causal are there, or `probabilities` (B, H, Nq, Nk) after the model's own softmax.
    `error` is max |A v - output| over a few rows, against what the model itself computed; None where v was not seen.
    `turn` says the how-manieth of how many calls of its module this was. `tokens` is what the block around the
    attention gave on, as the model has it, by reference; None where no block could be told or none was wanted.
    """

    frames: tuple[Frame, ...]
    q: Tensor | None = None
    k: Tensor | None = None
    scale: float = 1.0
    bias: Bias | None = None
    causal: bool = False
    probabilities: Tensor | None = None
    error: Tensor | None = None
    turn: tuple[int, int] = (0, 1)
    tokens: Tensor | None = None

    @property
    def frame(self) -> Frame:
        """The innermost module with parameters of its own: the attention module."""
        return next((f for f in reversed(self.frames) if any(True for _ in f.module.parameters())), self.frames[-1])

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(batch, heads, queries, keys)."""
        if self.probabilities is not None:
            b, h, n, m = self.probabilities.shape
            return b, h, n, m
        assert self.q is not None and self.k is not None
        return self.q.shape[0], self.q.shape[1], self.q.shape[2], self.k.shape[2]

    def split(self, windows: int) -> bool:
        """Whether the call is over so many windows; those folded into the heads (SAM) are taken out of them."""
        batch, heads, _, _ = self.shape
        if batch == windows:
            return True
        if batch != 1 or heads % windows:
            return False

        def apart(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor[0].reshape(windows, -1, *tensor.shape[2:])

        self.q, self.k, self.probabilities = apart(self.q), apart(self.k), apart(self.probabilities)
        whole = None if self.bias is None else self.bias.rows(0, None, None)
        if whole is not None:
            self.bias = Bias(whole.reshape(windows if len(whole) == heads else 1, -1, *whole.shape[1:]))
        return True


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """What a forward pass left: the output, the calls in order, and a sentence on each call that can't be shown."""

    output: Any
    calls: tuple[Call, ...]
    unused: tuple[str, ...]


def attend(q: Tensor, k: Tensor, scale: float, bias: Tensor | None = None, causal_from: Tensor | None = None) -> Tensor:
    """softmax(q k^T * scale + bias) in float32, (..., n, Nk); `causal_from` (n,): the positions of causal queries."""
    scores = _products(q.float() * scale, k.float())
    scores = added(scores, bias)
    if causal_from is not None:
        ahead = torch.arange(k.shape[-2], device=k.device)[None] > causal_from[:, None]
        scores = scores.masked_fill(ahead, -torch.inf)
    return scores.softmax(-1)


def _products(q: Tensor, k: Tensor) -> Tensor:
    """q k^T; one row on the CPU by numpy, whose products of a matrix and a vector take half of torch's time."""
    if q.shape[-2] == 1 and q.device.type == "cpu" and k.device.type == "cpu" and not q.requires_grad:
        return torch.from_numpy(np.matmul(k.numpy(), q.mT.numpy())).mT
    return q @ k.mT


def rows_of(call: Call, batch: int, heads: Tensor | None, queries: Tensor | None) -> Tensor:
    """Rows of one entry of the batch, (heads, n, Nk) float32; of all heads or all queries with None."""
    if call.probabilities is not None:
        block = picked(call.probabilities[batch], heads)
        return (block if queries is None else block.index_select(-2, queries)).float()
    assert call.q is not None and call.k is not None
    q, k = picked(call.q[batch], heads), picked(call.k[batch], heads)
    bias = call.bias.rows(batch, heads, queries) if call.bias else None
    if queries is not None:
        q = q.index_select(-2, queries)
    positions = queries if queries is not None else torch.arange(q.shape[-2], device=q.device)
    return attend(q, k, call.scale, bias, positions if call.causal else None)


def picked(tensor: Tensor, heads: Tensor | None) -> Tensor:
    """These heads (n,) of a tensor (H, ...), or all with None."""
    return tensor if heads is None else tensor.index_select(0, heads)


def normalised(rows: Tensor) -> Tensor:
    """Rows (..., n) divided by their sums. One of zeros stays: what lies wholly on padding has nothing left."""
    return rows / rows.sum(-1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)


def additive(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """A mask of nn.MultiheadAttention, where True means hidden, as numbers to add to the scores."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(mask, -torch.inf)


def sampled(call: Call) -> tuple[Tensor, Tensor]:
    """A few query rows (n,) and their weights in every head and window, (B, H, n, Nk) float32."""
    _, _, count, _ = call.shape
    rows = torch.linspace(0, count - 1, min(_PROOF_ROWS, count)).long()
    if call.probabilities is not None:
        rows = rows.to(call.probabilities.device)
        return rows, call.probabilities.index_select(-2, rows).float()
    assert call.q is not None and call.k is not None
    rows = rows.to(call.q.device)
    bias = None if call.bias is None else call.bias.sample(rows)
    return rows, attend(call.q.index_select(-2, rows), call.k, call.scale, bias, rows if call.causal else None)


def proof(call: Call, values: Tensor, output: Tensor) -> Tensor:
    """max |A v - output| over a few query rows of every head and window."""
    rows, weights = sampled(call)
    return (weights @ values.float() - output.index_select(-2, rows).float()).abs().max()
