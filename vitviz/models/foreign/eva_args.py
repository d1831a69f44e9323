"""Arguments of timm's Eva and Beit from shapes, for every format that ends there (timm 1.0.31, eva.py, beit.py)."""

from __future__ import annotations

from typing import Any

from vitviz.models.foreign.conversion import Conversion
from vitviz.models.foreign.shapes import Shapes, common_args, one_or_two, ratio, read_shapes, shape_of

_DINOV3_IMAGE = 256


def dinov3_args(
    conversion: Conversion, *, image: tuple[int, int] | None, heads: int | None, heads_from: str
) -> tuple[dict[str, Any], Shapes]:
    """The arguments for DINOv3, whose positions are rotary: no tensor tells the size of the image."""
    shapes = read_shapes(conversion.tensors)
    args = {
        **common_args(shapes),
        **_mlp(conversion, shapes),
        "global_pool": "token",
        "use_fc_norm": False,
        "qkv_bias": shapes.qkv_bias,
        "num_reg_tokens": shapes.registers,
        **({"init_values": 1e-5} if shapes.layer_scale else {}),
        "img_size": one_or_two(image) if image else _DINOV3_IMAGE,
        "dynamic_img_size": True,
        "rope_type": "dinov3",
        "rope_temperature": 100.0,
        "rope_rotate_half": True,
        "use_rot_pos_emb": True,
        "use_abs_pos_emb": False,
    }
    conversion.note("shapes", shapes.summary(), "inferred")
    if image is None:
        conversion.note("image size", f"{_DINOV3_IMAGE} px: any size fits, positions are rotary", "assumed")
    conversion.heads(args, heads, heads_from)
    return args, shapes


def eva_args(
    conversion: Conversion, *, rotary: bool, heads: int | None, heads_from: str
) -> tuple[dict[str, Any], Shapes]:
    """The arguments for EVA and EVA-02: absolute positions and, in EVA-02, rotary ones of a 16 x 16 grid."""
    shapes = read_shapes(conversion.tensors)
    tensors = conversion.tensors
    args = {
        **common_args(shapes),
        **_mlp(conversion, shapes),
        "global_pool": "avg" if shapes.fc_norm else "token",
        "use_fc_norm": shapes.fc_norm,
        "use_post_transformer_norm": shapes.norm,
        "use_pre_transformer_norm": shapes.pre_norm,
        "qkv_bias": shapes.qkv_bias,
        "qkv_fused": "blocks.0.attn.qkv.weight" in tensors,
        "scale_attn_inner": "blocks.0.attn.norm.weight" in tensors,
        "class_token": shapes.class_token,
        "num_reg_tokens": shapes.registers,
        **({"init_values": 1e-5} if shapes.layer_scale else {}),
        "use_abs_pos_emb": shapes.tokens > 0,
        "no_embed_class": shapes.tokens > 0 and not shapes.prefix_has_positions,
        "use_rot_pos_emb": rotary,
        **({"ref_feat_shape": (16, 16)} if rotary else {}),
    }
    conversion.note("shapes", shapes.summary(), "inferred")
    if rotary:
        conversion.note("rotary positions", "scaled to a grid of 16 x 16, as in EVA-02", "assumed")
    conversion.heads(args, heads, heads_from)
    return args, shapes


def beit_args(
    conversion: Conversion, image: tuple[int, int] | None, heads: int | None, heads_from: str
) -> tuple[dict[str, Any], Shapes]:
    """The arguments for BEiT; its bias tables tell the number of heads and the grid."""
    patch = shape_of(conversion.tensors, "patch_embed.proj.weight", 4)[2:]
    grid = (image[0] // patch[0], image[1] // patch[1]) if image else None
    shapes = read_shapes(conversion.tensors, grid)
    args = {
        **common_args(shapes),
        "global_pool": "avg" if shapes.fc_norm else "token",
        "use_fc_norm": shapes.fc_norm,
        "qkv_bias": shapes.qkv_bias,
        "init_values": 1e-5 if shapes.layer_scale else 0.0,
        "use_abs_pos_emb": shapes.tokens > 0,
        "use_rel_pos_bias": "blocks.0.attn.relative_position_bias_table" in conversion.tensors,
        "use_shared_rel_pos_bias": "rel_pos_bias.relative_position_bias_table" in conversion.tensors,
    }
    if image and not shapes.tokens:
        args["img_size"] = one_or_two(image)
    conversion.note("shapes", shapes.summary(), "inferred")
    if shapes.heads is not None:
        heads, heads_from = shapes.heads, "the relative position bias table"
    conversion.heads(args, heads, heads_from)
    return args, shapes


def _mlp(conversion: Conversion, shapes: Shapes) -> dict[str, Any]:
    tensors = conversion.tensors
    normed = "blocks.0.mlp.norm.weight" in tensors
    if "blocks.0.mlp.fc1_g.weight" in tensors:
        # timm takes gate and value apart only with a norm between or an alignment; 1 aligns to nothing.
        return {"swiglu_mlp": True, "scale_mlp": normed, "swiglu_align_to": 0 if normed else 1}
    if shapes.packed_swiglu:
        half = ratio(shapes.embed_dim, shapes.hidden // 2)
        return {"swiglu_mlp": True, "scale_mlp": False, "swiglu_align_to": 0, "mlp_ratio": half}
    return {"swiglu_mlp": False, "scale_mlp": normed, "swiglu_align_to": 0}
