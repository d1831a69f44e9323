"""Rotary positions (Su et al. 2021, arXiv 2104.09864) as vectors whose product is what rotation makes of it.

A pair of values turned by the angle a_i in the query and a_j in the key meets as cos(a_i - a_j) of what it was. With
(sin a, cos a) of every frequency as one vector, the mean over the frequencies is the product of two such vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from vitviz.models.model import Model, patch_size_of


def has_rotary(model: Model) -> bool:
    """Whether the network turns its queries and keys by a rotary module that can be asked for its angles."""
    return callable(getattr(getattr(model.module, "rope", None), "get_embed", None))


def rotary_vectors(model: Model) -> tuple[np.ndarray, tuple[int, int]] | None:
    """What the network's own rotary module turns by, with the grid that it is for; None where there is none.

    Returns:
        (layers, heads, gh*gw, D) float32 of length 1 (layers and heads 1 where they share their angles), (gh, gw).
    """
    if not has_rotary(model):
        return None
    rope: Any = model.module.rope
    grid = rotary_grid(model)
    with torch.no_grad():
        embed = rope.get_embed(shape=list(grid))
    if isinstance(embed, tuple | list):
        embed = torch.cat(list(embed), -1)
    if embed.dim() not in (2, 3, 4) or embed.shape[-2] != grid[0] * grid[1]:
        return None
    vectors = embed.detach().float().cpu().numpy()
    vectors = vectors.reshape((1,) * (4 - vectors.ndim) + vectors.shape)
    # Every angle stands there twice, once for each value of its pair: sin^2 + cos^2 summed over D/2 places is D/2.
    return vectors / np.float32((vectors.shape[-1] / 2) ** 0.5), grid


def rotary_grid(model: Model) -> tuple[int, int]:
    """The grid (gh, gw) of patches over the model's view, for networks of one patch size."""
    embed: Any = getattr(model.module, "patch_embed", getattr(model.module, "embeds", None))
    size = model.preprocessing.input_size
    if callable(getattr(embed, "dynamic_feat_size", None)):
        rows, cols = embed.dynamic_feat_size(size)
        return int(rows), int(cols)
    patch = model.patch_size or patch_size_of(model.module) or (16, 16)
    return size[0] // patch[0], size[1] // patch[1]
