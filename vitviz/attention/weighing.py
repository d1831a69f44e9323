"""How a softmax taken by hand and its use are recognised: which calls take one, and which weigh values with it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from vitviz.attention.calls import additive

_SOFTMAX = (torch.softmax, F.softmax, Tensor.softmax)
_MATMUL = (torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.bmm, Tensor.bmm)
_PACKED = inspect.signature(F.multi_head_attention_forward)

Turn = Callable[[Tensor], Tensor]


def is_softmax(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], output: Any) -> bool:
    """Whether this call gave attention weights (B, H, Nq, Nk) or (B H, Nq, Nk): a softmax over the last dimension."""
    if func not in _SOFTMAX or output.dim() not in (3, 4):
        return False
    return kwargs.get("dim", args[1] if len(args) > 1 else None) in (-1, output.dim() - 1)


def weighed(func: Any, args: Sequence[Any], weights: Tensor) -> tuple[Tensor, Turn] | None:
    """Where this call multiplies values by `weights`: the values (..., Nk, d), and what turns its output to
    (..., Nq, d); None for any other call.

    A product (either way round, as MaxViT writes it) or torch.einsum with two operands, whose letters say which
    dimension is which.
    """
    if func in _MATMUL:
        for operand, other, turned in ((args[0], args[1], False), (args[1], args[0], True)):
            if _is(operand, weights) and _is_turned(operand) == turned:
                return (other.mT, lambda out: out.mT) if turned else (other, lambda out: out)
    elif func is torch.einsum:
        return _contracted(args, weights)
    return None


def _contracted(args: Sequence[Any], weights: Tensor) -> tuple[Tensor, Turn] | None:
    operands = args[1] if len(args) == 2 else args[1:]
    terms, _, result = args[0].replace(" ", "").partition("->")
    if len(operands) != 2 or len(terms.split(",")) != 2:
        return None
    pairs = list(zip(terms.split(","), operands, strict=True))
    for (term, operand), (other_term, other) in (pairs, pairs[::-1]):
        width = [letter for letter in result if letter not in term]
        if _is(operand, weights) and len(width) == 1 and term[-1] not in result and term[-2] in result:
            order = [result.index(letter) for letter in (*term[:-1], *width)]
            values: Tensor = other.permute([other_term.index(c) for c in (*term[:-2], term[-1], *width)])
            return values, partial(Tensor.permute, dims=order)
    return None


def _is(operand: Any, weights: Tensor) -> bool:
    if not isinstance(operand, Tensor):
        return False
    return operand.data_ptr() == weights.data_ptr() and operand.numel() == weights.numel()


def _is_turned(weights: Tensor) -> bool:
    # A^T v, or v A, would weigh by columns: that is no attention, though it is the same memory.
    return weights.shape[-1] > 1 and weights.stride(-1) != 1


def packed_arguments(args: Any, kwargs: Any) -> dict[str, Any] | None:
    """The arguments of F.multi_head_attention_forward by name; None where its keys are no tokens of the picture."""
    given = dict(_PACKED.bind(*args, **kwargs).arguments)
    unusual = any(given.get(key) is not None for key in ("bias_k", "static_k", "static_v"))
    return None if unusual or given["add_zero_attn"] or given["query"].dim() not in (2, 3) else given


def packed_inputs(given: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """q, k and v (B, H, N, d) by the model's own projections, and what is added to the scores, from such arguments."""
    if given.get("use_separate_proj_weight"):
        weights = [given[f"{part}_proj_weight"] for part in "qkv"]
    else:
        weights = given["in_proj_weight"].chunk(3)
    biases = (None,) * 3 if given["in_proj_bias"] is None else given["in_proj_bias"].chunk(3)
    heads = given["num_heads"]
    q, k, v = (
        rearrange(F.linear(x if x.dim() == 3 else x.unsqueeze(1), w, b), "n b (h d) -> b h n d", h=heads)
        for x, w, b in zip((given["query"], given["key"], given["value"]), weights, biases, strict=True)
    )
    mask = additive(given.get("attn_mask"), q.dtype)
    if mask is not None and mask.dim() == 3:
        mask = rearrange(mask, "(b h) n m -> b h n m", h=heads)
    padding = additive(given.get("key_padding_mask"), q.dtype)
    if padding is not None:
        padding = padding.reshape(-1, 1, 1, padding.shape[-1])
        mask = padding if mask is None else mask + padding
    return q, k, v, mask
