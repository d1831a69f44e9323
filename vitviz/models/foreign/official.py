"""ViTs under timm's own names as their authors published them: DeiT, DeiT III, DINO, iBOT, MAE, DINOv2, and timm's own.

timm 1.0.31 converts what is left by itself (`vision_transformer.checkpoint_filter_fn`); what it would stumble over is
taken out or renamed here: decoders, projection heads, mask tokens, wrappers. Repositories: facebookresearch/{deit,dino,
mae,dinov2}, bytedance/ibot.
"""

from __future__ import annotations

import re

from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign.architectures import architecture_of
from vitviz.models.foreign.conversion import Conversion, Tensors
from vitviz.models.foreign.huggingface_config import (
    HALF,
    IMAGENET,
    apply_activation,
    apply_epsilon,
    preprocessing_of,
    read_settings,
)
from vitviz.models.foreign.huggingface_dino import merge_class_position, note_wide_head
from vitviz.models.foreign.shapes import read_shapes, vit_args

_PATCH = "patch_embed.proj.weight"
_QKV = re.compile(r"(?:^|\.)blocks\.0\.(?:0\.)?attn\.qkv\.weight$")
# Signs of other families that have the same patch embedding and fused q, k and v.
_OTHERS = re.compile(
    r"(^|\.)blocks\.0\.(attn\.(q_bias|relative_position_bias_table|rel_pos_h|rope)|mlp\.w1\.)"
    r"|(^|\.)(storage_tokens|rope\.|rope_embed\.|rel_pos_bias\.)"
)
# All that a layer of timm's plain ViT may have. One with more, or with norms without bias, is another network.
_BLOCK = re.compile(r"(?:^|\.)blocks\.0\.(?:0\.)?(?!\d)(.*)$")
_PARTS = re.compile(
    r"(norm[12]|attn\.(qkv|proj|q_norm|k_norm)|mlp\.(fc[12]|w12|w3))\.(weight|bias)|ls[12]\.gamma|gamma_[12]"
)
_NEEDED = {"norm1.bias", "norm2.bias", "attn.proj.bias"}
# What tells each of them apart, in this order; the last fits all.
_KINDS = (
    ("DINOv2", re.compile(r"^register_tokens$|^blocks\.0\.mlp\.w12\.|^mask_token$")),
    ("MAE", re.compile(r"^decoder_(embed|blocks|pos_embed)")),
    ("DINO", re.compile(r"^head\.(mlp|last_layer)\.|^masked_embed$")),
    ("DeiT distilled", re.compile(r"^dist_token$")),
    ("DeiT III", re.compile(r"^blocks\.0\.gamma_1$")),
    ("timm ViT", re.compile(r"")),
)
_FAMILIES = {"DeiT distilled": "deit_distilled", "DeiT III": "deit3"}
_CHUNKS = re.compile(r"^blocks\.\d+\.(?=\d+\.)")


def detect(tensors: Tensors) -> bool:
    """Whether this is a plain ViT under timm's names, perhaps behind a prefix."""
    if not any(k.endswith(_PATCH) for k in tensors) or not any(map(_QKV.search, tensors)):
        return False
    parts = {m[1] for k in tensors if "decoder" not in k and (m := _BLOCK.search(k))}
    return parts >= _NEEDED and all(map(_PARTS.fullmatch, parts)) and not any(map(_OTHERS.search, tensors))


def convert(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Bring to timm's names; only a norm of the queries tells the number of heads."""
    conversion = Conversion("timm ViT", network)
    take_trunk(conversion)
    # DINOv2 trained with FSDP numbers its blocks in chunks: blocks.1.13.attn is block 13.
    if any(map(_CHUNKS.search, conversion.tensors)):
        conversion.rename([(_CHUNKS.pattern, "blocks.")])
    conversion.format = next(title for title, sign in _KINDS if any(map(sign.search, conversion.tensors)))
    if conversion.format == "DINOv2" and any(map(_KINDS[1][1].search, conversion.tensors)):
        conversion.format = "MAE"
    clean(conversion)
    conversion.rename([(r"\.gamma_([12])$", r".ls\1.gamma"), (r"^register_tokens$", "reg_token")])
    conversion.rename([(r"\.mlp\.w12\.", ".mlp.fc1."), (r"\.mlp\.w3\.", ".mlp.fc2.")])
    if conversion.format == "DINOv2":
        note_wide_head(conversion)
        merge_class_position(conversion)
    shapes = read_shapes(conversion.tensors)
    conversion.note("shapes", shapes.summary(), "inferred")
    if shapes.distillation_token and shapes.classes and "head_dist.weight" not in conversion.tensors:
        conversion.note("missing", "head_dist.weight: the classifier of the distillation token", "warning")
    args = vit_args(shapes)
    settings = read_settings(checkpoint)
    if shapes.heads is None:
        conversion.heads(args, settings.heads, settings.source)
    else:
        conversion.heads(args, shapes.heads, "the width of the queries' norm")
    apply_epsilon(conversion, args, settings, 1e-6)
    if not shapes.packed_swiglu:
        apply_activation(conversion, args, settings, "gelu")
    usual = HALF if conversion.format == "timm ViT" else IMAGENET
    preprocessing = preprocessing_of(conversion, settings, usual, shapes.channels)
    dinov2 = "dinov2_reg" if shapes.registers else "dinov2"
    family = dinov2 if conversion.format == "DINOv2" else _FAMILIES.get(conversion.format, "vit")
    return conversion.result(architecture_of(family, shapes.embed_dim), args, preprocessing=preprocessing)


def take_trunk(conversion: Conversion) -> None:
    """Take off the prefix of the image encoder, keep a classifier beside it as the head, leave out all else."""
    outside = conversion.take_stem(_PATCH, only=True)
    # open_clip keeps the projection of a timm tower beside it.
    outer = re.compile(r"^(?:module\.|model\.)?(?:head|classifier|fc|visual\.head\.proj)\.(weight|bias)$")
    kept = {f"head.{m[1]}": v for k, v in outside.items() if (m := outer.match(k))}
    if "head.weight" in kept and "head.weight" not in conversion.tensors and kept["head.weight"].dim() == 2:
        if "head.bias" not in kept:
            kept["head.bias"] = kept["head.weight"].new_zeros(kept["head.weight"].shape[0])
        conversion.tensors |= kept
        conversion.note("head", "the classifier beside the encoder", "converted")
        outside = {k: v for k, v in outside.items() if not outer.match(k)}
    if outside:
        names = ", ".join(list(outside)[:3])
        conversion.note("ignored", f"{len(outside)} tensors beside the encoder, such as {names}", "converted")


def clean(conversion: Conversion) -> None:
    """Leave out what only the pretraining needs."""
    conversion.drop(r"^decoder_|^decoder\.", "the decoder of the pretraining is not part of the encoder")
    conversion.drop(r"^mask_token$|^masked_embed$|^lm_head\.", "only for the pretraining")
    conversion.drop(r"^head\.(mlp|last_layer)\.", "the projection head of the pretraining is no classifier")
    conversion.drop(r"^pre_logits\.", "timm's ViT has no layer before the head: the logits are not the model's")
    conversion.drop(r"relative_position_index$", "computed anew")
