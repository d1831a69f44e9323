"""The tests' own gradients of attention: every call made by hand with torch's own graph, whole matrices kept."""

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode


class ByHand(TorchFunctionMode):
    """Answers fused calls by softmax and products; `change(number, A)` may alter the matrix of a call."""

    def __init__(self, change=lambda number, weights: weights):
        super().__init__()
        self.weights, self._change = [], change

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is not F.scaled_dot_product_attention:
            return func(*args, **kwargs)
        q, k, v = args[:3]
        mask = kwargs.get("attn_mask", args[3] if len(args) > 3 else None)
        scale = kwargs.get("scale") or q.shape[-1] ** -0.5
        scores = q @ k.mT * scale + (0 if mask is None else mask)
        weights = self._change(len(self.weights), scores.softmax(-1))
        if weights.requires_grad:
            weights.retain_grad()
        self.weights.append(weights)
        return weights @ v


def attention_and_gradients(model, view, target):
    """Per call A and dy/dA, (H, Nq, Nk) float64, and y."""
    module = model.module.double()
    try:
        with torch.enable_grad(), ByHand() as mode:
            y = module(view.double().requires_grad_())[0, target]
            y.backward()
        module.zero_grad(set_to_none=True)
        return [(w.detach()[0], w.grad[0]) for w in mode.weights], float(y.detach())
    finally:
        module.float()


def changed_logit(model, view, target, call, entry, by):
    """y with one entry (head, query, key) of one call's matrix changed, in float64."""

    def change(number, weights):
        if number == call:
            weights = weights.clone()
            weights[(0, *entry)] += by
        return weights

    module = model.module.double()
    try:
        with torch.no_grad(), ByHand(change):
            return float(module(view.double())[0, target])
    finally:
        module.float()
