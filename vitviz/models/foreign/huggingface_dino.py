"""Hugging Face DINOv2, DINOv2 with registers and DINOv3 -> timm's VisionTransformer and Eva.

Key signatures: transformers 5.23, models/{dinov2,dinov2_with_registers,dinov3_vit}/modeling_*.py. DINOv2's classifier
reads the class token and the mean of the patches side by side.
"""

from __future__ import annotations

import torch

from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign import huggingface
from vitviz.models.foreign.architectures import architecture_of
from vitviz.models.foreign.conversion import Conversion, Tensors
from vitviz.models.foreign.eva_args import dinov3_args
from vitviz.models.foreign.huggingface_config import (
    IMAGENET,
    apply_activation,
    apply_epsilon,
    preprocessing_of,
    read_settings,
    refuse_activation,
)
from vitviz.models.foreign.shapes import vit_args
from vitviz.models.wide_head import is_wide

_PATCH_V3 = "embeddings.patch_embeddings.weight"
_SCALES = ((r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),)
_V3 = (
    (r"^(?:model\.)?layer\.(\d+)\.", r"blocks.\1."),
    (r"^embeddings\.(cls_token|mask_token)$", r"\1"),
    (r"^embeddings\.register_tokens$", "reg_token"),
    (r"^embeddings\.patch_embeddings\.", "patch_embed.proj."),
    (r"\.layer_scale([12])\.lambda1$", r".gamma_\1"),
    (r"\.attention\.([qkv])_proj\.", r".attn.\1."),
    (r"\.attention\.o_proj\.", ".attn.proj."),
    (r"\.mlp\.gate_proj\.", ".mlp.fc1_g."),
    (r"\.mlp\.down_proj\.", ".mlp.fc2."),
)


def detect_v2(tensors: Tensors) -> bool:
    """Whether this is DINOv2 with or without registers: a plain Hugging Face ViT with layer scale and a mask token."""
    return huggingface.has_layers(tensors) and any(k.endswith("layer.0.layer_scale1.lambda1") for k in tensors)


def detect_v3(tensors: Tensors) -> bool:
    """Whether this is DINOv3: patches without a "projection", gated or plain up and down projections."""
    return any(k.endswith(_PATCH_V3) for k in tensors) and any(
        k.endswith("layer.0.mlp.up_proj.weight") for k in tensors
    )


def convert_v2(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Convert DINOv2; the position of the class token goes into the class token where there are registers."""
    settings = read_settings(checkpoint)
    registers = any(k.endswith("embeddings.register_tokens") for k in network.tensors)
    conversion = Conversion("Hugging Face DINOv2" + (" with registers" if registers else ""), network)
    conversion.take_stem(huggingface.PATCH)
    conversion.drop(r"embeddings\.mask_token$", "only for the pretraining")
    _drop_empty_registers(conversion)
    conversion.rename([(r"^embeddings\.register_tokens$", "reg_token"), *_SCALES, *huggingface.RULES])
    _pack_swiglu(conversion)
    conversion.join_qkv()
    note_wide_head(conversion)
    merge_class_position(conversion)
    shapes = huggingface.shapes_with(conversion, settings)
    args = vit_args(shapes)
    conversion.heads(args, settings.heads, settings.source)
    apply_epsilon(conversion, args, settings, 1e-6)
    if shapes.packed_swiglu:
        conversion.note("activation", "silu in a gated MLP", "inferred")
    else:
        apply_activation(conversion, args, settings, "gelu")
    preprocessing = preprocessing_of(conversion, settings, IMAGENET, shapes.channels)
    architecture = architecture_of("dinov2_reg" if registers else "dinov2", shapes.embed_dim)
    labels = settings.labels if shapes.classes else ()
    return conversion.result(architecture, args, preprocessing=preprocessing, labels=labels)


def convert_v3(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Convert DINOv3; the rotary embedding is computed from the config's theta, no tensor holds it."""
    settings = read_settings(checkpoint)
    conversion = Conversion("Hugging Face DINOv3", network)
    conversion.take_stem(_PATCH_V3)
    _drop_empty_registers(conversion)
    conversion.rename(_V3)
    gated = any(".mlp.fc1_g." in k for k in conversion.tensors)
    conversion.rename([(r"\.mlp\.up_proj\.", ".mlp.fc1_x." if gated else ".mlp.fc1."), (r"^classifier\.", "head.")])
    conversion.drop(r"^mask_token$", "only for the pretraining")
    conversion.drop(r"rope", "the rotary frequencies are computed anew")
    conversion.join_qkv(biases="split")
    args, shapes = dinov3_args(conversion, image=settings.image, heads=settings.heads, heads_from=settings.source)
    theta = settings.values.get("rope_theta")
    if isinstance(theta, int | float) and not isinstance(theta, bool) and theta > 1:
        args["rope_temperature"] = float(theta)
    apply_epsilon(conversion, args, settings, 1e-5)
    refuse_activation(conversion, settings, "silu" if gated else "gelu")
    preprocessing = preprocessing_of(conversion, settings, IMAGENET, shapes.channels)
    labels = settings.labels if shapes.classes else ()
    return conversion.result(
        architecture_of("dinov3", shapes.embed_dim), args, preprocessing=preprocessing, labels=labels
    )


def _drop_empty_registers(conversion: Conversion) -> None:
    # Written even where the config asks for none.
    conversion.tensors = {k: v for k, v in conversion.tensors.items() if v.numel() or not k.endswith("register_tokens")}


def note_wide_head(conversion: Conversion) -> None:
    """Say that the classifier reads the class token beside the mean of the patches, where its width tells so."""
    if is_wide(conversion.tensors):
        conversion.note("head", "over the class token beside the mean of the patches, as its width tells", "inferred")


def merge_class_position(conversion: Conversion) -> None:
    """With registers, add the class token's position to the class token, as timm's _convert_dinov2 does."""
    tensors = conversion.tensors
    if "reg_token" not in tensors or "pos_embed" not in tensors or "cls_token" not in tensors:
        return
    position, cls_token = tensors["pos_embed"], tensors["cls_token"]
    if position.dim() != 3 or position.shape[1] < 2 or position.shape[-1] != cls_token.shape[-1]:
        return
    conversion.tensors = {**tensors, "cls_token": cls_token + position[:, :1], "pos_embed": position[:, 1:]}
    conversion.note("position embedding", "the class token's part added to the class token", "converted")


def _pack_swiglu(conversion: Conversion) -> None:
    """`weights_in` (disk) or `gate_proj` and `up_proj` (memory) -> timm's packed `fc1`, gate first."""
    conversion.rename([(r"\.mlp\.weights_in\.", ".mlp.fc1."), (r"\.mlp\.(?:weights_out|down_proj)\.", ".mlp.fc2.")])
    tensors = conversion.tensors
    packed: Tensors = {}
    for name, tensor in tensors.items():
        if ".mlp.gate_proj." in name:
            up = tensors.get(name.replace("gate_proj", "up_proj"))
            packed[name.replace("gate_proj", "fc1")] = tensor if up is None else torch.cat([tensor, up])
        elif ".mlp.up_proj." not in name:
            packed[name] = tensor
    conversion.tensors = packed
