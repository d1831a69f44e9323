"""One configurable vision transformer for plain ViTs that timm can't build: norms after, other widths or embeddings.

The block is that of Dosovitskiy et al. 2021 (arXiv 2010.11929); what varies are the choices of nn.TransformerEncoder
(norms after the sum, ReLU) and of lucidrains' vit-pytorch (linear patches, inner width other than the model's,
LayerNorm around the patches, scale by the model's width in its first generation). It carries the attributes by which
timm's own networks are read: cls_token, num_prefix_tokens, patch_embed, global_pool, num_classes, pretrained_cfg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["gelu", "gelu_tanh", "quick_gelu", "relu", "silu", "tanh"]


@dataclass(frozen=True, slots=True)
class PlainConfig:
    """The choices of a PlainViT.

    Attributes:
        image_size, patch_size: (height, width) in pixels.
        width: of a token (D). inner: of all heads together (A), D where None. hidden: of the MLP.
        pre_norm: norms before attention and MLP; False: after the sum, as nn.TransformerEncoder by default.
        scale: of q k^T by the head's width d^-0.5 or the model's D^-0.5.
        linear_patches: patches flattened and projected; else a convolution.
        channels_last: order inside a flattened patch, (p1 p2 c), else (c p1 p2).
        patch_norms: LayerNorm before and after the projection of the patches.
        embed_norm: LayerNorm after position embedding.
        registers: tokens between class token and patches.
        position: which tokens a position embedding is added to.
        pool: what the output is read from: class token, mean of the patches, mean of all tokens.
        final_norm, head_norm: LayerNorm before and after the pool.
        head_hidden: widths of hidden layers of the head, each followed by head_activation.
        mean, std: of the preprocessing, stated or assumed by whoever builds this.
    """

    image_size: tuple[int, int]
    patch_size: tuple[int, int]
    width: int
    depth: int
    heads: int
    hidden: int
    classes: int
    channels: int = 3
    inner: int | None = None
    pre_norm: bool = True
    activation: Activation = "gelu"
    eps: float = 1e-5
    qkv_bias: bool = True
    scale: Literal["head", "width"] = "head"
    linear_patches: bool = False
    channels_last: bool = True
    patch_norms: tuple[bool, bool] = (False, False)
    embed_norm: bool = False
    class_token: bool = True
    registers: int = 0
    position: Literal["all", "patches", "none"] = "all"
    pool: Literal["token", "mean", "mean of all"] = "token"
    final_norm: bool = True
    head_norm: bool = False
    head_hidden: tuple[int, ...] = ()
    head_activation: Activation = "gelu"
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)
    interpolation: str = "bicubic"
    crop_pct: float = 1.0
    extra: dict[str, Any] = field(default_factory=dict)


class PlainViT(nn.Module):
    """A vision transformer as `config` says. (B, C, H, W) -> logits (B, classes), or pooled (B, D) without classes."""

    def __init__(self, config: PlainConfig) -> None:
        super().__init__()
        self.config = config
        self.num_classes, self.num_features, self.embed_dim = config.classes, config.width, config.width
        self.num_prefix_tokens = int(config.class_token) + config.registers
        self.global_pool = "token" if config.pool == "token" else "avg"
        self.patch_embed = _Patches(config)
        count = self.patch_embed.num_patches + (self.num_prefix_tokens if config.position == "all" else 0)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width)) if config.class_token else None
        self.reg_token = nn.Parameter(torch.zeros(1, config.registers, config.width)) if config.registers else None
        placed = config.position != "none"
        self.pos_embed = nn.Parameter(torch.zeros(1, count, config.width)) if placed else None
        self.norm_pre = _norm(config, config.embed_norm)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.depth))
        self.norm = _norm(config, config.final_norm)
        self.head_norm = _norm(config, config.head_norm)
        self.head = _head(config)
        self.pretrained_cfg: dict[str, Any] = {
            "input_size": (config.channels, *config.image_size),
            "mean": _each(config.mean, config.channels),
            "std": _each(config.std, config.channels),
            "interpolation": config.interpolation,
            "crop_pct": config.crop_pct,
            "crop_mode": "center",
            "num_classes": config.classes,
            "classifier": "head",
            **config.extra,
        }
        self.default_cfg = self.pretrained_cfg

    def forward_features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> tokens (B, prefix + patches, D), after the last norm."""
        x = self.patch_embed(x)
        if self.pos_embed is not None and self.config.position == "patches":
            x = x + self.pos_embed
        prefix = [token.expand(len(x), -1, -1) for token in (self.cls_token, self.reg_token) if token is not None]
        x = torch.cat([*prefix, x], 1)
        if self.pos_embed is not None and self.config.position == "all":
            x = x + self.pos_embed
        x = self.norm_pre(x)
        for block in self.blocks:
            x = block(x)
        features: Tensor = self.norm(x)
        return features

    def forward_head(self, x: Tensor) -> Tensor:
        """Tokens (B, N, D) -> logits (B, classes)."""
        if self.config.pool == "token":
            x = x[:, 0]
        else:
            x = (x if self.config.pool == "mean of all" else x[:, self.num_prefix_tokens :]).mean(1)
        logits: Tensor = self.head(self.head_norm(x))
        return logits

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, classes)."""
        return self.forward_head(self.forward_features(x))


class _Patches(nn.Module):
    """(B, C, H, W) -> (B, N, D), by a convolution or by a Linear on flattened patches with norms around it."""

    def __init__(self, config: PlainConfig) -> None:
        super().__init__()
        self.patch_size, self.img_size = config.patch_size, config.image_size
        (rows, cols), (height, width) = config.patch_size, config.image_size
        self.grid_size = (height // rows, width // cols)
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        self._linear, self._channels_last = config.linear_patches, config.channels_last
        flat = config.channels * rows * cols
        before, after = config.patch_norms
        self.norm_in = nn.LayerNorm(flat, eps=config.eps) if before else nn.Identity()
        self.proj: nn.Module
        if config.linear_patches:
            self.proj = nn.Linear(flat, config.width)
        else:
            self.proj = nn.Conv2d(config.channels, config.width, config.patch_size, config.patch_size)
        self.norm_out = _norm(config, after)

    def forward(self, x: Tensor) -> Tensor:
        if not self._linear:
            tokens: Tensor = self.norm_out(self.proj(x).flatten(2).transpose(1, 2))
            return tokens
        rows, cols = self.patch_size
        x = x.unfold(2, rows, rows).unfold(3, cols, cols)  # (B, C, h, w, p1, p2)
        x = x.permute(0, 2, 3, 4, 5, 1) if self._channels_last else x.permute(0, 2, 3, 1, 4, 5)
        tokens = self.norm_out(self.proj(self.norm_in(x.flatten(3).flatten(1, 2))))
        return tokens


class _Attention(nn.Module):
    """Attention between all tokens through the one function by which it is seen."""

    def __init__(self, config: PlainConfig) -> None:
        super().__init__()
        inner = config.inner or config.width
        self.num_heads, self.head_dim = config.heads, inner // config.heads
        self.scale = (self.head_dim if config.scale == "head" else config.width) ** -0.5
        self.qkv = nn.Linear(config.width, 3 * inner, bias=config.qkv_bias)
        self.proj = nn.Linear(inner, config.width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.num_heads, self.head_dim)).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        out: Tensor = self.proj(x.transpose(1, 2).flatten(2))
        return out


class _Block(nn.Module):
    """Attention and MLP, each added to its input, with norms before or after."""

    def __init__(self, config: PlainConfig) -> None:
        super().__init__()
        self._pre_norm = config.pre_norm
        self.norm1, self.norm2 = _norm(config), _norm(config)
        self.attn = _Attention(config)
        self.mlp = nn.Sequential()
        self.mlp.add_module("fc1", nn.Linear(config.width, config.hidden))
        self.mlp.add_module("act", _activation(config.activation))
        self.mlp.add_module("fc2", nn.Linear(config.hidden, config.width))

    def forward(self, x: Tensor) -> Tensor:
        if self._pre_norm:
            x = x + self.attn(self.norm1(x))
            out: Tensor = x + self.mlp(self.norm2(x))
            return out
        x = self.norm1(x + self.attn(x))
        out = self.norm2(x + self.mlp(x))
        return out


def _head(config: PlainConfig) -> nn.Module:
    """One Linear, or a Sequential of hidden layers, activations and the last Linear (named 0, 2, 4, ...)."""
    if not config.classes:
        return nn.Identity()
    widths = (config.width, *config.head_hidden, config.classes)
    layers: list[nn.Module] = []
    for i, (wide, narrow) in enumerate(pairwise(widths)):
        layers += [_activation(config.head_activation)] if i else []
        layers.append(nn.Linear(wide, narrow))
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)


def _norm(config: PlainConfig, there: bool = True) -> nn.Module:
    return nn.LayerNorm(config.width, eps=config.eps) if there else nn.Identity()


class _QuickGELU(nn.Module):
    """x sigmoid(1.702 x), as CLIP has it."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


def _activation(name: Activation) -> nn.Module:
    made: dict[Activation, nn.Module] = {
        "gelu": nn.GELU(),
        "gelu_tanh": nn.GELU("tanh"),
        "quick_gelu": _QuickGELU(),
        "relu": nn.ReLU(),
        "silu": nn.SiLU(),
        "tanh": nn.Tanh(),
    }
    return made[name]


def _each(values: Sequence[float], channels: int) -> tuple[float, ...]:
    """One value for each channel, where one is given for all."""
    return tuple(values) * channels if len(values) == 1 else tuple(values)
