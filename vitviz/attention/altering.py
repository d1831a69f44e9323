"""A model that runs without some of its heads: their output is set to zero, or to its mean over the tokens.

The attention modules get a pair of hooks that switch a `torch.overrides.TorchFunctionMode` on while they run; it takes
the output of the fused call, of the product of a hand-made softmax with the values, or of torch's packed attention
before its output projection. No weight is touched, no model is rewritten, and other watchers see the attention as the
model makes it, since this mode is the innermost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vitviz.attention.layer import Layer
from vitviz.attention.values import AblateTo, Ablation
from vitviz.attention.weighing import is_softmax, packed_arguments, weighed
from vitviz.errors import AttentionError
from vitviz.models.hooks import of_this_thread

if TYPE_CHECKING:
    from vitviz.attention.traced import Trace

Cuts = Sequence[Sequence[int]]


def check(ablation: Ablation, layers: Sequence[Layer], name: str = "the model") -> None:
    """AttentionError where an ablation names a layer or head that is not there."""
    for at, head in ablation.heads:
        if not 0 <= at < len(layers):
            raise AttentionError(f"There is no layer {at} to ablate: {name} has layers 0 to {len(layers) - 1}.")
        if not 0 <= head < layers[at].num_heads:
            raise AttentionError(
                f"There is no head {head} to ablate: layer {at} of {name} has {layers[at].num_heads}, numbered from 0."
            )


@contextmanager
def ablated(module: nn.Module, layers: Sequence[Layer], ablation: Ablation) -> Iterator[None]:
    """While it lasts, every pass through `module` is one without the heads of `ablation`.

    Args:
        module: the network.
        layers: the layers of any trace of it, altered or not.
    """
    check(ablation, layers)
    cuts = {layer.index: [ablation.of(layer.index)] for layer in layers if ablation.of(layer.index)}
    with altered(module, layers, cuts, ablation.to):
        yield


def as_in(module: nn.Module, seen: Trace | None) -> AbstractContextManager[None]:
    """While it lasts, passes through `module` are without the heads that were off in a trace of it, if one is given."""
    return ablated(module, seen.layers, seen.ablation) if seen is not None and seen.ablation else nullcontext()


@contextmanager
def altered(
    module: nn.Module, layers: Sequence[Layer], cuts: Mapping[int, Cuts], to: AblateTo = "zero"
) -> Iterator[None]:
    """The same with other heads off for every picture of the batch.

    Args:
        cuts: layer -> for each picture of the batch the heads that are off; of one entry, for all pictures.
    """
    running: list[Any] = []
    handles = []

    def watch(name: str) -> None:
        turns = {layer.call.turn[0]: layer for layer in layers if layer.name == name and layer.index in cuts}
        total = next(iter(turns.values())).call.turn[1]
        done = 0

        def before(child: nn.Module, args: Any) -> None:
            mode: Any = _Alteration(turns, cuts, to, done, total)
            mode.__enter__()
            running.append(mode)

        def after(child: nn.Module, args: Any, output: Any) -> None:
            nonlocal done
            if running:
                mode = running.pop()
                done = mode.done
                mode.__exit__(None, None, None)

        child = module.get_submodule(name)
        handles.append(child.register_forward_pre_hook(of_this_thread(before)))
        handles.append(child.register_forward_hook(of_this_thread(after), always_call=True))

    try:
        for name in dict.fromkeys(layer.name for layer in layers if layer.index in cuts):
            watch(name)
        yield
    finally:
        for handle in handles:
            handle.remove()
        while running:  # an interrupt of the keyboard skips hooks
            running.pop().__exit__(None, None, None)


class _Alteration(TorchFunctionMode):
    """Takes heads from the attention calls of one module; `done` counts them as `Call.turn` does."""

    def __init__(
        self, turns: Mapping[int, Layer], cuts: Mapping[int, Cuts], to: AblateTo, done: int, total: int
    ) -> None:
        super().__init__()
        self.done = done
        self._turns, self._cuts, self._to, self._total = turns, cuts, to, total
        self._weights: Tensor | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.multi_head_attention_forward:
            return self._packed(args, kwargs)
        output = func(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            return self._without(output, lambda out: out) if output.dim() in (3, 4) else output
        if is_softmax(func, args, kwargs, output):
            self._weights = output
        elif self._weights is not None and (found := weighed(func, args, self._weights)) is not None:
            self._weights = None
            return self._without(output, found[1])
        return output

    def _packed(self, args: Any, kwargs: Any) -> Any:
        given = packed_arguments(args, kwargs)
        if given is None:
            return F.multi_head_attention_forward(*args, **kwargs)
        # With the identity in the place of the output projection what comes back is the heads, side by side.
        weight, bias, heads = given["out_proj_weight"], given["out_proj_bias"], given["num_heads"]
        given["out_proj_weight"] = torch.eye(weight.shape[1], dtype=weight.dtype, device=weight.device)
        given["out_proj_bias"] = None
        output, weights = F.multi_head_attention_forward(**given)

        def by_head(out: Tensor) -> Tensor:  # (N, B, D) -> (B, H, N, d)
            apart = out.view(*out.shape[:-1], heads, -1)
            return apart.permute(1, 2, 0, 3) if out.dim() == 3 else apart.transpose(0, 1).unsqueeze(0)

        return F.linear(self._without(output, by_head), weight, bias), weights

    def _without(self, output: Tensor, turn: Callable[[Tensor], Tensor]) -> Tensor:
        """The output of an attention call without its heads; `turn` shows it as (B, H, N, d) or (B H, N, d)."""
        layer = self._turns.get(self.done % self._total)
        self.done += 1
        if layer is None:
            return output
        kept = output.clone()
        apart = _by_picture(turn(kept), layer)
        cuts = self._cuts[layer.index]
        cuts = list(cuts) * len(apart) if len(cuts) == 1 else cuts
        if len(cuts) != len(apart):
            raise AttentionError(f"{len(cuts)} ablations came for a batch of {len(apart)} pictures: give one for each.")
        mean = _means(apart, layer) if self._to == "mean" else None
        for picture, heads in enumerate(cuts):
            if heads:
                taken = list(heads)
                apart[picture][:, taken] = 0 if mean is None else mean[picture, taken].unsqueeze(-2)
        return kept


def _by_picture(out: Tensor, layer: Layer) -> Tensor:
    """(B, H, N, d) or (B H, N, d) as a view (pictures, windows, heads, N, d): windows follow each other in a batch."""
    windows = 1 if layer.windows is None else len(layer.windows.index())
    if out.dim() == 3:
        return out.view(-1, windows, layer.num_heads, *out.shape[1:])
    if out.shape[1] == layer.num_heads:
        return out.view(-1, windows, *out.shape[1:])
    return out.view(-1, windows, layer.num_heads, *out.shape[2:])  # windows folded into the heads


def _means(apart: Tensor, layer: Layer) -> Tensor:
    """(pictures, windows, heads, N, d) -> (pictures, heads, d): the mean over the tokens that are no padding."""
    if layer.windows is None:
        return apart.mean((1, 3))
    real = torch.from_numpy(layer.windows.index() >= 0).to(apart)[None, :, None, :, None]
    return (apart * real).sum((1, 3)) / real.sum()
