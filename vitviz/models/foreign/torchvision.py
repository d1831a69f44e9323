"""torchvision's VisionTransformer, Swin and Swin V2 -> timm's.

Key signatures and epsilons: torchvision 0.29, models/vision_transformer.py (1e-6), models/swin_transformer.py (1e-5);
files written before torchvision 0.12 name the MLP `linear_1` and `linear_2`.
"""

from __future__ import annotations

import re

from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign.conversion import Conversion, Tensors
from vitviz.models.foreign.huggingface_config import IMAGENET
from vitviz.models.foreign.plain import plain_swin, plain_vit

_VIT = (
    (r"^class_token$", "cls_token"),
    (r"^conv_proj\.", "patch_embed.proj."),
    (r"^encoder\.pos_embedding$", "pos_embed"),
    (r"^encoder\.layers\.encoder_layer_(\d+)\.", r"blocks.\1."),
    (r"^encoder\.ln\.", "norm."),
    (r"\.ln_([12])\.", r".norm\1."),
    (r"\.self_attention\.in_proj_", ".attn.qkv."),
    (r"\.self_attention\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.(?:0|linear_1)\.", ".mlp.fc1."),
    (r"\.mlp\.(?:3|linear_2)\.", ".mlp.fc2."),
    (r"^heads\.head\.", "head."),
    # Users replace the whole of `heads` by one Linear.
    (r"^heads\.(weight|bias)$", r"head.\1"),
)
_SWIN = (
    (r"^features\.0\.0\.", "patch_embed.proj."),
    (r"^features\.0\.2\.", "patch_embed.norm."),
    # The bias MLP of V2, `cpb_mlp.0`, has its name in timm already.
    (r"\.mlp\.0\.", ".mlp.fc1."),
    (r"\.mlp\.3\.", ".mlp.fc2."),
    (r"^head\.", "head.fc."),
)


def detect_vit(tensors: Tensors) -> bool:
    """Whether this is torchvision's vit_b_16 or one like it."""
    return any(k.endswith("conv_proj.weight") for k in tensors) and any(
        k.endswith("encoder_layer_0.self_attention.in_proj_weight") for k in tensors
    )


def detect_swin(tensors: Tensors) -> bool:
    """Whether this is torchvision's swin_t or swin_v2_t or one like them."""
    return any(k.endswith("features.0.0.weight") for k in tensors) and any(
        k.endswith("features.1.0.attn.qkv.weight") for k in tensors
    )


def convert_vit(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Convert; nothing in the file tells the number of heads."""
    conversion = Conversion("torchvision ViT", network)
    conversion.take_stem("conv_proj.weight")
    conversion.rename(_VIT)
    conversion.drop(r"^heads\.pre_logits\.", "timm's ViT has no layer before the head: the logits are not the model's")
    return plain_vit(conversion, checkpoint, IMAGENET)


def convert_swin(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Convert; stages and downsampling alternate in `features`, V2's fused bias becomes those of q and v."""
    conversion = Conversion("torchvision Swin", network)
    conversion.take_stem("features.0.0.weight")
    conversion.rename(_SWIN)
    conversion.tensors = {_stage(name): tensor for name, tensor in conversion.tensors.items()}
    second = "layers.0.blocks.0.attn.logit_scale" in conversion.tensors
    if second:
        conversion.format = "torchvision Swin V2"
        conversion.split_biases()
        conversion.note("biases", "the fused bias of q, k and v split; the keys' part is 0 in every pass", "converted")
    return plain_swin(conversion, checkpoint, "torchvision's own")


def _stage(name: str) -> str:
    """`features.1.0` is block 0 of stage 0, `features.2` the downsampling at the start of stage 1, and so on."""
    found = re.match(r"features\.(\d+)\.(.*)$", name)
    if found is None:
        return name
    stage, is_blocks = divmod(int(found[1]), 2)
    return f"layers.{stage}.{'blocks' if is_blocks else 'downsample'}.{found[2]}"
