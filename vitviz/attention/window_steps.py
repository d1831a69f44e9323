"""A windowed layer's step of a rollout: window after window, O(N M^2) for N tokens in windows of M places.

The fused matrix of such a layer has a block for every window and is 0 elsewhere. Weight on padding is taken away and
rows are normalised again, head by head, as `Layer.rows` does; so the row keeps its sum.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vitviz.attention.calls import normalised
from vitviz.attention.layer import Layer
from vitviz.attention.values import RolloutOptions

_CHUNK_BYTES = 16 * 2**20


def pull_windows(layer: Layer, row: Tensor, options: RolloutOptions) -> Tensor:
    """row^T fuse(A) of a layer with windows, (tokens,) -> (tokens,).

    The share that `options.discard` takes away is one of the keys in the query's own window: of all keys, nearly all
    weigh nothing anyway.
    """
    index = layer.window_tokens
    count, places = index.shape
    real = index >= 0
    inside = row.new_zeros(count, places)
    inside[real] = row[index[real]]
    looking = inside.any(1).nonzero().squeeze(-1)
    result = torch.zeros_like(row)
    step = max(1, _CHUNK_BYTES // (4 * layer.num_heads * places * places))
    first, last = (int(looking[0]), int(looking[-1]) + 1) if len(looking) else (0, 0)
    for start in range(first, last, step):
        some = slice(start, min(start + step, last))
        blocks = layer.window_blocks(some.start, some.stop)
        if layer.off:
            blocks = blocks[:, list(layer.heads_on)]
        fused = fuse_windows(blocks, real[some], options)
        pulled = (inside[some].unsqueeze(1) @ fused).squeeze(1)
        result.index_add_(0, index[some][real[some]], pulled[real[some]])
    return result


def fuse_windows(blocks: Tensor, real: Tensor, options: RolloutOptions) -> Tensor:
    """Attention within windows (n, H, M, M) -> fused over heads (n, M, M), rows over the real places summing to 1.

    Args:
        real: (n, M) bool, False on padding.
    """
    blocks = normalised(blocks * real[:, None, None, :])
    if options.fusion == "mean":
        fused = blocks.mean(1)
    else:
        fused = normalised(blocks.amax(1) if options.fusion == "max" else blocks.amin(1))
    counts = real.sum(1)
    gone = torch.minimum((options.discard * counts.double()).long(), counts - 1)
    if bool((gone > 0).any()):
        # Padding sorts before the weights, so the least weight that stays lies that many places further on.
        ordered = fused.masked_fill(~real[:, None, :], -1.0).sort(-1).values
        at = (gone + real.shape[1] - counts)[:, None, None].expand(-1, real.shape[1], 1)
        fused = normalised(fused * (fused >= ordered.gather(-1, at)) * real[:, None, :])
    return fused
