"""The two demo networks, their initial weights, and their forward pass to class and token logits."""

from __future__ import annotations

from functools import cache
from typing import Any

import timm
import torch
from shapes import SHAPES
from timm.layers import resample_abs_pos_embed, resample_patch_embed
from torch import Tensor, nn
from torch.nn import functional as F

VIT_ARGS: dict[str, Any] = {"img_size": 128, "patch_size": 16, "embed_dim": 128, "depth": 6, "num_heads": 4}
SWIN_ARGS: dict[str, Any] = {
    "img_size": 128,
    "patch_size": 4,
    "window_size": 4,
    "embed_dim": 32,
    "depths": [2, 2, 4],
    "num_heads": [2, 4, 8],
    "drop_path_rate": 0.0,
}
ARCHITECTURES = {"vit": "vit_tiny_patch16_224", "swin": "swin_tiny_patch4_window7_224"}
PATCH_SIZES = (8, 16, 32)


def build(kind: str) -> nn.Module:
    """An untrained demo network: "vit" or "swin"."""
    arguments = VIT_ARGS if kind == "vit" else SWIN_ARGS
    model: nn.Module = timm.create_model(ARCHITECTURES[kind], num_classes=len(SHAPES), **arguments)
    if kind == "vit":
        begin_local(model)
    return model


@torch.no_grad()
def begin_local(model: nn.Module) -> None:
    """Sinusoidal positions and attention that starts out looking at alike tokens.

    "Mimetic initialization of self-attention layers", Trockman and Kolter 2023, arXiv 2305.09828.
    """
    dim = model.embed_dim
    grid = model.patch_embed.grid_size
    pace = 1 / 100 ** (torch.arange(dim // 4) / (dim // 4))
    y, x = (torch.arange(n)[:, None] * pace * 16 / n for n in grid)
    waves = [torch.cat([t.sin(), t.cos()], 1) for t in (y, x)]
    rows = waves[0][:, None].expand(-1, grid[1], -1)
    columns = waves[1][None].expand(grid[0], -1, -1)
    model.pos_embed[:, 1:] = 0.5 * torch.cat([rows, columns], 2).reshape(1, -1, dim)
    for block in model.blocks:
        width = dim // block.attn.num_heads
        queries, keys, values = block.attn.qkv.weight.chunk(3)
        for h in range(block.attn.num_heads):
            part = slice(h * width, (h + 1) * width)
            u, s, vt = torch.linalg.svd(0.5 * torch.randn(dim, dim) / dim**0.5 + 0.5 * torch.eye(dim))
            queries[part] = (u[:, :width] * s[:width].sqrt()).T
            keys[part] = vt[:width] * s[:width, None].sqrt()
        u, s, vt = torch.linalg.svd(0.4 * torch.randn(dim, dim) / dim**0.5 - 0.4 * torch.eye(dim))
        values.copy_(vt * s[:, None].sqrt())
        block.attn.proj.weight.copy_(u * s.sqrt())


@cache
def kernel_resizing(old: int, new: int) -> Tensor:
    """The matrix (old * old, new * new) by which timm's resample_patch_embed turns a kernel into another size.

    Taken from timm itself by resizing unit kernels, so training and opening agree; its pseudo-inverse is slow.
    """
    units = torch.eye(old * old).reshape(old * old, 1, old, old)
    return resample_patch_embed(units, [new, new]).reshape(old * old, new * new)


def vit_before_last(model: nn.Module, images: Tensor, patch_size: int) -> Tensor:
    """What the last block of a demo ViT is given, (B, 1 + N, D), at a patch size, differentiable in the weights."""
    kernel = model.patch_embed.proj.weight
    stored = kernel.shape[-1]
    if patch_size != stored:
        kernel = (kernel.flatten(2) @ kernel_resizing(stored, patch_size)).unflatten(2, (patch_size, patch_size))
    # A strided convolution in float32 on a CPU is several times slower than the matrix product it stands for.
    patches = F.pixel_unshuffle(images, patch_size).flatten(2).mT  # (B, N, 3 * p * p)
    grid = [images.shape[2] // patch_size, images.shape[3] // patch_size]
    x = F.linear(patches, kernel.flatten(1), model.patch_embed.proj.bias)
    old = list(model.patch_embed.grid_size)
    x = torch.cat([model.cls_token.expand(len(x), -1, -1), x], dim=1)
    x = x + resample_abs_pos_embed(model.pos_embed, new_size=grid, old_size=old, num_prefix_tokens=1)
    before: Tensor = model.blocks[:-1](model.norm_pre(x))
    return before


def vit_logits(model: nn.Module, token_head: nn.Module, before_last: Tensor) -> tuple[Tensor, Tensor]:
    """Class logits (B, C) and token logits (B, N, C + 1) from what the last block of a demo ViT is given."""
    tokens = model.norm(model.blocks[-1](before_last))
    return model.forward_head(tokens), token_head(tokens[:, 1:])


def logits(model: nn.Module, token_head: nn.Module, images: Tensor, patch_size: int) -> tuple[Tensor, Tensor]:
    """Class logits (B, C) and token logits (B, N, C + 1) of either network; a Swin has one patch size."""
    if hasattr(model, "cls_token"):
        return vit_logits(model, token_head, vit_before_last(model, images, patch_size))
    tokens = model.forward_features(images)  # (B, h, w, D)
    return model.forward_head(tokens), token_head(tokens.flatten(1, 2))
