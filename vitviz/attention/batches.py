"""Several pictures through the model in one pass: a trace for each, as `trace` gives it but for the proofs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from vitviz.attention.bias import Bias
from vitviz.attention.calls import Call, Captured
from vitviz.attention.capture import capture
from vitviz.attention.trace import Trace, trace, trace_of
from vitviz.images import Image
from vitviz.models.model import Model


def traces(
    model: Model,
    images: Sequence[Image],
    *,
    views: Sequence[Tensor] | None = None,
    features: bool = False,
    cancel: Callable[[], bool] = lambda: False,
) -> list[Trace]:
    """One trace for each picture, from one pass; from a pass for each where a batch can't be taken apart.

    Args:
        model: as load_model gives it.
        images: pictures as read_image gives them.
        views: what `model.preprocess` makes of each, where that has been done.
        features: keep the tokens that every block gives on, too.
        cancel: asked at every module; True raises Cancelled.

    Raises the errors of `trace`.
    """
    if len(images) == 1 and views is None:
        return [trace(model, images[0], features=features, cancel=cancel)]
    given = [model.preprocess(image) for image in images] if views is None else list(views)
    try:
        start = time.perf_counter()
        batch = model.on_device(torch.cat(given))
        captured = capture(model.module, batch, features=features, prove=False, cancel=cancel)
        seconds = (time.perf_counter() - start) / len(images)
        parts = [_part(captured, i, len(images)) for i in range(len(images))]
        return [trace_of(model, image, part, seconds) for image, part in zip(images, parts, strict=True)]
    except (RuntimeError, ValueError, TypeError, AssertionError):
        # No memory for so many at once, or a network that knows one picture only. What is wrong with the
        # model itself is said by a pass of its own.
        return [trace(model, image, features=features, cancel=cancel) for image in images]


def _part(captured: Captured, index: int, count: int) -> Captured:
    """What belongs to one picture of a batch."""
    output = captured.output[index : index + 1] if isinstance(captured.output, Tensor) else captured.output
    return Captured(output, tuple(_call(call, index, count) for call in captured.calls), captured.unused)


def _call(call: Call, index: int, count: int) -> Call:
    whole = call.shape[0]
    if whole % count:
        raise ValueError(f"{whole} windows of {count} pictures")
    share = whole // count
    own = slice(index * share, (index + 1) * share)

    def part(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor[own]

    bias = call.bias
    if bias is not None and type(bias) is Bias and bias.tensor.shape[0] == whole:
        bias = Bias(bias.tensor[own])
    return replace(call, q=part(call.q), k=part(call.k), probabilities=part(call.probabilities), bias=bias)
