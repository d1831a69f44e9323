"""One forward pass with every attention call seen: q, k, bias and scale by reference, or the model's own softmax.

A `torch.overrides.TorchFunctionMode` is the only point of interception; no model is rewritten. Hooks on the modules
name each call and carry progress and cancellation. Mode and hooks are gone when `capture` returns or raises.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from vitviz.attention.blocks import Blocks
from vitviz.attention.calls import Call, Captured
from vitviz.attention.interception import Interception
from vitviz.attention.watching import watched


def capture(
    module: nn.Module,
    view: Tensor,
    *,
    features: bool = True,
    prove: bool = True,
    progress: Callable[[float, int], None] = lambda fraction, number: None,
    cancel: Callable[[], bool] = lambda: False,
) -> Captured:
    """Run `module(view)` once and keep what its attention calls were given.

    Args:
        module: any network; it runs in eval mode.
        view: (1, C, h, w) on the module's device.
        features: keep the tokens that every block gives on, too.
        prove: compare sampled rows of every call with what the model made of them, which takes a twentieth of a small
            pass.
        progress: called with (fraction, number of the call, from 0) at every attention call.
        cancel: asked at every module; True raises Cancelled.
    """
    with torch.inference_mode(), watched(module, cancel) as stack:
        blocks = Blocks(module) if features else None

        def seen(call: Call) -> None:
            if blocks is not None and (block := blocks.around(stack.frames)) is not None:
                stack.await_output(block, call)
            progress(stack.fraction, len(mode.calls) - 1)

        mode = Interception(stack.frames, (view.shape[-2], view.shape[-1]), seen, prove)
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
