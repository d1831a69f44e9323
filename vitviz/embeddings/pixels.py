"""How pixels become tokens: what the patch embedding makes of every patch, and what is added to it, as observed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vitviz.embeddings.tables import absolute_table
from vitviz.errors import ModelError
from vitviz.images import Image
from vitviz.models.hooks import in_eval, of_this_thread
from vitviz.models.model import Model

_ATTENDS = ("attn", "attention", "self_attention", "self_attn")


@dataclass(frozen=True, slots=True, eq=False)
class PatchTokens:
    """The way from pixels to the input of the first layer, for one picture.

    Attributes:
        embedded: (gh*gw, D) float32, what the patch embedding makes of each patch.
        position: (gh*gw, D) float32, what is added to it; None where nothing is.
        tokens: (P + gh*gw, D) float32, the sequence as the first layer gets it (before a norm of the whole sequence).
        grid: (gh, gw).
        prefix_tokens: names of the first P tokens.
        note: what is different in this network, "" for a plain ViT.
    """

    embedded: np.ndarray = field(repr=False)
    position: np.ndarray | None = field(repr=False)
    tokens: np.ndarray = field(repr=False)
    grid: tuple[int, int]
    prefix_tokens: tuple[str, ...] = ()
    note: str = ""


class _Enough(Exception):
    """The first layer's input has been seen."""


def patch_tokens(model: Model, image: Image) -> PatchTokens:
    """Run the network up to its first layer and keep what comes out of the patch embedding and what goes in there.

    Raises ModelError where no single module makes the patches' tokens.
    """
    embed, layer = _patch_module(model.module), _first_layer(model.module)
    if embed is None or layer is None:
        raise ModelError(
            f"{model.name} makes its tokens by several layers of convolutions, so no patch has an embedding of its own."
        )
    seen: dict[str, Tensor] = {}
    norm = getattr(model.module, "norm_pre", None)
    before = norm if isinstance(norm, nn.Module) and not isinstance(norm, nn.Identity) else layer

    def embedded(_: nn.Module, __: Any, output: Any) -> None:
        # A copy: NaFlexViT adds its positions in place.
        seen["embedded"] = (output[0] if isinstance(output, tuple) else output).clone()

    def entered(_: nn.Module, inputs: Any) -> None:
        seen["tokens"] = inputs[0]
        raise _Enough

    hooks = [
        embed.register_forward_hook(of_this_thread(embedded)),
        before.register_forward_pre_hook(of_this_thread(entered)),
    ]
    try:
        with torch.no_grad(), in_eval(model.module):
            model.module(model.on_device(model.preprocess(image)))
    except _Enough:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    if len(seen) < 2:
        raise ModelError(f"{model.name} does not lead its patch embedding into a first layer that can be seen.")
    return _laid_out(model, seen["embedded"], seen["tokens"])


def _laid_out(model: Model, embedded: Tensor, tokens: Tensor) -> PatchTokens:
    width = tokens.shape[-1]
    if tokens.dim() == 4 and tokens.shape[1] == model_width(model, width) != width:
        tokens, width = tokens.movedim(1, -1), tokens.shape[1]
    if embedded.dim() == 4 and embedded.shape[-1] != width:
        embedded = embedded.movedim(1, -1)
    if embedded.shape[-1] != width:
        raise ModelError(f"{model.name} changes the width of its tokens before its first layer: nothing to compare.")
    grid = _grid(model, embedded)
    made = embedded.detach().float().cpu().numpy().reshape(-1, width)
    entering = tokens.detach().float().cpu().numpy().reshape(-1, width)
    extra = len(entering) - len(made)
    if grid is None or extra < 0 or extra > max(len(model.prefix_tokens), 1):
        raise ModelError(
            f"{model.name} leads {len(entering)} tokens into its first layer and embeds {len(made)} patches: which is "
            "which can't be told."
        )
    added = entering[extra:] - made
    note, table = _note(model), absolute_table(model)
    if table is not None and table.grid == grid and table.patches.shape[-1] == width:
        known = table.patches.reshape(-1, width)
        largest = max(float(np.abs(known).max()), float(np.abs(made).max()), 1e-6)
        if np.abs(added - known).max() > (1e-4 if model.precision == "float32" else 5e-2) * largest:
            added, entering = known, np.concatenate([entering[:extra], made + known])
            note = f"{note} Its first layer has the tokens in another order; here they stand row by row.".strip()
    position = added if np.abs(added).max() > 0 else None
    return PatchTokens(made, position, entering, grid, model.prefix_tokens[:extra], note)


def model_width(model: Model, default: int) -> int:
    """The width of a token that the network states, `default` where it states none."""
    width = getattr(model.module, "embed_dim", default)
    return width if isinstance(width, int) else default


def _grid(model: Model, embedded: Tensor) -> tuple[int, int] | None:
    if embedded.dim() == 4:
        return int(embedded.shape[1]), int(embedded.shape[2])
    from vitviz.models.layout import Grid

    size = getattr(getattr(model.module, "patch_embed", None), "grid_size", None)
    if size is not None and size[0] * size[1] == embedded.shape[1]:
        return int(size[0]), int(size[1])
    found = Grid.of_tokens(model.preprocessing.input_size, embedded.shape[1])
    return found.shape if found is not None else None


def _patch_module(module: nn.Module) -> nn.Module | None:
    found = getattr(module, "patch_embed", None)
    if isinstance(found, nn.Module):
        return found
    inner = getattr(getattr(module, "embeds", None), "proj", None)  # NaFlexViT adds positions in the same module
    return inner if isinstance(inner, nn.Module) else None


def _first_layer(module: nn.Module) -> nn.Module | None:
    each: nn.Module
    for _, each in module.named_modules():
        if any(isinstance(getattr(each, name, None), nn.Module) for name in _ATTENDS):
            return each
    return None


def _note(model: Model) -> str:
    module: Any = model.module
    embed = getattr(module, "patch_embed", None)
    if getattr(embed, "backbone", None) is not None:
        return "A hybrid: a convolutional network comes first, so a token has seen more of the picture than its square."
    if getattr(module, "norm_pre", None) is not None and not isinstance(module.norm_pre, nn.Identity):
        return "The whole sequence is normalised once more before the first layer."
    return ""
