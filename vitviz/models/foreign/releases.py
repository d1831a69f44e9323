"""Releases of fixed sizes under names of their own -> timm's names, by which the index of architectures knows them.

AIMv2 (apple/ml-aim), BEiT-3 (microsoft/unilm), Perception Encoder (facebookresearch/perception_models), RADIO
(NVlabs/RADIO), Sapiens2 (facebookresearch/sapiens2) and Segment Anything (facebookresearch/segment-anything), as timm
1.0.31 reads them: vision_transformer.py `_convert_aimv2`, `_convert_beit3`, `_convert_radio`, eva.py `_convert_pe` and
`checkpoint_filter_fn`, vision_transformer_sam.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from vitviz.models.checkpoint import Network
from vitviz.models.foreign.conversion import Conversion, Rules, Tensors
from vitviz.models.report import Finding

_RADIO = "radio_model.model."


@dataclass(frozen=True, slots=True, eq=False)
class Renamed:
    """A release under timm's names.

    Attributes:
        raw: whether timm has to see the file's own names, since it does more than to rename.
        family: how the architectures of the release begin, where others have its names too.
    """

    title: str
    network: Network
    findings: tuple[Finding, ...]
    raw: bool = False
    family: str = ""


@dataclass(frozen=True, slots=True)
class _Release:
    title: str
    detect: Callable[[Tensors], bool]
    patch: str
    rules: Rules = ()
    finish: Callable[[Conversion], None] = lambda conversion: None
    raw: bool = False
    family: str = ""


def renamed(network: Network) -> Renamed | None:
    """The release that a network is, under timm's names; None for all others."""
    for release in _RELEASES:
        if release.detect(network.tensors):
            conversion = Conversion(release.title, network)
            outside = conversion.take_stem(release.patch, only=True)
            heads = {name: value for name, value in outside.items() if name.startswith(("head.", "fc_norm."))}
            conversion.tensors |= heads
            if len(outside) > len(heads):
                names = ", ".join([name for name in outside if name not in heads][:3])
                count = len(outside) - len(heads)
                conversion.note("ignored", f"{count} tensors beside the image encoder, such as {names}", "converted")
            conversion.rename(release.rules)
            release.finish(conversion)
            made = Network(network.name, conversion.tensors, network.notes)
            return Renamed(release.title, made, tuple(conversion.findings), release.raw, release.family)
    return None


def _has(*endings: str) -> Callable[[Tensors], bool]:
    return lambda tensors: all(any(name.endswith(ending) for name in tensors) for ending in endings)


def _beit3(conversion: Conversion) -> None:
    conversion.drop(r"\.B\.", "the branch for text")
    conversion.drop(r"(^|\.)(text_embed\.|vision_embed\.mask_token$)", "only for the pretraining and text")
    conversion.rename(_BEIT3)
    places = conversion.tensors.pop("encoder.embed_positions.weight", None)
    if places is not None:
        # Two places at the front are those of fairseq's padding.
        conversion.tensors["pos_embed"] = places[2:].unsqueeze(0)
    conversion.join_qkv()


def _perception(conversion: Conversion) -> None:
    conversion.drop(r"^rope\.", "the rotary frequencies are computed anew")
    tensors = conversion.tensors
    for kind in ("weight", "bias"):
        fused = tensors.pop(f"attn_pool.in_proj_{kind}", None)
        if fused is not None:
            width = fused.shape[0] // 3
            tensors[f"attn_pool.q.{kind}"], tensors[f"attn_pool.kv.{kind}"] = fused[:width], fused[width:]
    if "cls_token" in tensors:
        tensors["cls_token"] = tensors["cls_token"].reshape(1, 1, -1)
    if "pos_embed" in tensors and tensors["pos_embed"].dim() == 2:
        tensors["pos_embed"] = tensors["pos_embed"].unsqueeze(0)
    projection = tensors.pop("proj", None)
    if projection is not None and projection.dim() == 2:
        tensors["head.weight"] = projection.T
        tensors["head.bias"] = projection.new_zeros(projection.shape[1])
        conversion.note("projection", "into the space shared with text, kept as the head; its bias is 0", "converted")


def _radio(conversion: Conversion) -> None:
    conversion.drop(r"^patch_generator\.(?!embedder\.|pos_embed$|cls_token\.token$)", "serves other views")
    tensors = conversion.tensors
    matrix = tensors.pop("patch_generator.embedder.weight")
    side = math.isqrt(matrix.shape[1] // 3)
    tensors["patch_embed.proj.weight"] = matrix.reshape(matrix.shape[0], 3, side, side)
    tensors["patch_embed.proj.bias"] = matrix.new_zeros(matrix.shape[0])
    tokens = tensors.pop("patch_generator.cls_token.token", None)
    if tokens is not None:
        # A class token for each teacher, then registers; the first is taken as the class token.
        tensors["cls_token"], tensors["reg_token"] = tokens[None, :1], tokens[None, 1:]
    conversion.rename([(r"^patch_generator\.pos_embed$", "pos_embed")])
    conversion.drop(r"^(?!blocks\.|patch_embed\.|cls_token$|reg_token$|pos_embed$)", "serves the teachers' heads")
    conversion.note(
        "resampled", "position embedding to the grid of the view, as RADIO does it itself (bilinear)", "converted"
    )


_BEIT3 = (
    (r"^vision_embed\.cls_token$", "cls_token"),
    (r"^vision_embed\.", "patch_embed."),
    (r"\.A\.", "."),
    (r"^encoder\.layers\.", "blocks."),
    (r"\.ffn\.ffn_layernorm\.", ".mlp.norm."),
    (r"\.ffn\.", ".mlp."),
    (r"\.self_attn_layer_norm\.", ".norm1."),
    (r"\.final_layer_norm\.", ".norm2."),
    (r"\.self_attn\.inner_attn_ln\.", ".attn.norm."),
    (r"\.self_attn\.out_proj\.", ".attn.proj."),
    (r"\.self_attn\.([qkv])_proj\.", r".attn.\1."),
)
_RELEASES = (
    _Release(
        "AIMv2",
        _has("preprocessor.patchifier.proj.weight"),
        "preprocessor.patchifier.proj.weight",
        (
            (r"^preprocessor\.patchifier\.", "patch_embed."),
            (r"^preprocessor\.pos_embed$", "pos_embed"),
            (r"^trunk\.post_trunk_norm\.", "norm."),
            (r"^trunk\.", ""),
            (r"\.norm_([12])\.", r".norm\1."),
            (r"\.mlp\.fc1\.", ".mlp.fc1_g."),
            (r"\.mlp\.fc3\.", ".mlp.fc1_x."),
        ),
    ),
    _Release(
        "BEiT-3",
        _has("vision_embed.proj.weight", "encoder.layers.0.self_attn.q_proj.A.weight"),
        "vision_embed.proj.weight",
        finish=_beit3,
    ),
    _Release(
        "RADIO",
        lambda tensors: _RADIO + "patch_generator.embedder.weight" in tensors,
        "patch_generator.embedder.weight",
        ((r"\.grandma$", ".gamma"),),
        _radio,
        raw=True,
    ),
    _Release(
        "Perception Encoder",
        _has("conv1.weight", "transformer.resblocks.0.attn.in_proj_weight"),
        "conv1.weight",
        (
            (r"^conv1\.", "patch_embed.proj."),
            (r"^positional_embedding$", "pos_embed"),
            (r"^class_embedding$", "cls_token"),
            (r"^transformer\.resblocks\.", "blocks."),
            (r"^ln_pre\.", "norm_pre."),
            (r"^ln_post\.", "norm."),
            (r"\.ln_([12])\.", r".norm\1."),
            (r"\.ls_([12])\.gamma$", r".gamma_\1"),
            (r"^attn_pool\.attn\.", "attn_pool."),
            (r"^attn_pool\.layernorm\.", "attn_pool.norm."),
            (r"^attn_pool\.probe$", "attn_pool.latent"),
            (r"(blocks\.\d+\.attn)\.in_proj_", r"\1.qkv."),
            (r"\.out_proj\.", ".proj."),
            (r"\.mlp\.c_fc\.", ".mlp.fc1."),
            (r"\.mlp\.c_proj\.", ".mlp.fc2."),
        ),
        _perception,
        family="vit_pe_",  # CLIP's towers have its names
    ),
    _Release(
        "Sapiens2",
        _has("blocks.0.attn.wq.weight", "blocks.0.ffn.w12.weight", "patch_embed.projection.weight"),
        "patch_embed.projection.weight",
        (
            (r"^storage_tokens$", "reg_token"),
            (r"^patch_embed\.projection\.", "patch_embed.proj."),
            (r"\.attn\.w([qkv])\.", r".attn.\1_proj."),
            (r"\.attn\.gamma\.weight$", ".gamma_1"),
            (r"\.ffn\.w12\.", ".mlp.fc1."),
            (r"\.ffn\.w3\.", ".mlp.fc2."),
            (r"\.ln([12])\.", r".norm\1."),
            (r"^ln1\.", "norm."),
        ),
        lambda conversion: conversion.drop(r"^mask_token$|(^|\.)rope", "only for the pretraining, or computed anew"),
    ),
    _Release(
        "Segment Anything",
        _has("image_encoder.patch_embed.proj.weight", "image_encoder.blocks.0.attn.rel_pos_h"),
        "patch_embed.proj.weight",
        ((r"\.mlp\.lin([12])\.", r".mlp.fc\1."),),
    ),
)
