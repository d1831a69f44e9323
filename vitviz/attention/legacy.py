"""Rollout as jacobgil/vit-explain computes it, for comparison with pictures that were published from it.

Three things differ from Abnar and Zuidema: the discard takes the smallest share of all N^2 entries of the fused
matrix, sparing only entry [0, 0] (github.com/jacobgil/vit-explain, vit_rollout.py); rows of max and min are not
normalised; and (A + I) / 2 is divided by its row sums as if they were column sums, so that rows don't sum to 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vitviz.attention.layer import Layer
from vitviz.attention.values import RolloutOptions
from vitviz.errors import AttentionError


def legacy_step(layer: Layer, row: Tensor, options: RolloutOptions) -> Tensor:
    """row^T of the layer's matrix, (N,) -> (N,); one fused N x N matrix at a time, which the global discard needs."""
    if layer.windows is not None or layer.kind != "global":
        raise AttentionError(
            f"The variant 'vit-explain' takes square matrices over all tokens, and layer {layer.index} ({layer.name}) "
            "has none: choose the variant 'abnar'."
        )
    matrix = torch.cat([_fused(layer, rows, options) for rows in torch.split(torch.arange(layer.num_keys), 256)])
    flat = matrix.view(-1)
    smallest = flat.topk(int(flat.numel() * options.discard), largest=False).indices
    flat[smallest[smallest != 0]] = 0
    matrix += torch.eye(len(matrix), dtype=torch.float32, device=matrix.device)
    matrix /= 2
    return row @ matrix / matrix.sum(-1)


def _fused(layer: Layer, rows: Tensor, options: RolloutOptions) -> Tensor:
    on = torch.tensor(layer.heads_on, device=layer.device) if layer.off else None
    block = layer.rows(on, rows.to(layer.device))
    if options.fusion == "mean":
        return block.mean(0)
    return block.amax(0) if options.fusion == "max" else block.amin(0)
