"""Hugging Face CLIP and SigLIP image towers -> timm's VisionTransformer.

Key signatures: transformers 5.23, models/{clip,siglip}/modeling_*.py (`pre_layrnorm` is spelt so). A whole CLIP or
SigLIP may be in the file: the text tower is left out.
"""

from __future__ import annotations

import torch

from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign.architectures import architecture_of
from vitviz.models.foreign.conversion import Conversion, Tensors
from vitviz.models.foreign.huggingface_config import (
    CLIP,
    HALF,
    apply_activation,
    apply_epsilon,
    preprocessing_of,
    read_settings,
)
from vitviz.models.foreign.shapes import read_shapes, shape_of, vit_args

_PATCH = "embeddings.patch_embedding.weight"
_RULES = (
    (r"^embeddings\.class_embedding$", "cls_token"),
    (r"^embeddings\.patch_embedding\.", "patch_embed.proj."),
    (r"^embeddings\.position_embedding\.weight$", "pos_embed"),
    (r"^pre_layrnorm\.", "norm_pre."),
    (r"^post_layernorm\.", "norm."),
    (r"^encoder\.layers\.(\d+)\.", r"blocks.\1."),
    (r"\.layer_norm([12])\.", r".norm\1."),
    (r"\.self_attn\.([qkv])_proj\.", r".attn.\1."),
    (r"\.self_attn\.out_proj\.", ".attn.proj."),
    (r"^visual_projection\.weight$", "head.weight"),
    (r"^classifier\.", "head."),
    (r"^head\.probe$", "attn_pool.latent"),
    (r"^head\.attention\.out_proj\.", "attn_pool.proj."),
    (r"^head\.layernorm\.", "attn_pool.norm."),
    (r"^head\.mlp\.", "attn_pool.mlp."),
)


def detect(tensors: Tensors) -> bool:
    """Whether there is an image tower of CLIP or SigLIP."""
    return any(k.endswith(_PATCH) for k in tensors) and any(
        k.endswith("encoder.layers.0.self_attn.q_proj.weight") for k in tensors
    )


def convert(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Convert; CLIP's projection becomes the head, SigLIP's pooling with a probe timm's attention pool."""
    settings = read_settings(checkpoint)
    siglip = not any(k.endswith("embeddings.class_embedding") for k in network.tensors)
    conversion = Conversion("Hugging Face SigLIP" if siglip else "Hugging Face CLIP", network)
    conversion.drop(r"(^|\.)(text_model|text_projection)\.|(^|\.)logit_(scale|bias)$", "the text tower")
    conversion.drop(r"position_ids$", "computed anew")
    conversion.take_stem(_PATCH)
    conversion.rename(_RULES)
    conversion.join_qkv()
    _split_probe(conversion)
    classifier = "head.bias" in conversion.tensors
    if classifier:
        _average_patches(conversion, siglip)
    else:
        _fill_projection(conversion)
    _add_batch(conversion)
    patch = shape_of(conversion.tensors, "patch_embed.proj.weight", 4)[2:]
    shapes = read_shapes(conversion.tensors, settings.grid((patch[0], patch[1])))
    conversion.note("shapes", shapes.summary(), "inferred")
    args = vit_args(shapes)
    if classifier:
        args |= {"global_pool": "avg", "fc_norm": False}
    conversion.heads(args, settings.heads, settings.source)
    apply_epsilon(conversion, args, settings, 1e-6 if siglip else 1e-5)
    apply_activation(conversion, args, settings, "gelu_tanh" if siglip else "quick_gelu")
    preprocessing = preprocessing_of(conversion, settings, HALF if siglip else CLIP, shapes.channels)
    architecture = architecture_of("siglip" if siglip else "clip", shapes.embed_dim)
    labels = settings.labels if classifier else ()
    return conversion.result(architecture, args, preprocessing=preprocessing, labels=labels)


def _average_patches(conversion: Conversion, siglip: bool) -> None:
    """The classifier reads the mean of the patches, in CLIP before the last norm, in SigLIP after it."""
    conversion.drop(r"^attn_pool\.", "the classifier reads the mean of the patches instead")
    if not siglip:
        conversion.drop(r"^norm\.", "the classifier reads the patches before this norm")


def _fill_projection(conversion: Conversion) -> None:
    """timm's head has a bias where CLIP's projection has none."""
    head = conversion.tensors.get("head.weight")
    if head is not None:
        conversion.tensors["head.bias"] = torch.zeros(head.shape[0], dtype=head.dtype)
        conversion.note("projection", "into the space shared with text, kept as the head; its bias is 0", "converted")


def _split_probe(conversion: Conversion) -> None:
    """The packed projections of the probe's nn.MultiheadAttention -> timm's `q` and `kv`."""
    for kind in ("weight", "bias"):
        packed = conversion.tensors.pop(f"head.attention.in_proj_{kind}", None)
        if packed is not None:
            width = packed.shape[0] // 3
            conversion.tensors[f"attn_pool.q.{kind}"] = packed[:width]
            conversion.tensors[f"attn_pool.kv.{kind}"] = packed[width:]


def _add_batch(conversion: Conversion) -> None:
    tensors: Tensors = conversion.tensors
    if "cls_token" in tensors and tensors["cls_token"].dim() == 1:
        tensors["cls_token"] = tensors["cls_token"][None, None]
    if "pos_embed" in tensors and tensors["pos_embed"].dim() == 2:
        tensors["pos_embed"] = tensors["pos_embed"][None]
