"""What is added to q k^T: as the model gave it, or, where it only depends on offsets between patches, as the offsets.

A relative position bias (BEiT, relative-position ViT) is N x N for every head and layer when the model makes it, and
the forward pass would keep all of them alive; the table of its offsets is smaller by a factor of about N / 4.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from vitviz.models.layout import Grid

_MOST_PREFIX_TOKENS = 9


@dataclass(frozen=True, slots=True, eq=False)
class Bias:
    """A bias as the model gave it: (1 or B, 1 or H, 1 or Nq, Nk), additive, or boolean with True where one may look."""

    tensor: Tensor = field(repr=False)

    @property
    def bytes(self) -> int:
        """Memory that it keeps."""
        return self.tensor.numel() * self.tensor.element_size()

    def rows(self, batch: int, heads: Tensor | None, queries: Tensor | None) -> Tensor:
        """Rows of one batch entry, broadcastable to (heads, n, Nk); all of them where `queries` is None."""
        block = self.tensor[batch if self.tensor.shape[0] > 1 else 0]
        if heads is not None and block.shape[0] > 1:
            block = block.index_select(0, heads)
        return block if queries is None or block.shape[-2] == 1 else block.index_select(-2, queries)

    def sample(self, rows: Tensor) -> Tensor:
        """Some rows of every batch entry, broadcastable to (B, H, n, Nk)."""
        return self.tensor if self.tensor.shape[-2] == 1 else self.tensor.index_select(-2, rows)

    def column(self, heads: Tensor | None, key: int) -> Tensor:
        """One column, broadcastable to (heads, Nq)."""
        block = self.rows(0, heads, None)
        return block[..., key if block.shape[-1] > 1 else 0]

    def places(self, blocks: Tensor, places: Tensor, count: int) -> Tensor:
        """The row `places[i]` of batch entry `blocks[i]` of `count`, broadcastable to (n, heads, 1, Nk)."""
        shape = self.tensor.shape
        return self.tensor.expand(count, -1, max(shape[-2], shape[-1]), -1)[blocks, :, places].unsqueeze(-2)

    def windows(self, start: int, end: int) -> Tensor:
        """Batch entries start..end, broadcastable to (n, heads, Nq, Nk)."""
        return self.tensor[start:end] if self.tensor.shape[0] > 1 else self.tensor


@dataclass(frozen=True, slots=True, eq=False)
class OffsetBias(Bias):
    """A bias that depends only on the offset between two patches; prefix tokens have rows and columns of their own.

    Attributes:
        tensor: (H, 2 gh - 1, 2 gw - 1), by key minus query, offset (0, 0) in the middle.
        grid: (gh, gw).
        prefix_rows: (H, P, N); prefix_columns: (H, N - P, P).
    """

    grid: tuple[int, int] = (1, 1)
    prefix_rows: Tensor = field(default_factory=lambda: torch.empty(0), repr=False)
    prefix_columns: Tensor = field(default_factory=lambda: torch.empty(0), repr=False)

    @property
    def bytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in (self.tensor, self.prefix_rows, self.prefix_columns))

    def rows(self, batch: int, heads: Tensor | None, queries: Tensor | None) -> Tensor:
        table, above, beside = (_pick(t, heads) for t in (self.tensor, self.prefix_rows, self.prefix_columns))
        prefix, size = above.shape[1], self.grid[0] * self.grid[1]
        if queries is None:
            queries = torch.arange(prefix + size, device=table.device)
        patch = (queries - prefix).clamp(min=0)
        cells = table.flatten(1)[:, self._offsets(patch)]
        rows = torch.cat([beside.index_select(1, patch), cells], -1)
        if prefix and bool((queries < prefix).any()):
            first = queries < prefix
            rows[:, first] = above.index_select(1, queries[first])
        return rows

    def sample(self, rows: Tensor) -> Tensor:
        return self.rows(0, None, rows).unsqueeze(0)

    def column(self, heads: Tensor | None, key: int) -> Tensor:
        table, above, beside = (_pick(t, heads) for t in (self.tensor, self.prefix_rows, self.prefix_columns))
        prefix = above.shape[1]
        if key < prefix:
            return torch.cat([above[:, :, key], beside[:, :, key]], -1)
        row, col = divmod(key - prefix, self.grid[1])
        part = table[:, row : row + self.grid[0], col : col + self.grid[1]].flip(1, 2)
        return torch.cat([above[:, :, key], part.flatten(1)], -1)

    def places(self, blocks: Tensor, places: Tensor, count: int) -> Tensor:
        return self.rows(0, None, places).transpose(0, 1).unsqueeze(-2)

    def windows(self, start: int, end: int) -> Tensor:
        return self.rows(0, None, None).unsqueeze(0)

    def _offsets(self, patches: Tensor) -> Tensor:
        """Where in the flat table the bias of each of these patches (n,) to every patch lies: (n, patches)."""
        high, wide = self.grid
        keys = torch.arange(high * wide, device=patches.device)
        down = keys[None] // wide - patches[:, None] // wide + high - 1
        right = keys[None] % wide - patches[:, None] % wide + wide - 1
        return down * (2 * wide - 1) + right


def added(scores: Tensor, bias: Tensor | None) -> Tensor:
    """Scores with a bias added, or -inf where a boolean bias forbids to look."""
    if bias is None:
        return scores
    return scores.masked_fill(~bias, -torch.inf) if bias.dtype == torch.bool else scores + bias.float()


def bias_of(tensor: Tensor | None, batch: int, view_size: tuple[int, int]) -> Bias | None:
    """The bias of an attention call; as offsets where a call over the whole view (batch 1) has exactly such a one."""
    if tensor is None:
        return None
    while tensor.dim() < 4:
        tensor = tensor.unsqueeze(0)
    count = tensor.shape[-1]
    known = not tensor.is_meta  # where memory is counted beforehand there are no numbers to compare
    if known and batch == 1 and tensor.shape[0] == 1 and tensor.shape[-2] == count and tensor.dtype != torch.bool:
        for prefix in range(min(_MOST_PREFIX_TOKENS, count)):
            grid = Grid.of_tokens(view_size, count - prefix)
            if grid is not None and (found := _compressed(tensor[0], grid.shape, prefix)) is not None:
                return found
    return Bias(tensor)


def _compressed(block: Tensor, grid: tuple[int, int], prefix: int) -> OffsetBias | None:
    """(H, N, N) as offsets, None where some entry is not what its offset says."""
    heads, (high, wide) = block.shape[0], grid
    if high * wide < 2:
        return None
    core = block[:, prefix:, prefix:].reshape(heads, high, wide, high, wide)
    table = block.new_empty(heads, 2 * high - 1, 2 * wide - 1)
    table[:, high - 1 :, wide - 1 :] = core[:, 0, 0]
    table[:, high - 1 :, :wide] = core[:, 0, -1]
    table[:, :high, wide - 1 :] = core[:, -1, 0]
    table[:, :high, :wide] = core[:, -1, -1]
    for row in range(high):
        # Windows of the table from right to left are the rows of the queries from left to right.
        part = table[:, high - 1 - row : 2 * high - 1 - row].unfold(2, wide, 1).flip(2)
        if not torch.equal(part.transpose(1, 2), core[:, row]):
            return None
    return OffsetBias(
        table, grid, prefix_rows=block[:, :prefix].clone(), prefix_columns=block[:, prefix:, :prefix].clone()
    )


def _pick(tensor: Tensor, heads: Tensor | None) -> Tensor:
    return tensor if heads is None or tensor.shape[0] == 1 else tensor.index_select(0, heads)
