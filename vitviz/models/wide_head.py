"""The classifier of DINOv2: a linear layer over the class token beside the mean of the patches, which timm has not.

As in transformers 5.23, models/dinov2/modeling_dinov2.py, and facebookresearch/dinov2, dinov2/hub/classifiers.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

WEIGHT, BIAS = "head.weight", "head.bias"


class ClassAndMean(nn.Linear):
    """Logits (B, K) from all tokens of the last layer (B, N, D), the class token first and `prefix` before the patches.

    In the place of the head of a timm ViT that pools nothing.
    """

    def __init__(self, width: int, classes: int, prefix: int, *, bias: bool = True) -> None:
        super().__init__(2 * width, classes, bias=bias)
        self.prefix = prefix

    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(torch.cat([tokens[:, 0], tokens[:, self.prefix :].mean(1)], dim=-1))


def is_wide(tensors: Mapping[str, Tensor]) -> bool:
    """Whether these weights, under timm's names, have such a classifier."""
    head, token = tensors.get(WEIGHT), tensors.get("cls_token")
    return head is not None and token is not None and head.dim() == 2 and head.shape[1] == 2 * token.shape[-1]


def put_on(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a timm ViT, built without classes and pooling, the classifier that is among these weights."""
    weight, bias = tensors[WEIGHT], tensors.get(BIAS)
    classes, width = weight.shape[0], weight.shape[1] // 2
    prefix = module.num_prefix_tokens
    assert isinstance(prefix, int)
    head = ClassAndMean(width, classes, prefix, bias=bias is not None)
    head.load_state_dict({"weight": weight} if bias is None else {"weight": weight, "bias": bias})
    module.head = head
    module.num_classes = classes  # type: ignore[assignment]
