"""Hugging Face BEiT and Data2Vec-vision -> timm's Beit.

Key signatures: transformers 5.23, models/{beit,data2vec}/modeling_*.py: no bias of the keys, `lambda_1`, a table of
relative positions per layer or a shared one, `pooler.layernorm` where the classifier reads the mean of the patches.
"""

from __future__ import annotations

import re

from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign import huggingface
from vitviz.models.foreign.architectures import architecture_of
from vitviz.models.foreign.conversion import Conversion, Tensors
from vitviz.models.foreign.eva_args import beit_args
from vitviz.models.foreign.huggingface_config import (
    HALF,
    apply_epsilon,
    preprocessing_of,
    read_settings,
    refuse_activation,
)

_RULES = (
    (r"^(?:encoder\.relative_position_bias|shared_position_bias)\.", "rel_pos_bias."),
    (r"(layers?\.\d+)\.(?:attention\.)*relative_position_bias\.", r"\1.attn."),
    (r"\.lambda_([12])$", r".gamma_\1"),
    (r"^pooler\.layernorm\.", "fc_norm."),
)
_SIGNS = re.compile(r"\.layers?\.0\.lambda_1$|relative_position_bias_table$|^(beit|data2vec_vision)\.")


def detect(tensors: Tensors) -> bool:
    """Whether this is BEiT: a Hugging Face ViT with layer scale `lambda_1`, a bias table or its prefix."""
    return huggingface.has_layers(tensors) and any(_SIGNS.search(k) for k in tensors)


def convert(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Convert; the bias tables tell the number of heads, else the config does."""
    settings = read_settings(checkpoint)
    conversion = Conversion("Hugging Face BEiT", network)
    if any(k.endswith(".layernorm.weight") for k in network.tensors):
        conversion.drop(r"^layernorm\.", "a second norm, only for the pretraining")
    conversion.take_stem(huggingface.PATCH)
    conversion.drop(r"embeddings\.mask_token$|^lm_head\.", "only for the pretraining")
    conversion.drop(r"relative_position_index$", "computed anew")
    conversion.drop(r"^(decode_head|auxiliary_head|fpn[1-4])\.", "the head of segmentation is not part of the encoder")
    conversion.rename([*_RULES, *huggingface.RULES])
    if "fc_norm.weight" not in conversion.tensors and "norm.weight" not in conversion.tensors:
        conversion.note("missing", "norm.weight: the file has no norm after the last layer", "warning")
    conversion.join_qkv(biases="split")
    args, shapes = beit_args(conversion, settings.image, settings.heads, settings.source)
    apply_epsilon(conversion, args, settings, 1e-12)
    refuse_activation(conversion, settings)
    preprocessing = preprocessing_of(conversion, settings, HALF, shapes.channels)
    return conversion.result(
        architecture_of("beit", shapes.embed_dim), args, preprocessing=preprocessing, labels=settings.labels
    )
