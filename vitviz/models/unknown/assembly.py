"""Layers and what is around them -> one state dict, under PlainViT's names or timm's, and the arguments for timm."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from vitviz.models.unknown.blocks import Layers
from vitviz.models.unknown.plain_vit import PlainConfig
from vitviz.models.unknown.surround import Surround
from vitviz.models.unknown.units import Unit

BASE = "vit_tiny_patch16_224"
_TIMM_EPS = 1e-6


def plain_tensors(layers: Layers, around: Surround) -> dict[str, Tensor]:
    """Everything under PlainViT's names."""
    found = {f"blocks.{i}.{name}": value for i, layer in enumerate(layers.tensors) for name, value in layer.items()}

    def put(name: str, unit: Unit | None) -> None:
        if unit is not None:
            # A layer without bias is one with a bias of zeros.
            bias = unit.weight.new_zeros(unit.shape[0]) if unit.bias is None else unit.bias
            found.update({f"{name}.weight": unit.weight, f"{name}.bias": bias})

    put("patch_embed.proj", around.patch)
    put("patch_embed.norm_in", around.norm_in)
    put("patch_embed.norm_out", around.norm_out)
    put("norm_pre", around.embed_norm)
    put("norm", around.final_norm)
    put("head_norm", around.head_norm)
    for i, unit in enumerate(around.head):
        put("head" if len(around.head) == 1 else f"head.{2 * i}", unit)
    tokens = {"pos_embed": around.position, "cls_token": around.class_token, "reg_token": around.registers}
    found |= {name: value.reshape(1, -1, layers.width) for name, value in tokens.items() if value is not None}
    return {name: value.contiguous() for name, value in found.items()}


def fits_timm(config: PlainConfig) -> bool:
    """Whether timm's VisionTransformer computes exactly this."""
    return (
        config.pre_norm
        and config.scale == "head"
        and config.inner in (None, config.width)
        and config.patch_norms == (False, False)
        and not config.embed_norm
        and not config.head_hidden
        and not (config.final_norm and config.head_norm)
        and int(config.width * (config.hidden / config.width)) == config.hidden
    )


def timm_args(config: PlainConfig) -> dict[str, Any]:
    """The arguments with which timm builds this."""
    pooled = config.pool != "token"
    args: dict[str, Any] = {
        "img_size": config.image_size,
        "patch_size": config.patch_size if config.patch_size[0] != config.patch_size[1] else config.patch_size[0],
        "in_chans": config.channels,
        "num_classes": config.classes,
        "global_pool": "avg" if pooled else "token",
        "embed_dim": config.width,
        "depth": config.depth,
        "num_heads": config.heads,
        "mlp_ratio": config.hidden / config.width,
        "qkv_bias": config.qkv_bias,
        "class_token": config.class_token,
        "reg_tokens": config.registers,
        "no_embed_class": config.position == "patches",
        "act_layer": config.activation,
    }
    if config.position == "none":
        args["pos_embed"] = "none"
    if config.pool == "mean of all":
        args["pool_include_prefix"] = True
    if pooled:  # the norm of each token before the mean, or of the mean
        args["fc_norm"] = config.head_norm
    if not config.final_norm and not config.head_norm:
        args["final_norm"] = False
    if config.eps != _TIMM_EPS:
        args["norm_layer"] = functools.partial(nn.LayerNorm, eps=config.eps)
    return args


def timm_tensors(tensors: Mapping[str, Tensor], config: PlainConfig) -> dict[str, Tensor]:
    """PlainViT's names -> timm's, a projection of flattened patches as the convolution that does the same."""
    # The norm of one token is the same before and after that token is taken.
    norm = "norm" if config.pool == "token" else "fc_norm"
    found = {name.replace("head_norm.", f"{norm}."): value for name, value in tensors.items()}
    if config.linear_patches:
        weight, (rows, columns) = found["patch_embed.proj.weight"], config.patch_size
        if config.channels_last:
            weight = weight.reshape(config.width, rows, columns, config.channels).permute(0, 3, 1, 2)
        found["patch_embed.proj.weight"] = weight.reshape(config.width, config.channels, rows, columns).contiguous()
    return found
