"""BEiT, EVA, EVA-02 and DINOv3 as published -> timm's Beit and Eva.

timm 1.0.31 converts them in `beit.checkpoint_filter_fn` and `eva.checkpoint_filter_fn`; done here so that the shapes
can be read first. Repositories: microsoft/unilm (beit, beit2), baaivision/EVA, facebookresearch/dinov3.
"""

from __future__ import annotations

import re

import torch

from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign.architectures import architecture_of
from vitviz.models.foreign.conversion import Conversion, Tensors
from vitviz.models.foreign.eva_args import beit_args, dinov3_args, eva_args
from vitviz.models.foreign.huggingface_config import (
    CLIP,
    HALF,
    IMAGENET,
    apply_epsilon,
    preprocessing_of,
    read_settings,
)
from vitviz.models.foreign.official import clean, take_trunk

_PATCH = "patch_embed.proj.weight"
_TABLE = re.compile(r"(^|\.)(blocks\.0\.attn|rel_pos_bias)\.relative_position_bias_table$")
_EVA = re.compile(r"(^|\.)blocks\.0\.(attn\.(q_bias|q_proj\.weight)|mlp\.w1\.weight)$|(^|\.)rope\.freqs_cos$")
# Sapiens2 and others of timm's Eva class have these; they are no EVA.
_NOT_EVA = re.compile(r"(^|\.)blocks\.0\.attn\.(q_norm|k_norm|wq|k_proj\.bias)")
_DINOV3 = re.compile(r"(^|\.)(storage_tokens|rope_embed\.periods)$")
_GATED = (
    (r"\.mlp\.ffn_ln\.", ".mlp.norm."),
    (r"\.attn\.inner_attn_ln\.", ".attn.norm."),
    (r"\.mlp\.w12\.", ".mlp.fc1."),
    (r"\.mlp\.w1\.", ".mlp.fc1_g."),
    (r"\.mlp\.w2\.", ".mlp.fc1_x."),
    (r"\.mlp\.w3\.", ".mlp.fc2."),
)
_TEMPERATURE = 100.0


def detect_beit(tensors: Tensors) -> bool:
    """Whether this is BEiT: tables of relative positions, alike in all layers or one for all."""
    return any(k.endswith(_PATCH) for k in tensors) and any(map(_TABLE.search, tensors))


def detect_eva(tensors: Tensors) -> bool:
    """Whether this is EVA or EVA-02: biases of q and v alone, q, k and v apart, or a gated MLP in three parts."""
    return (
        any(k.endswith(_PATCH) for k in tensors)
        and any(map(_EVA.search, tensors))
        and not any(map(_NOT_EVA.search, tensors))
    )


def detect_dinov3(tensors: Tensors) -> bool:
    """Whether this is DINOv3: storage tokens, periods of the rotary embedding."""
    return any(k.endswith(_PATCH) for k in tensors) and any(map(_DINOV3.search, tensors))


def convert_beit(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Bring BEiT to timm's names; the tables tell heads and grid."""
    conversion = Conversion("BEiT", network)
    take_trunk(conversion)
    clean(conversion)
    args, shapes = beit_args(conversion, None, None, "")
    settings = read_settings(checkpoint)
    apply_epsilon(conversion, args, settings, 1e-6)
    conversion.note("activation", "gelu, BEiT's own", "assumed")
    preprocessing = preprocessing_of(conversion, settings, HALF, shapes.channels)
    return conversion.result(architecture_of("beit", shapes.embed_dim), args, preprocessing=preprocessing)


def convert_eva(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Bring EVA and EVA-02 to timm's names; the rotary frequencies, where stored, tell the heads."""
    conversion = Conversion("EVA", network)
    take_trunk(conversion)
    clean(conversion)
    frequencies = next((v for k, v in conversion.tensors.items() if k.endswith("rope.freqs_cos")), None)
    # Rotary positions came with EVA-02, as did the gated MLP; files that timm wrote have no frequencies.
    rotary = any("rope." in k or ".mlp.w1." in k or ".mlp.w12." in k for k in conversion.tensors)
    conversion.drop(r"(^|\.)rope\.", "the rotary frequencies are computed anew")
    conversion.rename(_GATED)
    rotary = rotary or "blocks.0.mlp.fc1_g.weight" in conversion.tensors
    if rotary:
        conversion.format = "EVA-02"
    if any(k == "blocks.0.attn.q_proj.weight" for k in conversion.tensors):
        conversion.rename([(r"\.attn\.([qv])_bias$", r".attn.\1_proj.bias")])
    width = conversion.tensors[_PATCH].shape[0]
    settings = read_settings(checkpoint)
    heads, heads_from = settings.heads, settings.source
    if frequencies is not None and frequencies.dim() == 2 and width % frequencies.shape[1] == 0:
        heads, heads_from = width // frequencies.shape[1], "the width of the rotary frequencies"
    args, shapes = eva_args(conversion, rotary=rotary, heads=heads, heads_from=heads_from)
    apply_epsilon(conversion, args, settings, 1e-6)
    conversion.note("activation", "silu in a gated MLP" if args["swiglu_mlp"] else "gelu, EVA's own", "inferred")
    preprocessing = preprocessing_of(conversion, settings, CLIP, shapes.channels)
    return conversion.result(architecture_of("eva", shapes.embed_dim), args, preprocessing=preprocessing)


def convert_dinov3(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Bring DINOv3 to timm's names; the rotary periods tell heads and temperature."""
    conversion = Conversion("DINOv3", network)
    take_trunk(conversion)
    periods = conversion.tensors.get("rope_embed.periods")
    conversion.drop(r"^rope_embed\.", "the rotary periods are computed anew")
    conversion.drop(r"\.bias_mask$", "the keys have no bias in timm")
    conversion.drop(r"^mask_token$|^local_cls_norm\.|^projectors\.", "only for the pretraining")
    conversion.rename([*_GATED, (r"^storage_tokens$", "reg_token"), (r"\.ls([12])\.gamma$", r".gamma_\1")])
    conversion.split_biases()
    settings = read_settings(checkpoint)
    heads, heads_from = settings.heads, settings.source
    width = conversion.tensors[_PATCH].shape[0]
    if periods is not None and periods.numel() and width % (4 * periods.numel()) == 0:
        heads, heads_from = width // (4 * periods.numel()), "the number of rotary periods"
    args, shapes = dinov3_args(conversion, image=None, heads=heads, heads_from=heads_from)
    args["rope_temperature"] = _temperature(conversion, periods)
    apply_epsilon(conversion, args, settings, 1e-5)
    conversion.note("activation", "silu in a gated MLP" if args["swiglu_mlp"] else "gelu, DINOv3's own", "inferred")
    preprocessing = preprocessing_of(conversion, settings, IMAGENET, shapes.channels)
    return conversion.result(architecture_of("dinov3", shapes.embed_dim), args, preprocessing=preprocessing)


def _temperature(conversion: Conversion, periods: torch.Tensor | None) -> float:
    """The base whose powers the n periods are: base^(i / n) for i from 0."""
    if periods is None or periods.numel() < 2:
        return _TEMPERATURE
    values = periods.flatten().double()
    base = float(values[1] / values[0]) ** values.numel()
    # Files hold the periods in bfloat16, three digits; the published 100 is what they then mean.
    if not 1.0 < base < 1e6 or abs(base / _TEMPERATURE - 1) < 0.1:
        return _TEMPERATURE
    conversion.note("rotary positions", f"temperature {base:.4g}, from the stored periods", "inferred")
    return base
