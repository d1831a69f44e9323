"""Hugging Face Swin and Swin V2 -> timm's SwinTransformer and SwinTransformerV2.

Key signatures: transformers 5.23, models/{swin,swinv2}/modeling_*.py. The downsampling lies at the end of a stage there
and at the start of the next in timm.
"""

from __future__ import annotations

import re

from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign.architectures import architecture_of
from vitviz.models.foreign.conversion import Conversion, Tensors
from vitviz.models.foreign.huggingface_config import (
    IMAGENET,
    apply_activation,
    apply_epsilon,
    preprocessing_of,
    read_settings,
    refuse_activation,
    whole,
    wholes,
)
from vitviz.models.foreign.swin_shapes import swin_args

_PATCH = "embeddings.patch_embeddings.projection.weight"
# Four times the largest published; timm builds a table of its square.
_LARGEST_WINDOW = 96
_QUERY = re.compile(r"(?:^|\.)layers\.0\.blocks\.0\.attention\.(?:self\.query|q_proj)\.weight$")
_RULES = (
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.norm\.", "patch_embed.norm."),
    (r"^encoder\.", ""),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.attention\.self\.query\.", ".attn.q."),
    (r"\.attention\.self\.key\.", ".attn.k."),
    (r"\.attention\.self\.value\.", ".attn.v."),
    (r"\.attention\.([qkv])_proj\.", r".attn.\1."),
    (r"\.attention\.(?:output\.dense|o_proj)\.", ".attn.proj."),
    (r"\.attention\.(?:self\.)?(?:continuous_position_bias_mlp|cpb_mlp)\.", ".attn.cpb_mlp."),
    (r"\.attention\.(?:self|relative_position_bias)\.", ".attn."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"(blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    (r"^layernorm\.", "norm."),
    (r"^classifier\.", "head.fc."),
)


def detect(tensors: Tensors) -> bool:
    """Whether this is a Hugging Face Swin of either version: stages of blocks with q, k and v apart."""
    return any(k.endswith(_PATCH) for k in tensors) and any(map(_QUERY.search, tensors))


def convert(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Convert; heads come from the tensors, V2's window from the config."""
    settings = read_settings(checkpoint)
    second = any(k.endswith("logit_scale") and "blocks" in k for k in network.tensors)
    conversion = Conversion("Hugging Face Swin" + (" V2" if second else ""), network)
    conversion.take_stem(_PATCH)
    conversion.drop(r"^embeddings\.mask_token$|^decoder\.", "only for the pretraining")
    conversion.rename(_RULES)
    move_downsampling(conversion)
    conversion.join_qkv(biases="split" if second else "fused")
    window = whole(settings.values.get("window_size"))
    if window and window > _LARGEST_WINDOW:
        window = None
    args, shapes = swin_args(conversion, image=settings.image, window=window, says="config.json")
    apply_epsilon(conversion, args, settings, 1e-5)
    if second:
        apply_activation(conversion, args, settings, "gelu")
        trained = wholes(settings.values.get("pretrained_window_sizes"))
        if len(trained) == len(shapes.depths):
            args["pretrained_window_sizes"] = trained
            conversion.note("window", f"position bias trained for windows of {trained}, from config.json")
        elif not settings.values:
            conversion.note("window", "position bias taken as trained for this window", "assumed")
        args.setdefault("pretrained_window_sizes", (0,) * len(shapes.depths))
    else:
        refuse_activation(conversion, settings)
    preprocessing = preprocessing_of(conversion, settings, IMAGENET, shapes.channels)
    architecture = architecture_of("swinv2" if second else "swin", shapes.embed_dim)
    labels = settings.labels if shapes.classes else ()
    return conversion.result(architecture, args, preprocessing=preprocessing, labels=labels)


def move_downsampling(conversion: Conversion) -> None:
    """Move `layers.i.downsample` to `layers.i+1.downsample` where a file has it at the end of a stage."""
    if not any(k.startswith("layers.0.downsample.") for k in conversion.tensors):
        return
    moved: Tensors = {}
    for name, tensor in conversion.tensors.items():
        found = re.match(r"layers\.(\d+)\.downsample\.(.*)$", name)
        moved[f"layers.{int(found[1]) + 1}.downsample.{found[2]}" if found else name] = tensor
    conversion.tensors = moved
    conversion.note("downsampling", "moved from the end of a stage to the start of the next", "converted")
