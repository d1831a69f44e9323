"""One attention layer of a trace: any row, column or mean row of any head, recomputed when someone looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from vitviz.attention.bias import added
from vitviz.attention.calls import Call, picked, rows_of
from vitviz.attention.windowed import WindowedCall
from vitviz.models.layout import Grid, Windows

Kind = Literal["global", "window", "pool", "pooled keys"]
_CHUNK_BYTES = 64 * 2**20
_SMALLEST_CHUNK = 2**20
_CACHE_BYTES = 2**20


def shrink_chunks() -> bool:
    """Compute rows in chunks of a quarter of the memory from now on; False where they are as small as can be."""
    global _CHUNK_BYTES
    smaller = _CHUNK_BYTES // 4 >= _SMALLEST_CHUNK
    if smaller:
        _CHUNK_BYTES //= 4
    return smaller


@dataclass(slots=True, eq=False)
class Layer:
    """Attention of one layer, on demand. All results are float32 on the layer's device.

    Attributes:
        index: position in the trace, 0 nearest the image.
        name: name of its module, such as "blocks.3.attn".
        kind: "global" (every token sees every token), "window" (within windows), "pool" (a learned query reads the
            tokens), "pooled keys" (the keys lie on a coarser grid than the queries).
        num_heads: number of heads.
        grid: the patches that are looked at; `query_grid`: those that look (the same but for pooled keys).
        prefix_tokens: names of the tokens before the patches.
        windows: how the grid is cut, None for attention over the whole grid.
        stage: number of the stage; a new one begins where the grid changes.
        title: "2.1 shifted" (stage, block in it, kind of window) in networks with stages or windows, else "".
        is_convolved: whether its stage has convolutions too, which carry tokens over to their neighbours (MaxViT).
        off: the heads that were switched off during the pass. Their attention moved nothing, so what puts heads
            together leaves them out; their own rows can still be asked for.
        error: max |A v - output| against the model's own computation, over sampled rows; None where v is not seen.
    """

    index: int
    name: str
    kind: Kind
    num_heads: int
    grid: Grid
    query_grid: Grid
    prefix_tokens: tuple[str, ...]
    call: Call = field(repr=False)
    windows: Windows | None = None
    stage: int = 0
    title: str = ""
    is_convolved: bool = False
    off: tuple[int, ...] = ()
    error: float | None = None
    _within: WindowedCall | None = field(default=None, repr=False)
    _margins: tuple[Tensor | None, Tensor] | None = field(default=None, repr=False)

    @property
    def heads_on(self) -> tuple[int, ...]:
        """The heads that are not switched off, in order."""
        return tuple(head for head in range(self.num_heads) if head not in self.off)

    @property
    def num_prefix_tokens(self) -> int:
        """Number of tokens before the patches."""
        return len(self.prefix_tokens)

    @property
    def num_keys(self) -> int:
        """Number of tokens that can be looked at: prefix tokens and patches."""
        return self.num_prefix_tokens + self.grid.size

    @property
    def num_queries(self) -> int:
        """Number of tokens that look."""
        return self.call.shape[2] if self.kind == "pool" else self.num_prefix_tokens + self.query_grid.size

    @property
    def stride(self) -> tuple[float, float]:
        """(height, width) of a patch of this layer in pixels of the model's view."""
        return self.query_grid.stride

    @property
    def window_size(self) -> tuple[int, int] | None:
        """(height, width) of the windows in patches, None for attention over the whole grid."""
        return self.windows.window if self.windows else None

    @property
    def shift(self) -> tuple[int, int]:
        """How far the windows are shifted, (down, right) in patches."""
        return self.windows.shift if self.windows else (0, 0)

    @property
    def bytes(self) -> int:
        """Memory that this layer keeps."""
        kept = (self.call.q, self.call.k, self.call.probabilities)
        tensors = sum(t.numel() * t.element_size() for t in kept if t is not None)
        return tensors + (self.call.bias.bytes if self.call.bias else 0)

    @property
    def margins_known(self) -> bool:
        """Whether the sums over all rows, which mean rows and columns need, are there already."""
        return self._margins is not None or self.kind == "pool"

    @property
    def device(self) -> torch.device:
        """Where the layer keeps its tensors."""
        tensor = self.call.q if self.call.q is not None else self.call.probabilities
        assert tensor is not None
        return tensor.device

    @torch.inference_mode()
    def rows(self, heads: Tensor | None, queries: Tensor) -> Tensor:
        """What the tokens `queries` (n,) look at: (heads, n, num_keys), each row sums to 1.

        In a windowed layer the keys are in grid order and 0 outside the window of the query; weight on padding is
        taken away and the row normalised (see `padding`).
        """
        if self.windows is None:
            return rows_of(self.call, 0, heads, queries)
        return self._windowed(self.windows).rows(heads, queries)

    @property
    def window_tokens(self) -> Tensor:
        """The token at every place of every window, (windows, places), -1 on padding."""
        assert self.windows is not None
        return self._windowed(self.windows).tokens

    @property
    def is_masked(self) -> bool:
        """Whether the model keeps the regions of a shifted window apart: less than a thousandth of the last window, in
        which all regions meet, goes from one to another."""
        if self.windows is None or not self.windows.is_shifted:
            return False
        last = self.windows.regions()[-1]
        apart = torch.from_numpy(last[:, None] != last[None]).to(self.device)
        if not bool(apart.any()):
            return True
        count = len(self.window_tokens)
        weights = self.window_blocks(count - 1, count)[0]
        return float((weights * apart).sum() / apart.any(1).sum() / self.num_heads) < 1e-3

    @torch.inference_mode()
    def padding(self, heads: Tensor | None, queries: Tensor) -> Tensor:
        """The share of each row that the model spends on padding, (heads, n); 0 but in windowed layers."""
        if self.windows is None:
            count = self.num_heads if heads is None else len(heads)
            return torch.zeros(count, len(queries), dtype=torch.float32, device=self.device)
        return self._windowed(self.windows).padding(heads, queries)

    @torch.inference_mode()
    def column(self, heads: Tensor | None, key: int) -> Tensor:
        """How much every token looks at token `key`: (heads, num_queries)."""
        if self.windows is not None:
            return self._windowed(self.windows).column(heads, key)
        if self.call.probabilities is not None:
            return picked(self.call.probabilities[0], heads)[..., key].float()
        lse = picked(self._margin_sums()[0], heads)
        scores = self._scores_to(heads, key)
        return (scores - lse).exp()

    @torch.inference_mode()
    def mean_row(self, heads: Tensor | None = None) -> Tensor:
        """The mean over all patches as queries, (heads, num_keys); computed in chunks, once."""
        return picked(self._margin_sums()[1], heads)

    @torch.inference_mode()
    def blocks(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Every row of every head once, in chunks of bounded size, windows as they are.

        Yields tokens that look (b, n), tokens looked at (b, m) and weights (b, heads, n, m). Rows sum to 1; a token
        of -1 is padding: as a key it has weight 0, as a query its row means nothing. The query of a pool is no token.
        """
        if self.windows is not None:
            for tokens, inside in self._windowed(self.windows).blocks(_CHUNK_BYTES):
                yield tokens, tokens, inside
            return
        keys = torch.arange(self.num_keys, device=self.device).unsqueeze(0)
        step = max(1, _CHUNK_BYTES // (4 * self.num_heads * self.num_keys))
        for start in range(0, self.num_queries, step):
            rows = torch.arange(start, min(start + step, self.num_queries), device=self.device)
            yield rows.unsqueeze(0), keys, rows_of(self.call, 0, None, rows).unsqueeze(0)

    def _scores_to(self, heads: Tensor | None, key: int) -> Tensor:
        call = self.call
        assert call.q is not None and call.k is not None
        q, k = picked(call.q[0], heads), picked(call.k[0], heads)
        scores = ((q.float() * call.scale) @ k[:, key].float().unsqueeze(-1)).squeeze(-1)
        scores = added(scores, call.bias.column(heads, key) if call.bias else None)
        if call.causal:
            scores = scores.masked_fill(torch.arange(scores.shape[-1], device=scores.device) < key, -torch.inf)
        return scores

    def window_blocks(self, start: int, end: int) -> Tensor:
        """The whole attention of windows start..end: (windows, heads, places, places)."""
        assert self.windows is not None
        return self._windowed(self.windows).whole(start, end)

    def _windowed(self, windows: Windows) -> WindowedCall:
        """The call in tokens of the grid, prepared when it is first asked."""
        if self._within is None:
            self._within = WindowedCall(self.call, windows, self.grid.size, self.device)
        return self._within

    def _margin_sums(self) -> tuple[Tensor, Tensor]:
        """(log of each row's normaliser (H, Nq), mean row over the patches (H, num_keys)), one chunked pass."""
        if self._margins is None:
            if self.windows is not None:
                self._margins = None, self._windowed(self.windows).mean_row(_CHUNK_BYTES)
            else:
                self._margins = self._global_margins()
        lse, mean = self._margins
        return lse if lse is not None else mean, mean

    def _global_margins(self) -> tuple[Tensor | None, Tensor]:
        call, first = self.call, 0 if self.kind == "pool" else self.num_prefix_tokens
        count, keys = self.num_queries, self.num_keys
        if call.probabilities is not None:
            return None, call.probabilities[0, :, first:].float().mean(1)
        assert call.q is not None and call.k is not None
        total = torch.zeros(self.num_heads, keys, dtype=torch.float32, device=self.device)
        lse = torch.empty(self.num_heads, count, dtype=torch.float32, device=self.device)
        # A core's cache holds a block of rows of one head; a GPU is kept busy by many of all heads.
        on_cpu = self.device.type == "cpu"
        room = _CACHE_BYTES if on_cpu else _CHUNK_BYTES // self.num_heads
        every = torch.arange(self.num_heads, device=self.device)
        for heads in torch.split(every, 1 if on_cpu else self.num_heads):
            keys_t = call.k[0].index_select(0, heads).float().mT
            for rows in torch.split(torch.arange(count, device=self.device), max(1, room // (4 * keys))):
                scores = (call.q[0, heads[:, None], rows].float() * call.scale) @ keys_t
                scores = added(scores, call.bias.rows(0, heads, rows) if call.bias else None)
                if call.causal:
                    ahead = torch.arange(keys, device=rows.device)[None] > rows[:, None]
                    scores = scores.masked_fill(ahead, -torch.inf)
                top = scores.amax(-1, keepdim=True)
                powers = scores.sub_(top).exp_()
                sums = powers.sum(-1, keepdim=True)
                lse[heads[:, None], rows] = (top + sums.log()).squeeze(-1)
                shares = (rows >= first) / sums.mT  # (heads, 1, rows)
                total[heads] += (shares @ powers).squeeze(1)
        return lse, total / max(count - first, 1)
