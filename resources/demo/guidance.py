"""Teaches the maps of a class to lie on its object: a loss on the ViT's own Grad-CAM, made of its last block.

Li, Wu, Peng, Ernst and Fu 2018, "Tell me where to look: guided attention inference network" (arXiv 1802.10171), whose
extended form has masks; here they are exact, and there are two maps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SHARPNESS = 10.0
REST = 0.1
LEAST_SHARE = 1e-4


def class_maps(model: nn.Module, before_last: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Token Grad-CAM and attention Grad-CAM of a class of each view before their relu, differentiable: two (B, N).

    Args:
        before_last: (B, 1 + N, D), what the last block is given.
        targets: (B,) the classes.

    Both take the gradient of the logit, which reaches the patches through one row of the last attention alone.
    """
    block = model.blocks[-1]
    attention = block.attn
    features = block.norm1(before_last)
    q, k, v = attention.qkv(features).unflatten(2, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)
    row = (q[:, :, :1] * attention.scale @ k.mT).softmax(-1)  # (B, H, 1, 1 + N)
    token = before_last[:, 0] + attention.proj((row @ v).flatten(1))
    token = token + block.mlp(block.norm2(token))
    chosen = model.head(model.norm(token)).gather(1, targets[:, None]).sum()
    by_feature, by_weight = torch.autograd.grad(chosen, (features, row), create_graph=True)
    channels = by_feature[:, 1:].mean(1, keepdim=True)
    heads = by_weight[..., 1:].mean(-1, keepdim=True)
    return (channels * features[:, 1:]).sum(2), (heads * row[..., 1:]).mean((1, 2))


def pointing_loss(model: nn.Module, before_last: Tensor, targets: Tensor, inside: Tensor) -> Tensor:
    """-log of the share of a map that lies inside the object, mean over views, for both maps together.

    Args:
        before_last, targets: as of class_maps.
        inside: (B, N), how much of each patch the object covers.
    """
    losses = []
    for values in class_maps(model, before_last, targets):
        scaled = values / (values.detach().abs().mean(1, keepdim=True) + 1e-12)
        # Smooth, as a map that is nowhere positive would have no gradient to be mended by; but such a map must not do
        # well for being least negative on the object, so a little of all that it holds counts as outside.
        positive = F.softplus(SHARPNESS * scaled) / SHARPNESS
        share = (positive * inside).sum(1) / (positive.sum(1) + REST * scaled.abs().sum(1))
        losses.append(-torch.log(share + LEAST_SHARE).mean())
    return losses[0] + losses[1]
