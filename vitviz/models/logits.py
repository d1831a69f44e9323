"""What a network says of classes: its logits, the probabilities that they stand for, the name of a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn


def logits_of(output: object, module: nn.Module) -> np.ndarray:
    """The logits (K,) float32 of the first picture of what a network returned; empty where it has no classifier."""
    # Without a classifier timm's models return their features, which are no logits.
    if getattr(module, "num_classes", None) == 0 or not isinstance(output, torch.Tensor) or output.dim() != 2:
        return np.empty(0, dtype=np.float32)
    logits: np.ndarray = output[0].float().cpu().numpy()
    return logits


def probabilities_of(logits: np.ndarray) -> np.ndarray:
    """The softmax of (..., K) over the last axis, in their dtype."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(-1, keepdims=True)
    return shares


def label_of(labels: Sequence[str], index: int) -> str:
    """The name of class `index`, "class 17" where none is known."""
    return labels[index] if index < len(labels) else f"class {index}"
