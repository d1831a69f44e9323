"""A network without its weights, in which operations are counted and nothing is computed."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


def meta_twin(module: nn.Module) -> tuple[nn.Module, torch.dtype]:
    """A copy on the meta device, and the type of its numbers: the module itself may be in use by another thread."""
    meta: dict[int, Any] = {id(p): nn.Parameter(p.to("meta"), requires_grad=False) for p in module.parameters()}
    meta |= {id(b): b.to("meta") for b in module.buffers() if isinstance(b, Tensor)}
    dtype = next((t.dtype for t in module.parameters() if t.is_floating_point()), torch.float32)
    return copy.deepcopy(module, meta).eval(), dtype
