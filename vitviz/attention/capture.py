"""One forward pass with every attention call seen: q, k, bias and scale by reference, or the model's own softmax.

A `torch.overrides.TorchFunctionMode` is the only point of interception; no model is rewritten. Hooks on the modules
name each call and carry progress and cancellation. Mode and hooks are gone when `capture` returns or raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vitviz.attention.bias import Bias, added, bias_of
from vitviz.attention.blocks import Blocks, Frame
from vitviz.attention.weighing import is_softmax, packed_arguments, weighed
from vitviz.errors import Cancelled

_PROOF_ROWS = 4


@dataclass(slots=True, eq=False)
class Call:
    """One attention call. Shapes: q (B, H, Nq, d), k (B, H, Nk, d).

    Either q, k, scale, bias and causal are there, or `probabilities` (B, H, Nq, Nk) after the model's own softmax.
    `error` is max |A v - output| over a few rows, against what the model itself computed; None where v was not seen.
    `turn` says the how-manieth of how many calls of its module this was. `tokens` is what the block around the
    attention gave on, as the model has it, by reference; None where no block could be told or none was wanted.
    """

    frames: tuple[Frame, ...]
    q: Tensor | None = None
    k: Tensor | None = None
    scale: float = 1.0
    bias: Bias | None = None
    causal: bool = False
    probabilities: Tensor | None = None
    error: Tensor | None = None
    turn: tuple[int, int] = (0, 1)
    tokens: Tensor | None = None

    @property
    def frame(self) -> Frame:
        """The innermost module with parameters of its own: the attention module."""
        return next((f for f in reversed(self.frames) if any(True for _ in f.module.parameters())), self.frames[-1])

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(batch, heads, queries, keys)."""
        if self.probabilities is not None:
            b, h, n, m = self.probabilities.shape
            return b, h, n, m
        assert self.q is not None and self.k is not None
        return self.q.shape[0], self.q.shape[1], self.q.shape[2], self.k.shape[2]

    def split(self, windows: int) -> bool:
        """Whether the call is over so many windows; those folded into the heads (SAM) are taken out of them."""
        batch, heads, _, _ = self.shape
        if batch == windows:
            return True
        if batch != 1 or heads % windows:
            return False

        def apart(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor[0].reshape(windows, -1, *tensor.shape[2:])

        self.q, self.k, self.probabilities = apart(self.q), apart(self.k), apart(self.probabilities)
        whole = None if self.bias is None else self.bias.rows(0, None, None)
        if whole is not None:
            self.bias = Bias(whole.reshape(windows if len(whole) == heads else 1, -1, *whole.shape[1:]))
        return True


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """What a forward pass left: the output, the calls in order, and a sentence on each call that can't be shown."""

    output: Any
    calls: tuple[Call, ...]
    unused: tuple[str, ...]


def capture(
    module: nn.Module,
    view: Tensor,
    *,
    features: bool = True,
    progress: Callable[[float, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> Captured:
    """Run `module(view)` once and keep what its attention calls were given.

    Args:
        module: any network in eval mode.
        view: (1, C, h, w) on the module's device.
        features: keep the tokens that every block gives on, too.
        progress: called with (fraction, name of the layer) at every attention call.
        cancel: asked at every module; True raises Cancelled.
    """
    with torch.inference_mode(), watched(module, progress, cancel) as stack:
        blocks = Blocks(module) if features else None

        def seen(call: Call) -> None:
            if blocks is not None and (block := blocks.around(stack.frames)) is not None:
                stack.await_output(block, call)
            progress(stack.fraction, call.frame.name)

        mode = Interception(stack.frames, (view.shape[-2], view.shape[-1]), seen)
        with mode:
            output = module(view)
        mode.settle()
    _number(mode.calls)
    return Captured(output, tuple(mode.calls), tuple(mode.unused))


def _number(calls: list[Call]) -> None:
    """Say of every call the how-manieth of its module it is: the mark by which it is found again in another pass."""
    names = [call.frame.name for call in calls]
    for i, call in enumerate(calls):
        call.turn = names[:i].count(names[i]), names.count(names[i])


class _Stack:
    """The modules that are running, and how far the pass has come."""

    def __init__(self, total: int) -> None:
        self.frames: list[Frame] = []
        self._entered, self._total = 0, max(total, 1)
        self._awaited: dict[int, list[Call]] = {}

    def enter(self, frame: Frame) -> None:
        self.frames.append(frame)
        self._entered += 1

    def leave(self, output: Any) -> None:
        frame = self.frames.pop()
        for call in self._awaited.pop(id(frame), ()):
            first = output[0] if isinstance(output, tuple) and output else output
            call.tokens = first if isinstance(first, Tensor) else None

    def await_output(self, frame: Frame, call: Call) -> None:
        """Give `call` what the running module of `frame` will return."""
        self._awaited.setdefault(id(frame), []).append(call)

    @property
    def fraction(self) -> float:
        return min(self._entered / self._total, 1.0)


@contextmanager
def watched(module: nn.Module, progress: Callable[[float, str], None], cancel: Callable[[], bool]) -> Iterator[_Stack]:
    """While it lasts, the modules that run are known, and every one of them asks `cancel` first (Cancelled)."""
    named = list(module.named_modules())
    stack = _Stack(len(named))
    handles = []

    def before(name: str) -> Callable[..., None]:
        def hook(child: nn.Module, args: tuple[Any, ...]) -> None:
            if cancel():
                raise Cancelled("The pass through the model was cancelled.")
            first = args[0] if args else None
            stack.enter(Frame(name, child, tuple(first.shape) if isinstance(first, Tensor) else ()))

        return hook

    def after(child: nn.Module, args: Any, output: Any) -> None:
        if stack.frames and stack.frames[-1].module is child:
            stack.leave(output)

    try:
        for name, child in named:
            handles.append(child.register_forward_pre_hook(before(name)))
            handles.append(child.register_forward_hook(after))
        yield stack
    finally:
        for handle in handles:
            handle.remove()


class Interception(TorchFunctionMode):
    """Sees the attention calls and hands each on unchanged."""

    def __init__(self, frames: list[Frame], view_size: tuple[int, int], seen: Callable[[Call], None]) -> None:
        super().__init__()
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
        call.error = _proof(call, v, out)
        self._add(call)
        return output

    def _packed(self, args: Any, kwargs: Any) -> Any:
        """nn.MultiheadAttention: q and k from its own packed projection, so that nothing of size N x N is made."""
        output = F.multi_head_attention_forward(*args, **kwargs)
        given = packed_arguments(args, kwargs)
        if given is None:
            self._leave(self._frames[-1].name, "attention with keys that are no tokens of the picture")
            return output
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
        call = Call(tuple(self._frames), q=q.contiguous(), k=k.contiguous(), scale=q.shape[-1] ** -0.5)
        call.bias = bias_of(mask, q.shape[0], self._view_size)
        rows, shares = _sampled(call)
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
        call.error = _proof(call, values, out)
        self._add(call)


def _own(tensor: Tensor) -> Tensor:
    # q and k are mostly views into one fused qkv: keeping the view would keep v alive too, half as much again. A copy
    # costs a few hundredths of a small pass and leaves rows contiguous, which makes every later look at them faster.
    shared = tensor.untyped_storage().nbytes() > 1.05 * tensor.numel() * tensor.element_size()
    return tensor.clone(memory_format=torch.contiguous_format) if shared else tensor.detach()


def attend(q: Tensor, k: Tensor, scale: float, bias: Tensor | None = None, causal_from: Tensor | None = None) -> Tensor:
    """softmax(q k^T * scale + bias) in float32, (..., n, Nk); `causal_from` (n,): the positions of causal queries."""
    scores = _products(q.float() * scale, k.float())
    scores = added(scores, bias)
    if causal_from is not None:
        ahead = torch.arange(k.shape[-2], device=k.device)[None] > causal_from[:, None]
        scores = scores.masked_fill(ahead, -torch.inf)
    return scores.softmax(-1)


def _products(q: Tensor, k: Tensor) -> Tensor:
    """q k^T; one row on the CPU by numpy, whose products of a matrix and a vector take half of torch's time."""
    if q.shape[-2] == 1 and q.device.type == "cpu" and k.device.type == "cpu" and not q.requires_grad:
        return torch.from_numpy(np.matmul(k.numpy(), q.mT.numpy())).mT
    return q @ k.mT


def additive(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """A mask of nn.MultiheadAttention, where True means hidden, as numbers to add to the scores."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(mask, -torch.inf)


def _sampled(call: Call) -> tuple[Tensor, Tensor]:
    """A few query rows (n,) and their weights in every head and window, (B, H, n, Nk) float32."""
    _, _, count, _ = call.shape
    rows = torch.linspace(0, count - 1, min(_PROOF_ROWS, count)).long()
    if call.probabilities is not None:
        rows = rows.to(call.probabilities.device)
        return rows, call.probabilities.index_select(-2, rows).float()
    assert call.q is not None and call.k is not None
    rows = rows.to(call.q.device)
    bias = None if call.bias is None else call.bias.sample(rows)
    return rows, attend(call.q.index_select(-2, rows), call.k, call.scale, bias, rows if call.causal else None)


def _proof(call: Call, values: Tensor, output: Tensor) -> Tensor:
    """max |A v - output| over a few query rows of every head and window."""
    rows, weights = _sampled(call)
    return (weights @ values.float() - output.index_select(-2, rows).float()).abs().max()
