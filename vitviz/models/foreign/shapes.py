"""What the names and shapes of a ViT's tensors tell about its architecture, under timm's names (timm 1.0.31)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from vitviz.errors import ModelError, ViewWantedError


@dataclass(frozen=True, slots=True)
class Shapes:
    """Sizes of a ViT read off its tensors.

    Attributes:
        patch: (height, width) of a patch in pixels.
        grid: rows and columns of patches of the position embedding, None where there is none or it is no square.
        tokens: how many tokens the position embedding has places for, 0 without one.
        prefix: class, distillation and register tokens together.
        hidden: width between the two layers of the MLP; for a packed SwiGLU both halves.
        width: rows of the query projection.
        heads: where a bias table or a norm of the queries tells, else None.
    """

    embed_dim: int
    depth: int
    patch: tuple[int, int]
    channels: int
    hidden: int
    width: int
    grid: tuple[int, int] | None
    tokens: int
    prefix: int
    classes: int
    class_token: bool
    distillation_token: bool
    registers: int
    layer_scale: bool
    qk_norm: bool
    qkv_bias: bool
    norm: bool
    fc_norm: bool
    pre_norm: bool
    packed_swiglu: bool
    map_pool: bool
    heads: int | None

    @property
    def image(self) -> tuple[int, int] | None:
        """Height and width of the view in pixels."""
        return None if self.grid is None else (self.grid[0] * self.patch[0], self.grid[1] * self.patch[1])

    @property
    def prefix_has_positions(self) -> bool:
        """Whether the position embedding has places for the prefix tokens too."""
        places = 0 if self.grid is None else self.grid[0] * self.grid[1]
        return self.prefix > 0 and self.tokens == places + self.prefix

    @property
    def mlp_ratio(self) -> float:
        """Hidden width over width, such that timm's int(width * ratio) gives the hidden width back."""
        return ratio(self.embed_dim, self.hidden)

    def summary(self) -> str:
        """One line for the report."""
        image = f"image of {one_or_two(self.image)} px" if self.image else "no size of an image"
        return (
            f"width {self.embed_dim}, {self.depth} layers, patches of {one_or_two(self.patch)} px, {image}, "
            f"{self.channels} channels, {self.prefix} prefix tokens, {self.classes} classes"
        )


def read_shapes(tensors: Mapping[str, torch.Tensor], grid: tuple[int, int] | None = None) -> Shapes:
    """Read the sizes of a ViT off its tensors, named as timm names them.

    Args:
        tensors: patch_embed.proj.weight (D, C, p, p), blocks.N.*, pos_embed (1, N, D), ...
        grid: rows and columns of patches where a config says them; a square is taken else.

    Raises:
        ModelError: a tensor that every ViT has is not there or has another number of dimensions.
    """
    embed_dim, channels, *patch = shape_of(tensors, "patch_embed.proj.weight", 4)
    depth = 1 + max((int(m[1]) for k in tensors if (m := re.match(r"blocks\.(\d+)\.", k))), default=-1)
    if not 0 < depth <= 1000:
        raise ModelError(f"The file numbers {depth} layers; a ViT has some dozens.")
    width = _query_rows(tensors)
    mlp = "fc1_g" if "blocks.0.mlp.fc1_g.weight" in tensors else "fc1"
    hidden = shape_of(tensors, f"blocks.0.mlp.{mlp}.weight", 2)[0]
    narrow = shape_of(tensors, "blocks.0.mlp.fc2.weight", 2)[1]
    registers = shape_of(tensors, "reg_token", 3)[1] if "reg_token" in tensors else 0
    class_token, distillation = "cls_token" in tensors, "dist_token" in tensors
    prefix = int(class_token) + int(distillation) + registers
    tokens = shape_of(tensors, "pos_embed", 3)[1] if "pos_embed" in tensors else 0
    head = next((tensors[k] for k in ("head.weight", "head.fc.weight") if k in tensors), None)
    heads = None
    if "blocks.0.attn.relative_position_bias_table" in tensors:
        heads = shape_of(tensors, "blocks.0.attn.relative_position_bias_table", 2)[1]
    elif "rel_pos_bias.relative_position_bias_table" in tensors:
        heads = shape_of(tensors, "rel_pos_bias.relative_position_bias_table", 2)[1]
    elif "blocks.0.attn.q_norm.weight" in tensors:
        head_dim = shape_of(tensors, "blocks.0.attn.q_norm.weight", 1)[0]
        heads = width // head_dim if head_dim and width % head_dim == 0 else None
    if grid is None or grid[0] * grid[1] not in (tokens, tokens - prefix):
        grid = _square(tokens, prefix) or _table_grid(tensors)
    return Shapes(
        embed_dim=embed_dim,
        depth=depth,
        patch=(patch[0], patch[1]),
        channels=channels,
        hidden=hidden,
        width=width,
        grid=grid,
        tokens=tokens,
        prefix=prefix,
        classes=0 if head is None else int(head.shape[0]),
        class_token=class_token,
        distillation_token=distillation,
        registers=registers,
        layer_scale="blocks.0.ls1.gamma" in tensors or "blocks.0.gamma_1" in tensors,
        qk_norm="blocks.0.attn.q_norm.weight" in tensors,
        qkv_bias=any(f"blocks.0.attn.{k}" in tensors for k in ("qkv.bias", "q_bias", "q_proj.bias")),
        norm="norm.weight" in tensors,
        fc_norm="fc_norm.weight" in tensors,
        pre_norm="norm_pre.weight" in tensors,
        packed_swiglu=hidden == 2 * narrow,
        map_pool="attn_pool.latent" in tensors,
        heads=heads,
    )


def vit_args(shapes: Shapes) -> dict[str, Any]:
    """The arguments of timm's VisionTransformer; num_heads only where the shapes tell it.

    Raises:
        ModelError: the attention is not as wide as the tokens, which timm's can't be.
        ViewWantedError: the positions are for a grid that nothing tells.
    """
    if shapes.width != shapes.embed_dim:
        raise ModelError(
            f"The queries are {shapes.width} wide and the tokens {shapes.embed_dim}: timm's ViT has both alike."
        )
    if shapes.tokens and shapes.grid is None:
        places = shapes.tokens - shapes.prefix
        raise ViewWantedError(places if places > 0 else shapes.tokens, shapes.patch)
    if shapes.norm and shapes.fc_norm:
        raise ModelError("The file norms both before and after pooling, which timm's ViT can't.")
    pool = "map" if shapes.map_pool else "token" if shapes.class_token and not shapes.fc_norm else "avg"
    args: dict[str, Any] = {
        **common_args(shapes),
        "global_pool": pool,
        "class_token": shapes.class_token,
        "pos_embed": "learn" if shapes.tokens else "none",
        "no_embed_class": shapes.prefix > 0 and not shapes.prefix_has_positions,
        "qkv_bias": shapes.qkv_bias,
        "qk_norm": shapes.qk_norm,
        "reg_tokens": shapes.registers,
        "pre_norm": shapes.pre_norm,
        "final_norm": shapes.norm or shapes.fc_norm,
        "fc_norm": shapes.fc_norm,
        # Not None, which timm.create_model takes for the architecture's own.
        "init_values": 1e-5 if shapes.layer_scale else 0.0,
    }
    if shapes.packed_swiglu:
        from timm.layers import SwiGLUPacked

        args |= {"mlp_layer": SwiGLUPacked, "act_layer": torch.nn.SiLU}
    return args


def common_args(shapes: Shapes) -> dict[str, Any]:
    """The arguments that timm's plain ViT, BEiT and EVA share."""
    args: dict[str, Any] = {
        "patch_size": one_or_two(shapes.patch),
        "in_chans": shapes.channels,
        "embed_dim": shapes.embed_dim,
        "depth": shapes.depth,
        "mlp_ratio": shapes.mlp_ratio,
        "num_classes": shapes.classes,
    }
    if shapes.image is not None:
        args["img_size"] = one_or_two(shapes.image)
    return args


def one_or_two(pair: tuple[int, int]) -> int | tuple[int, int]:
    """The side of a square, or (height, width)."""
    return pair[0] if pair[0] == pair[1] else pair


def ratio(width: int, hidden: int) -> float:
    """hidden / width, rounded so that int(width * ratio) == hidden."""
    value = hidden / width
    return value if int(width * value) == hidden else math.nextafter(value, math.inf)


def shape_of(tensors: Mapping[str, torch.Tensor], name: str, dims: int) -> tuple[int, ...]:
    """The shape of a tensor that must be there with so many dimensions, none of them empty.

    Raises:
        ModelError: it is not.
    """
    tensor = tensors.get(name)
    if tensor is None:
        raise ModelError(f"The weight {name} is missing.")
    if tensor.dim() != dims or 0 in tensor.shape:
        raise ModelError(f"The weight {name} has the shape {tuple(tensor.shape)}; {dims} dimensions were expected.")
    return tuple(tensor.shape)


def _query_rows(tensors: Mapping[str, torch.Tensor]) -> int:
    if "blocks.0.attn.q_proj.weight" in tensors:
        return shape_of(tensors, "blocks.0.attn.q_proj.weight", 2)[0]
    return shape_of(tensors, "blocks.0.attn.qkv.weight", 2)[0] // 3


def _square(tokens: int, prefix: int) -> tuple[int, int] | None:
    # A prefix token mostly has a place of its own; where the rest is no square it has none.
    for places in (tokens - prefix, tokens):
        if places > 0 and math.isqrt(places) ** 2 == places:
            return math.isqrt(places), math.isqrt(places)
    return None


def _table_grid(tensors: Mapping[str, torch.Tensor]) -> tuple[int, int] | None:
    # BEiT's table has (2g - 1)^2 rows and three more for the class token.
    for name in ("blocks.0.attn.relative_position_bias_table", "rel_pos_bias.relative_position_bias_table"):
        if name in tensors:
            side = math.isqrt(max(tensors[name].shape[0] - 3, 0))
            if side % 2 and side * side == tensors[name].shape[0] - 3:
                return (side + 1) // 2, (side + 1) // 2
    return None
