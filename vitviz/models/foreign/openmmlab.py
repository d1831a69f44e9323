"""OpenMMLab's VisionTransformer and SwinTransformer (mmpretrain, mmcls) -> timm's.

Key signatures: https://github.com/open-mmlab/mmpretrain, mmpretrain/models/backbones/{vision_transformer,
swin_transformer}.py, and mmcv's PatchMerging, which gathers 2 x 2 patches with nn.Unfold: channel-major, rows before
columns, where Microsoft's code has the four patches one after the other, columns before rows.
"""

from __future__ import annotations

import torch

from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign.conversion import Conversion, Tensors
from vitviz.models.foreign.huggingface_config import IMAGENET
from vitviz.models.foreign.huggingface_swin import move_downsampling
from vitviz.models.foreign.plain import plain_swin, plain_vit

_PATCH = "patch_embed.projection.weight"
_COMMON = (
    (r"^patch_embed\.projection\.", "patch_embed.proj."),
    (r"\.ffn\.layers\.0\.0\.", ".mlp.fc1."),
    (r"\.ffn\.layers\.1\.", ".mlp.fc2."),
)
_VIT = (
    *_COMMON,
    (r"^layers\.(\d+)\.", r"blocks.\1."),
    (r"(blocks\.\d+)\.ln([12])\.", r"\1.norm\2."),
    (r"\.(?:attn\.gamma1|ffn\.gamma2)\.weight$", r""),
    (r"^ln1\.", "norm."),
    (r"^pre_norm\.", "norm_pre."),
    (r"^head\.layers\.head\.", "head."),
    (r"^head\.layers\.head_dist\.", "head_dist."),
    (r"^head\.fc\.", "head."),
)
_SWIN = (
    *_COMMON,
    (r"^stages\.", "layers."),
    (r"\.attn\.w_msa\.", ".attn."),
    (r"^norm\d\.", "norm."),
)


def detect_vit(tensors: Tensors) -> bool:
    """Whether this is OpenMMLab's ViT: numbered layers with `ln1` and `ffn.layers.0.0`."""
    return any(k.endswith(_PATCH) for k in tensors) and any(
        k.endswith("layers.0.ffn.layers.0.0.weight") for k in tensors
    )


def detect_swin(tensors: Tensors) -> bool:
    """Whether this is OpenMMLab's Swin: stages of blocks with `attn.w_msa`."""
    return any(k.endswith(_PATCH) for k in tensors) and any(
        k.endswith("stages.0.blocks.0.attn.w_msa.qkv.weight") for k in tensors
    )


def convert_vit(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Convert; nothing in the file tells the number of heads."""
    conversion = Conversion("OpenMMLab ViT", network)
    conversion.take_stem(_PATCH)
    scales = ((r"\.attn\.gamma1\.weight$", ".ls1.gamma"), (r"\.ffn\.gamma2\.weight$", ".ls2.gamma"))
    conversion.drop(r"^head\.layers\.pre_logits\.", "timm's ViT has no layer before the head")
    conversion.rename([*scales, *_VIT])
    # With the mean of the patches as output, `ln2` norms the mean after `ln1` has normed the tokens.
    conversion.rename([(r"^ln2\.", "fc_norm.")])
    return plain_vit(conversion, checkpoint, IMAGENET)


def convert_swin(checkpoint: Checkpoint, network: Network) -> Recognition:
    """Convert; the downsampling's channels are put into the order of Microsoft's code."""
    conversion = Conversion("OpenMMLab Swin", network)
    conversion.take_stem(_PATCH)
    conversion.rename(_SWIN)
    conversion.drop(r"^norm\d", "a norm of an earlier stage")
    conversion.rename([(r"^head\.fc\.", "head.fc.")])
    conversion.tensors = {k: _reordered(v) if ".downsample." in k else v for k, v in conversion.tensors.items()}
    conversion.note("downsampling", "channels put from nn.Unfold's order into Microsoft's", "converted")
    move_downsampling(conversion)
    return plain_swin(conversion, checkpoint, "OpenMMLab's own")


def _reordered(tensor: torch.Tensor) -> torch.Tensor:
    """(..., 4C) in Unfold's order, channel before row before column -> column before row before channel."""
    quarters = tensor.reshape(*tensor.shape[:-1], -1, 2, 2)
    return quarters.movedim((-3, -2, -1), (-1, -2, -3)).flatten(-3).contiguous()
