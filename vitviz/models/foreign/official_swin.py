"""Microsoft's Swin and Swin V2 and timm's own -> timm's SwinTransformer and SwinTransformerV2.

timm 1.0.31 converts them in the `checkpoint_filter_fn` of swin_transformer.py and swin_transformer_v2.py; done here so
that windows and image can be read off the buffers first. Repositories: microsoft/Swin-Transformer, microsoft/SimMIM
(prefix `encoder.`).
"""

from __future__ import annotations

from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign.conversion import Conversion, Tensors
from vitviz.models.foreign.huggingface_swin import move_downsampling
from vitviz.models.foreign.official import take_trunk
from vitviz.models.foreign.plain import plain_swin

_PATCH = "patch_embed.proj.weight"
_BLOCK = "layers.0.blocks.0.attn."


def detect(tensors: Tensors) -> bool:
    """Whether this is a Swin of either version: stages of blocks with a bias table or a logit scale."""
    return (
        any(k.endswith(_PATCH) for k in tensors)
        and any(k.endswith(_BLOCK + "qkv.weight") for k in tensors)
        and any(k.endswith((_BLOCK + "relative_position_bias_table", _BLOCK + "logit_scale")) for k in tensors)
    )


def convert(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Bring to timm's names; V2's window is told by the buffers of older files, a config or a name."""
    conversion = Conversion("Swin", network)
    take_trunk(conversion)
    second = _BLOCK + "logit_scale" in conversion.tensors
    old = any(k.startswith("layers.0.downsample.") for k in conversion.tensors)
    conversion.format = f"{'Microsoft' if old else 'timm'} Swin{' V2' if second else ''}"
    conversion.drop(r"^mask_token$|^decoder\.", "only for the pretraining")
    move_downsampling(conversion)
    conversion.rename([(r"^head\.(weight|bias)$", r"head.fc.\1")])
    return plain_swin(conversion, checkpoint, "Swin's own")
