"""One layer's step of a rollout: a row times the layer's fused attention, in chunks, so that no N x N matrix is kept.

`A^T r` of all heads is also what the backward pass of fused attention gives for V when the gradient of its output is
r; on a CPU that takes three to five times as long as recomputing the rows (tests/benchmarks/rollout.py).
"""

from __future__ import annotations

import torch
from torch import Tensor

from vitviz.attention.calls import normalised
from vitviz.attention.layer import Layer
from vitviz.attention.values import RolloutOptions
from vitviz.attention.window_steps import pull_windows
from vitviz.errors import AttentionError
from vitviz.models.layout import Grid

# The rows of one head that are in work at once: what the caches of a core hold, or what keeps a GPU busy.
_CPU_BYTES, _GPU_BYTES = 2**20, 64 * 2**20


def pull(layer: Layer, row: Tensor, options: RolloutOptions) -> Tensor:
    """row^T fuse(A): the row (num_queries,) seen through one layer, over its tokens (prefix tokens, then query grid).

    Rows of the fused matrix sum to 1, so the sum of the row is kept. Fusion and discard are those of `options`; the
    residual is not in it. Heads that are off are not fused; of a layer without heads this is not asked.
    """
    if layer.windows is not None:
        return pull_windows(layer, row, options)
    plain = options.fusion == "mean" and options.discard == 0.0
    pulled = _mean(layer, row) if plain else _fused(layer, row, options)
    if layer.kind == "pooled keys":
        count = layer.num_prefix_tokens
        pulled = torch.cat([pulled[:count], descend(pulled[count:], layer.grid, layer.query_grid)])
    return pulled


def fuse(block: Tensor, prefix: int, options: RolloutOptions) -> Tensor:
    """Rows of all heads (H, n, keys) -> fused rows (n, keys), each summing to 1.

    Discarding sets the weights below the (k + 1)-th smallest of the row's patches to 0, k being the share of the
    patches that is discarded: equal weights at the border all stay, so that no order of the patches matters.
    """
    if options.fusion == "mean":
        fused = block.mean(0)
    else:
        fused = block.amax(0) if options.fusion == "max" else block.amin(0)
        fused = normalised(fused)
    patches = fused[:, prefix:]
    count = min(int(options.discard * patches.shape[-1]), patches.shape[-1] - 1)
    if count > 0:
        least = patches.kthvalue(count + 1, -1, keepdim=True).values
        fused = torch.cat([fused[:, :prefix], patches * (patches >= least)], -1)
        fused = normalised(fused)
    return fused


def descend(row: Tensor, above: Grid, below: Grid) -> Tensor:
    """A row over the patches of one grid (above.size,) as a row over those of the grid of the layer below.

    Each patch gives equal shares to the patches whose middle lies in it: a quarter to each of 2 x 2 where a network
    merges patches, and what would go to padding to its neighbours. Where the grid below is coarser, shares add up.
    """
    if above.shape == below.shape:
        return row
    if below.size < above.size:
        owners = _owners(below, above).to(row.device)
        return row.new_zeros(below.size).index_add_(0, owners, row)
    owners = _owners(above, below).to(row.device)
    children = torch.bincount(owners, minlength=above.size)
    if bool((children == 0).any()):
        raise AttentionError(f"A grid of {above.shape} does not lie over one of {below.shape}: it can't be rolled out.")
    return (row / children)[owners]


def _owners(coarse: Grid, fine: Grid) -> Tensor:
    """For every patch of the fine grid the patch of the coarse one that holds its middle, (fine.size,)."""
    down, across = (
        ((torch.arange(count) + 0.5) * (stride / wide)).long().clamp(max=most - 1)
        for count, stride, wide, most in zip(fine.shape, fine.stride, coarse.stride, coarse.shape, strict=True)
    )
    return (down[:, None] * coarse.cols + across[None]).flatten()


def _mean(layer: Layer, row: Tensor) -> Tensor:
    """row^T of the mean over heads. One head after the other on a CPU, where small blocks of rows stay in its cache."""
    queries = _looking(row)
    on_cpu = row.device.type == "cpu"
    on = torch.tensor(layer.heads_on, device=row.device)
    heads = torch.split(on, 1 if on_cpu else layer.num_heads)
    step = _step(layer, len(heads[0]), row.device)
    total = row.new_zeros(layer.num_keys)
    for chosen in heads:
        for some in torch.split(queries, step):
            total += torch.matmul(row[some], layer.rows(chosen, some)).sum(0)
    return total / len(on)


def _fused(layer: Layer, row: Tensor, options: RolloutOptions) -> Tensor:
    total = row.new_zeros(layer.num_keys)
    on = torch.tensor(layer.heads_on, device=row.device) if layer.off else None
    for some in torch.split(_looking(row), _step(layer, layer.num_heads, row.device)):
        total += row[some] @ fuse(layer.rows(on, some), layer.num_prefix_tokens, options)
    return total


def _looking(row: Tensor) -> Tensor:
    """The tokens whose attention counts: at the top that is the query alone."""
    return row.nonzero().squeeze(-1)


def _step(layer: Layer, heads: int, device: torch.device) -> int:
    room = _CPU_BYTES * max(1, heads // 2) if device.type == "cpu" else _GPU_BYTES
    return max(1, room // (4 * heads * layer.num_keys))
