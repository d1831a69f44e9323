"""Attention within windows: rows, columns and sums over tokens of a call whose batch is made of windows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from vitviz.attention.calls import Call, attend, normalised, picked, rows_of
from vitviz.models.layout import Windows


class WindowedCall:
    """One call over windows, asked in tokens of the grid. Weight on padding is taken away and rows are normalised.

    Attributes:
        tokens: (windows, places) int64, the token at every place of every window, -1 on padding.
    """

    def __init__(self, call: Call, windows: Windows, num_tokens: int, device: torch.device) -> None:
        self._call, self._count = call, num_tokens
        index = windows.index()
        window, place = np.nonzero(index >= 0)
        where = np.zeros((2, num_tokens), dtype=np.int64)
        where[:, index[window, place]] = window, place
        self.tokens = torch.tensor(index, device=device)
        self._window, self._place = (torch.tensor(a, device=device) for a in where)

    def rows(self, heads: Tensor | None, queries: Tensor) -> Tensor:
        """What the tokens `queries` (n,) look at: (heads, n, tokens), 0 outside the window of the query."""
        return normalised(self._spread(*self._inside(heads, queries)))

    def padding(self, heads: Tensor | None, queries: Tensor) -> Tensor:
        """The share of each row that is on padding, (heads, n)."""
        weights, tokens = self._inside(heads, queries)
        return (weights * (tokens < 0)).sum(-1)

    def column(self, heads: Tensor | None, key: int) -> Tensor:
        """How much every token looks at token `key`: (heads, tokens)."""
        tokens = self.tokens[self._window[key]]
        inside = rows_of(self._call, int(self._window[key]), heads, None)
        column = normalised(inside * (tokens >= 0))[..., self._place[key]]
        return self._spread(column.unsqueeze(1), tokens.unsqueeze(0)).squeeze(1)

    def blocks(self, room: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The tokens (b, places) and the rows (b, heads, places, places) of all windows, in chunks of `room` bytes."""
        count, places = self.tokens.shape
        step = max(1, room // (4 * self._call.shape[1] * places * places))
        for start in range(0, count, step):
            tokens = self.tokens[start : start + step]
            yield tokens, normalised(self.whole(start, start + step) * (tokens >= 0)[:, None, None, :])

    def mean_row(self, room: int) -> Tensor:
        """The mean over all tokens as queries, (heads, tokens)."""
        total = torch.zeros(self._call.shape[1], self._count + 1, dtype=torch.float32, device=self.tokens.device)
        for tokens, inside in self.blocks(room):
            real = tokens >= 0
            summed = (inside * real[:, None, :, None]).sum(2).transpose(0, 1).flatten(1)
            total.index_add_(1, torch.where(real, tokens, self._count).flatten(), summed)
        return total[:, :-1] / self._count

    def whole(self, start: int, end: int) -> Tensor:
        """The whole attention of windows start..end, padding and all: (windows, heads, places, places)."""
        call = self._call
        if call.probabilities is not None:
            return call.probabilities[start:end].float()
        assert call.q is not None and call.k is not None
        bias = call.bias.windows(start, end) if call.bias else None
        return attend(call.q[start:end], call.k[start:end], call.scale, bias)

    def _inside(self, heads: Tensor | None, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Rows inside the windows of the queries (heads, n, places), and the tokens at these places (n, places)."""
        blocks, places, call = self._window[queries], self._place[queries], self._call
        if call.probabilities is not None:
            weights = call.probabilities[blocks, :, places].transpose(0, 1)
            return picked(weights, heads).float(), self.tokens[blocks]
        assert call.q is not None and call.k is not None
        q = call.q[blocks, :, places].unsqueeze(-2)
        bias = call.bias.places(blocks, places, call.q.shape[0]) if call.bias else None
        weights = attend(q, call.k[blocks], call.scale, bias).squeeze(-2).transpose(0, 1)
        return picked(weights, heads), self.tokens[blocks]

    def _spread(self, weights: Tensor, tokens: Tensor) -> Tensor:
        """Weights at places (heads, n, places) -> weights at tokens (heads, n, tokens); padding is dropped."""
        target = weights.new_zeros(*weights.shape[:2], self._count + 1)
        index = torch.where(tokens < 0, self._count, tokens).expand_as(weights)
        return target.scatter_add_(-1, index, weights)[..., :-1]
