"""The one point of interception: a TorchFunctionMode that sees the attention calls and hands each on unchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from vitviz.attention.bias import bias_of
from vitviz.attention.blocks import Frame
from vitviz.attention.calls import Call, proof, sampled
from vitviz.attention.weighing import is_softmax, packed_arguments, packed_inputs, weighed


class Interception(TorchFunctionMode):
    """Sees the attention calls and hands each on unchanged; `prove` compares sampled rows of each with its output."""

    def __init__(
        self, frames: list[Frame], view_size: tuple[int, int], seen: Callable[[Call], None], prove: bool = True
    ) -> None:
        super().__init__()
        self._prove = prove
        self.calls: list[Call] = []
        self.unused: list[str] = []
        self._frames, self._view_size, self._seen = frames, view_size, seen
        self._pending: Call | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            return self._fused(args, kwargs)
        if func is F.multi_head_attention_forward:
            return self._packed(args, kwargs)
        output = func(*args, **kwargs)
        if is_softmax(func, args, kwargs, output):
            self._softmax(output)
        elif self._pending is not None:
            assert self._pending.probabilities is not None
            if (found := weighed(func, args, self._pending.probabilities)) is not None:
                self._settled(found[0], found[1](output))
        return output

    def settle(self) -> None:
        """Name a softmax that was never used to weigh values: its rows are not what the tokens took."""
        if self._pending is not None:
            self._leave(self._pending.frame.name, "its softmax is mixed with others before it weighs the values")
            self._pending = None

    def _leave(self, name: str, reason: str) -> None:
        self.unused.append(f"{name or 'the model'}: {reason}")

    def _add(self, call: Call) -> None:
        self.settle()
        self.calls.append(call)
        self._seen(call)

    def _fused(self, args: Any, kwargs: Any) -> Tensor:
        output: Tensor = F.scaled_dot_product_attention(*args, **kwargs)
        given = dict(zip(("query", "key", "value", "attn_mask", "dropout_p", "is_causal"), args, strict=False)) | kwargs
        q, k, v = given["query"], given["key"], given["value"]
        scale = given.get("scale")
        if k.shape[-3] != q.shape[-3]:
            k, v = (t.repeat_interleave(q.shape[-3] // t.shape[-3], -3) for t in (k, v))
        q, k, v, out = (t if t.dim() == 4 else t.unsqueeze(0) for t in (q, k, v, output))
        if q.dim() != 4:
            self._leave(self._frames[-1].name, "attention within groups whose place in the picture is not known")
            return output
        call = Call(
            tuple(self._frames),
            q=_own(q),
            k=_own(k),
            scale=q.shape[-1] ** -0.5 if scale is None else float(scale),
            bias=bias_of(given.get("attn_mask"), q.shape[0], self._view_size),
            causal=bool(given.get("is_causal", False)),
        )
        if self._prove:
            call.error = proof(call, v, out)
        self._add(call)
        return output

    def _packed(self, args: Any, kwargs: Any) -> Any:
        """nn.MultiheadAttention: q and k from its own packed projection, so that nothing of size N x N is made."""
        output = F.multi_head_attention_forward(*args, **kwargs)
        given = packed_arguments(args, kwargs)
        if given is None:
            self._leave(self._frames[-1].name, "attention with keys that are no tokens of the picture")
            return output
        q, k, v, mask = packed_inputs(given)
        call = Call(tuple(self._frames), q=q.contiguous(), k=k.contiguous(), scale=q.shape[-1] ** -0.5)
        call.bias = bias_of(mask, q.shape[0], self._view_size)
        if self._prove:
            rows, shares = sampled(call)
            taken = (shares.to(v.dtype) @ v).transpose(1, 2).flatten(2)
            out = output[0] if output[0].dim() == 3 else output[0].unsqueeze(1)
            taken = F.linear(taken, given["out_proj_weight"], given["out_proj_bias"])
            call.error = (taken - out.transpose(0, 1).index_select(1, rows)).abs().max().float()
        self._add(call)
        return output

    def _softmax(self, output: Tensor) -> None:
        if not self._frames:
            return
        self.settle()
        self._pending = Call(tuple(self._frames), probabilities=output if output.dim() == 4 else output.unsqueeze(0))

    def _settled(self, values: Tensor, out: Tensor) -> None:
        call, self._pending = self._pending, None
        assert call is not None
        if values.dim() == 3:
            values, out = values.unsqueeze(0), out.unsqueeze(0)
        if self._prove:
            call.error = proof(call, values, out)
        self._add(call)


def _own(tensor: Tensor) -> Tensor:
    # q and k are mostly views into one fused qkv: keeping the view would keep v alive too, half as much again. A copy
    # costs a few hundredths of a small pass and leaves rows contiguous, which makes every later look at them faster.
    shared = tensor.untyped_storage().nbytes() > 1.05 * tensor.numel() * tensor.element_size()
    return tensor.clone(memory_format=torch.contiguous_format) if shared else tensor.detach()
