"""Hugging Face ViT, DeiT, ViTMAE, ViTMSN and I-JEPA -> timm's VisionTransformer.

Two ways of naming: that of `save_pretrained` (`encoder.layer.0.attention.attention.query`) and the one that modules of
transformers 5 have in memory (`layers.0.attention.q_proj`). Key signatures: transformers 5.23,
models/{vit,deit,vit_mae,vit_msn,ijepa}/modeling_*.py.
"""

from __future__ import annotations

import re

from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign.architectures import architecture_of
from vitviz.models.foreign.conversion import Conversion, Tensors
from vitviz.models.foreign.huggingface_config import (
    HALF,
    IMAGENET,
    Settings,
    apply_activation,
    apply_epsilon,
    preprocessing_of,
    read_settings,
)
from vitviz.models.foreign.shapes import Shapes, read_shapes, shape_of, vit_args

PATCH = "embeddings.patch_embeddings.projection.weight"
# What BEiT and DINOv2 share with the plain ViT. Of both ways of naming, in an order in which no rule spoils another.
RULES = (
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^embeddings\.distillation_token$", "dist_token"),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^(?:encoder\.)?layers?\.(\d+)\.", r"blocks.\1."),
    (r"(blocks\.\d+)\.layernorm_before\.", r"\1.norm1."),
    (r"(blocks\.\d+)\.layernorm_after\.", r"\1.norm2."),
    (r"\.attention\.(?:attention\.)?query\.", ".attn.q."),
    (r"\.attention\.(?:attention\.)?key\.", ".attn.k."),
    (r"\.attention\.(?:attention\.)?value\.", ".attn.v."),
    (r"\.attention\.([qkv])_proj\.", r".attn.\1."),
    (r"\.attention\.(?:output\.dense|o_proj)\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"(blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    (r"^layernorm\.", "norm."),
    (r"^(?:cls_)?classifier\.", "head."),
    (r"^distillation_classifier\.", "head_dist."),
)
_LAYER = re.compile(r"(?:^|\.)(?:encoder\.layer|layers?)\.0\.attention\.(?:attention\.query|q_proj)\.weight$")
_TITLES = {
    "vit": "Hugging Face ViT",
    "deit": "Hugging Face DeiT",
    "vit_mae": "Hugging Face ViTMAE",
    "vit_msn": "Hugging Face ViTMSN",
    "ijepa": "Hugging Face I-JEPA",
}
# google/vit-* have mean and std 0.5; the epsilon is each config class's default.
_EPSILON = {"ijepa": 1e-12, "vit_msn": 1e-6}


def has_layers(tensors: Tensors) -> bool:
    """Whether the names are Hugging Face's for a ViT of any kind: patches by convolution, q, k and v apart."""
    return any(k.endswith(PATCH) for k in tensors) and any(map(_LAYER.search, tensors))


def detect(tensors: Tensors) -> bool:
    """Whether this is a plain ViT of Hugging Face; BEiT and DINOv2, which have more, are asked for before."""
    return has_layers(tensors)


def convert(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Convert; the number of heads, the epsilon and the activation are the config's where there is one."""
    settings = read_settings(checkpoint)
    kind = settings.kind if settings.kind in _TITLES else _kind(network.tensors)
    conversion = Conversion(_TITLES[kind], network)
    conversion.take_stem(PATCH)
    # transformers 5 writes ViTMSN's layers without the "vit." that all else has.
    conversion.rename([(r"^(vit|deit|ijepa)\.(encoder|layers)\.", r"\2.")])
    conversion.drop(r"^pooler\.", "the pooler after the class token belongs to no classifier")
    conversion.drop(r"^decoder\.", "the decoder of the pretraining is not part of the encoder")
    conversion.drop(r"embeddings\.mask_token$", "only for the pretraining")
    conversion.rename(RULES)
    conversion.join_qkv()
    _settle_distillation(conversion)
    shapes = shapes_with(conversion, settings)
    args = vit_args(shapes)
    if kind == "ijepa":
        # I-JEPA norms all tokens and then averages; timm's "avg" would norm the average.
        args |= {"global_pool": "avg", "fc_norm": False}
    conversion.heads(args, settings.heads, settings.source)
    apply_epsilon(conversion, args, settings, _EPSILON.get(kind, 1e-12))
    apply_activation(conversion, args, settings, "gelu")
    preprocessing = preprocessing_of(conversion, settings, HALF if kind == "vit" else IMAGENET, shapes.channels)
    family = "deit_distilled" if shapes.distillation_token else "deit" if kind == "deit" else "vit"
    architecture = architecture_of(family, shapes.embed_dim)
    return conversion.result(architecture, args, preprocessing=preprocessing, labels=settings.labels)


def shapes_with(conversion: Conversion, settings: Settings) -> Shapes:
    """Read the shapes, taking the grid from the config's image size, and say what they tell."""
    patch = shape_of(conversion.tensors, "patch_embed.proj.weight", 4)[2:]
    shapes = read_shapes(conversion.tensors, settings.grid((patch[0], patch[1])))
    conversion.note("shapes", shapes.summary(), "inferred")
    return shapes


def _settle_distillation(conversion: Conversion) -> None:
    """A DeiT whose distillation token has no classifier is, to timm, a ViT with a class token and a register."""
    tensors = conversion.tensors
    if "dist_token" in tensors and "head.weight" in tensors and "head_dist.weight" not in tensors:
        conversion.rename([(r"^dist_token$", "reg_token")])
        conversion.note(
            "distillation token", "kept as a register: the classifier reads only the class token", "converted"
        )


def _kind(tensors: Tensors) -> str:
    names = set(tensors)
    if any(n.endswith("distillation_token") or n.startswith("deit.") for n in names):
        return "deit"
    if any(n.startswith("decoder.decoder_") for n in names):
        return "vit_mae"
    return "vit" if any(n.endswith("embeddings.cls_token") for n in names) else "ijepa"
