"""Relative position bias: what a layer adds to q k^T for the offset between two patches alone.

Learned tables (Swin V1, Liu et al. 2021, arXiv 2103.14030; BEiT, Bao et al. 2021, arXiv 2106.08254; MaxViT), the
continuous bias of Swin V2, `16 sigmoid(cpb_mlp(log-spaced offsets))` (Liu et al. 2022, arXiv 2111.09883), and the like.
Each module is asked for its matrix over all pairs of patches, which is read off: so one convention holds for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vitviz.errors import ModelError
from vitviz.models.model import Model

# A module's own way to its bias, without arguments: Swin V1 and BEiT, torchvision, Swin V2-CR, timm's RelPos modules.
_METHODS = ("_get_rel_pos_bias", "get_relative_position_bias", "_relative_positional_encodings", "get_bias")
_INSIDE = ("rel_pos", "rel_pos_bias")


def relative_position_bias(model: Model) -> dict[str, np.ndarray]:
    """The relative position bias of every layer that has one.

    Args:
        model: as load_model gives it.

    Returns:
        {layer name: (H, 2 Mh - 1, 2 Mw - 1) float32} for windows (or grids) of Mh x Mw patches, in the order of the
        layers. Entry [h, Mh - 1 + dy, Mw - 1 + dx] is what head h adds to the score (the logit before the softmax,
        without unit) of a key dy rows below and dx columns to the right of the query. A bias that all layers share
        comes once, under the name of its own module. Prefix tokens have no offset and are left out.

    Raises:
        ModelError: the model has no such bias, or one that does not depend on the offset alone.
    """
    tables: dict[str, np.ndarray] = {}
    with torch.inference_mode():
        for name, module in model.module.named_modules():
            found = _bias_of(module)
            if found is not None:
                tables[_layer_name(name, module)] = _read_off(*found, where=name or model.name)
    if not tables:
        raise ModelError(
            f"{model.name} has no relative position bias: ask a Swin, BEiT, MaxViT or TinyViT, or look at the "
            "similarity of its position embeddings."
        )
    return tables


def has_relative_position_bias(module: nn.Module) -> bool:
    """Whether some layer of a network has a relative position bias; nothing is computed."""
    return any(True for child in module.modules() for _ in _ways(child))


def _ways(module: Any) -> Iterator[str]:
    """How the bias of a module can be had, if it has one of its own."""
    if getattr(module, "cpb_mlp", None) is not None and hasattr(module, "relative_coords_table"):
        yield "cpb"
    elif isinstance(getattr(module, "attention_biases", None), Tensor) and hasattr(module, "attention_bias_idxs"):
        yield "attention_biases"
    elif getattr(module, "relative_position_bias_table", None) is not None or any(
        hasattr(module, name) for name in ("rel_coords_log", "relative_coordinates_log")
    ):
        yield from (name for name in _METHODS if callable(getattr(module, name, None)))
        if type(module).__name__ == "RelativePositionBias":  # BEiT's, shared by all layers
            yield "forward"


def _bias_of(module: Any) -> tuple[Tensor, tuple[int, int]] | None:
    """(H, N, N) and the (rows, columns) of its patches."""
    way = next(_ways(module), None)
    if way is None:
        return None
    size = getattr(module, "window_size", getattr(module, "resolution", None))
    if size is None:
        return None
    window = (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))
    if way == "cpb":
        table = 16 * torch.sigmoid(module.cpb_mlp(module.relative_coords_table)).flatten(0, -2)
        count = window[0] * window[1]
        bias = table[module.relative_position_index.flatten()].view(count, count, -1).permute(2, 0, 1)
    elif way == "attention_biases":
        bias = module.attention_biases[:, module.attention_bias_idxs]
    else:
        bias = getattr(module, way)()
    return bias.reshape(-1, *bias.shape[-2:]).float().cpu(), window


def _read_off(bias: Tensor, window: tuple[int, int], where: str) -> np.ndarray:
    """(H, N, N) -> (H, 2 Mh - 1, 2 Mw - 1) by key minus query."""
    (high, wide), heads = window, bias.shape[0]
    prefix = bias.shape[-1] - high * wide
    core = bias[:, prefix:, prefix:].reshape(heads, high, wide, high, wide).numpy() if prefix >= 0 else None
    if core is not None:
        table = np.empty((heads, 2 * high - 1, 2 * wide - 1), dtype=np.float32)
        # A query in a corner has all offsets of one quarter.
        table[:, high - 1 :, wide - 1 :] = core[:, 0, 0]
        table[:, high - 1 :, :wide] = core[:, 0, -1]
        table[:, :high, wide - 1 :] = core[:, -1, 0]
        table[:, :high, :wide] = core[:, -1, -1]
        down = np.arange(high)[None] - np.arange(high)[:, None] + high - 1
        right = np.arange(wide)[None] - np.arange(wide)[:, None] + wide - 1
        if np.allclose(table[:, down[:, None, :, None], right[None, :, None, :]], core, atol=1e-6):
            return table
    raise ModelError(f"The bias of {where} does not depend on the offset between patches alone: it has no table.")


def _layer_name(name: str, module: nn.Module) -> str:
    """The attention layer that a module with a bias belongs to, by the name that a trace gives it."""
    parent, _, last = name.rpartition(".")
    return parent if parent and last in _INSIDE else name
