"""jeonsworld/ViT-pytorch -> timm's VisionTransformer.

Key signature: https://github.com/jeonsworld/ViT-pytorch, models/modeling.py; norms there have epsilon 1e-6.
"""

from __future__ import annotations

from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign.conversion import Conversion, Tensors
from vitviz.models.foreign.huggingface_config import HALF
from vitviz.models.foreign.plain import plain_vit

_PATCH = "embeddings.patch_embeddings.weight"
_RULES = (
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.", "patch_embed.proj."),
    (r"^encoder\.layer\.(\d+)\.", r"blocks.\1."),
    (r"^encoder\.encoder_norm\.", "norm."),
    (r"\.attention_norm\.", ".norm1."),
    (r"\.ffn_norm\.", ".norm2."),
    (r"\.attn\.query\.", ".attn.q."),
    (r"\.attn\.key\.", ".attn.k."),
    (r"\.attn\.value\.", ".attn.v."),
    (r"\.attn\.out\.", ".attn.proj."),
    (r"\.ffn\.", ".mlp."),
)


def detect(tensors: Tensors) -> bool:
    """Whether this is jeonsworld's ViT: `attn.query` beside `attention_norm` and `ffn_norm`."""
    return any(k.endswith(_PATCH) for k in tensors) and any(
        k.endswith("encoder.layer.0.attention_norm.weight") for k in tensors
    )


def convert(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Convert; nothing in the file tells the number of heads."""
    conversion = Conversion("jeonsworld ViT-pytorch", network)
    conversion.take_stem(_PATCH)
    conversion.rename(_RULES)
    conversion.join_qkv()
    return plain_vit(conversion, checkpoint, HALF)
