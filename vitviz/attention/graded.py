"""A forward pass whose attention gives dy/dA on the way back: rows of A and of its gradient, a chunk at a time.

The model runs as it is; only its attention calls are answered by an operation that keeps q, k and v, and computes
A and dy/dA again in chunks of rows when the gradient comes. So nothing of size N x N is kept: attention is its own
checkpoint. Where a model takes its own softmax, its probabilities are watched instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vitviz.attention.bias import added, bias_of
from vitviz.attention.calls import Call, Captured
from vitviz.attention.interception import Interception
from vitviz.attention.watching import watched
from vitviz.attention.weighing import packed_arguments, packed_inputs
from vitviz.models.hooks import of_this_thread

_CHUNK_BYTES = 16 * 2**20

# What is told on the way back: the call, the indices of some queries (n,), their rows of A and of dy/dA, both
# (B, H, n, Nk) float32; then, with no rows, that the call is done.
Tap = Callable[[Call, Tensor | None, Tensor | None, Tensor | None], None]


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A pass with its graph: the output, the calls, and what to differentiate by so that every call is reached.

    Attributes:
        output: what the network returned.
        captured: its attention calls in order.
        inputs: per call a tensor that its attention came from.
        features: per call what its attention module was given, (B, N, C) or (B, h, w, C).
        blocks: per call what the module around its attention module returned.
    """

    output: Any
    captured: Captured
    inputs: list[Tensor]
    features: list[Any]
    blocks: list[Any]


def graded_pass(
    module: nn.Module,
    view: Tensor,
    tap: Tap,
    *,
    progress: Callable[[float, int], None] = lambda fraction, number: None,
    cancel: Callable[[], bool] = lambda: False,
) -> Graph:
    """Run `module(view)` once with its graph; `tap` is called while it is differentiated, the last call first.

    The caller freezes the parameters (see `frozen`), so that only what the gradient passes through is kept.
    """
    view = view.clone().detach().requires_grad_()
    with torch.enable_grad(), watched(module, cancel) as stack:
        size = view.shape[-2], view.shape[-1]
        mode = _Graded(stack.frames, size, lambda call: progress(stack.fraction, len(mode.calls) - 1), tap)
        with mode, _kept(module, mode):
            output = module(view)
        mode.settle()
    return Graph(
        output, Captured(output, tuple(mode.calls), tuple(mode.unused)), mode.inputs, mode.features, mode.blocks
    )


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """No gradient of the parameters is wanted: without it linear layers need not keep their inputs."""
    wanted = [p for p in module.parameters() if p.requires_grad]
    try:
        for parameter in wanted:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)


class _Graded(Interception):
    """Answers attention calls with `_Attention`, and notes what is needed to differentiate by."""

    def __init__(self, frames: Any, view_size: tuple[int, int], seen: Callable[[Call], None], tap: Tap) -> None:
        super().__init__(frames, view_size, seen)
        self.inputs: list[Tensor] = []
        self.features: list[Any] = []
        self.blocks: list[Any] = []
        self.given: list[Any] = []  # per running module its first argument
        self._tap = tap
        self._source: Tensor | None = None

    def _fused(self, args: Any, kwargs: Any) -> Tensor:
        given = dict(zip(("query", "key", "value", "attn_mask", "dropout_p", "is_causal"), args, strict=False)) | kwargs
        q, k, v = given["query"], given["key"], given["value"]
        if k.shape[-3] != q.shape[-3]:
            k, v = (t.repeat_interleave(q.shape[-3] // t.shape[-3], -3) for t in (k, v))
        if q.dim() not in (3, 4):
            self._leave(self._frames[-1].name, "attention within groups whose place in the picture is not known")
            return F.scaled_dot_product_attention(*args, **kwargs)
        q4, k4, v4 = (t if t.dim() == 4 else t.unsqueeze(0) for t in (q, k, v))
        scale = given.get("scale")
        call = Call(tuple(self._frames), scale=q.shape[-1] ** -0.5 if scale is None else float(scale))
        call.causal = bool(given.get("is_causal", False))
        output = self._attended(call, q4, k4, v4, given.get("attn_mask"))
        return output if q.dim() == 4 else output.squeeze(0)

    def _attended(self, call: Call, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        call.q, call.k = q.detach(), k.detach()
        call.bias = bias_of(None if mask is None else mask.detach(), q.shape[0], self._view_size)
        self._source = k  # the query of a pool is a parameter, but its keys come from the picture
        if mask is not None and mask.requires_grad:  # a bias that the picture makes: its gradient is wanted too
            weights = added((q * call.scale) @ k.mT, mask).softmax(-1)
            self._watch(call, weights)
            output = weights @ v
        else:
            output = _Attention.apply(q, k, v, mask, call, self._tap)
        self._add(call)
        return output

    def _packed(self, args: Any, kwargs: Any) -> Any:
        """nn.MultiheadAttention with attention that can be watched; its projections are the model's own."""
        given = packed_arguments(args, kwargs)
        if given is None:
            self._leave(self._frames[-1].name, "attention with keys that are no tokens of the picture")
            return F.multi_head_attention_forward(*args, **kwargs)
        q, k, v, mask = packed_inputs(given)
        call = Call(tuple(self._frames), scale=q.shape[-1] ** -0.5)
        taken = rearrange(self._attended(call, q, k, v, mask), "b h n d -> n b (h d)")
        taken = F.linear(taken, given["out_proj_weight"], given["out_proj_bias"])
        # Whoever asks for the weights gets None: no network uses them for its output.
        return taken if given["query"].dim() == 3 else taken.squeeze(1), None

    def _softmax(self, output: Tensor) -> None:
        super()._softmax(output)
        if self._pending is not None and self._pending.probabilities is not None:
            self._source = output
            self._pending.probabilities = self._pending.probabilities.detach()
            if output.requires_grad:
                self._watch(self._pending, output)

    def _settled(self, values: Tensor, out: Tensor) -> None:
        with torch.no_grad():
            super()._settled(values.detach(), out.detach())

    def _watch(self, call: Call, weights: Tensor) -> None:
        kept = weights.detach()

        def arrived(gradient: Tensor) -> None:
            a, g = (t if t.dim() == 4 else t.unsqueeze(0) for t in (kept, gradient))
            queries = torch.arange(a.shape[-2], device=a.device)
            for rows in torch.split(queries, _step(a.shape[0], a.shape[1], a.shape[3])):
                self._tap(call, rows, a.index_select(-2, rows).float(), g.index_select(-2, rows).float())
            self._tap(call, None, None, None)

        weights.register_hook(arrived)  # type: ignore[no-untyped-call]

    def _add(self, call: Call) -> None:
        super()._add(call)
        assert self._source is not None
        self.inputs.append(self._source)
        place = next((i for i, frame in enumerate(call.frames) if frame is call.frame), len(call.frames) - 1)
        self.features.append(self.given[place] if place < len(self.given) else None)
        self.blocks.append(call.frames[max(0, place - 1)].module)


@contextmanager
def _kept(module: nn.Module, mode: _Graded) -> Iterator[None]:
    """Keep what running modules are given, and turn the modules of `blocks` into what they returned."""
    handles = []

    def before(child: nn.Module, args: tuple[Any, ...]) -> None:
        mode.given.append(args[0] if args else None)

    def after(child: nn.Module, args: Any, output: Any) -> None:
        if mode.given:
            mode.given.pop()
        mode.blocks[:] = [output if block is child else block for block in mode.blocks]

    try:
        for child in module.modules():
            handles.append(child.register_forward_pre_hook(of_this_thread(before)))
            handles.append(child.register_forward_hook(of_this_thread(after)))
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Attention(torch.autograd.Function):
    """softmax(q k^T * scale + bias) v by the fused kernel; on the way back by rows, which are shown to a tap."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, call: Call, tap: Tap) -> Tensor:
        ctx.save_for_backward(q, k, v)
        ctx.call, ctx.tap = call, tap
        if q.is_meta:  # which has no fused kernel: what stands in for it would make the whole matrices
            return q.new_empty(*q.shape[:-1], v.shape[-1])
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=call.causal, scale=call.scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v = (t.float() for t in ctx.saved_tensors)
        call: Call = ctx.call
        grad = grads[0].float()
        down = [torch.zeros_like(t) for t in (q, k, v)]
        queries = torch.arange(q.shape[2], device=q.device)
        for rows in torch.split(queries, _step(q.shape[0], q.shape[1], k.shape[2])):
            some, given = q.index_select(2, rows) * call.scale, grad.index_select(2, rows)
            scores = added(some @ k.mT, None if call.bias is None else call.bias.sample(rows))
            if call.causal:
                ahead = torch.arange(k.shape[2], device=q.device)[None] > rows[:, None]
                scores = scores.masked_fill(ahead, -torch.inf)
            weights = scores.softmax(-1)
            change = given @ v.mT
            ctx.tap(call, rows, weights, change)
            down[2] += weights.mT @ given
            change = weights * (change - (weights * change).sum(-1, keepdim=True))
            down[0].index_copy_(2, rows, change @ k * call.scale)
            down[1] += change.mT @ some
        ctx.tap(call, None, None, None)
        return (*(d.to(t.dtype) for d, t in zip(down, ctx.saved_tensors, strict=True)), None, None, None)


def _step(batch: int, heads: int, keys: int) -> int:
    return max(1, _CHUNK_BYTES // (4 * batch * heads * keys))
