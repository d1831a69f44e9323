"""The kernels by which pixels become tokens, and their principal components.

Dosovitskiy et al. 2020 (arXiv 2010.11929), figure 7 left: the first 28 principal components of the embedding filters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import nn

from vitviz.errors import ModelError
from vitviz.models.model import Model

PAPER_COUNT = 28


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Principal components of a set of filters.

    Attributes:
        tiles: (k, C, p, q) float32, each of length 1; the sign is that which makes the largest value positive.
        explained: (k,) float64, the share of the filters' variance along each.
    """

    tiles: np.ndarray = field(repr=False)
    explained: np.ndarray = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """The filters that a network lays over its pixels.

    Attributes:
        kernels: (D, C, p, q) float32.
        name: of the module that holds them.
        text: what they are, in a sentence.
    """

    kernels: np.ndarray = field(repr=False)
    name: str
    text: str

    def components(self, count: int = PAPER_COUNT) -> Components:
        """The first `count` principal components over the filters less their mean; fewer where there are fewer."""
        flat = self.kernels.reshape(len(self.kernels), -1).astype(np.float64)
        centred = flat - flat.mean(0)
        _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
        variance = sizes**2
        total = variance.sum()
        shares = variance / total if total > 0 else np.zeros_like(variance)
        axes = axes[:count]
        peaks = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1)
        axes = axes * np.where(peaks < 0, -1.0, 1.0)
        return Components(axes.reshape(-1, *self.kernels.shape[1:]).astype(np.float32), shares[:count])


def patch_filters(model: Model) -> Filters:
    """The filters of the patch embedding, or of the first convolution where the patches come from a stem.

    Raises ModelError where no filter lies over the pixels themselves.
    """
    channels = model.preprocessing.channels
    for place in ("patch_embed", "embeds"):
        holder: Any = getattr(model.module, place, None)
        kernels = None if holder is None else _kernels(holder, channels)
        if kernels is not None:
            count, _, high, wide = kernels.shape
            text = f"{count} filters of {high} x {wide} px: one for each value of a token"
            return Filters(kernels, f"{place}.proj", text + ".")
    for name, module in model.module.named_modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == channels and module.groups == 1:
            kernels = module.weight.detach().float().cpu().numpy()
            count, _, high, wide = kernels.shape
            text = (
                f"{count} filters of {high} x {wide} px of the first convolution ({name}): this network makes its "
                "tokens by several layers, so no single filter makes a token"
            )
            return Filters(kernels, name, text + ".")
    raise ModelError(f"{model.name} lays no filter over the pixels of {channels} channels that could be shown.")


def _kernels(holder: Any, channels: int) -> np.ndarray | None:
    """(D, C, p, q) of a projection of flattened or cut patches, None where `holder` has none over the pixels."""
    projection = getattr(holder, "proj", None)
    if isinstance(projection, nn.Conv2d) and projection.in_channels == channels and projection.groups == 1:
        found: np.ndarray = projection.weight.detach().float().cpu().numpy()
        return found
    size = getattr(holder, "patch_size", None)
    if not isinstance(projection, nn.Linear) or size is None:
        return None
    high, wide = (size, size) if isinstance(size, int) else size
    if projection.in_features != channels * high * wide:
        return None
    weight = projection.weight.detach().float().cpu().numpy()
    if getattr(holder, "channels_last", getattr(holder, "_channels_last", False)):
        return np.ascontiguousarray(weight.reshape(-1, high, wide, channels).transpose(0, 3, 1, 2))
    return weight.reshape(-1, channels, high, wide)
