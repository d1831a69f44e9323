"""Model + Image -> Trace: one forward pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from vitviz.attention.altering import ablated, check
from vitviz.attention.calls import Captured
from vitviz.attention.capture import capture
from vitviz.attention.failures import failure
from vitviz.attention.placing import place_of
from vitviz.attention.traced import Trace
from vitviz.attention.values import Ablation
from vitviz.errors import AttentionError
from vitviz.images import Image
from vitviz.models.logits import logits_of
from vitviz.models.model import Model, check_inputs

__all__ = ["Trace", "trace", "trace_of"]


def trace(
    model: Model,
    image: Image,
    *,
    ablation: Ablation | None = None,
    plain: Trace | None = None,
    features: bool = True,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> Trace:
    """Run the model once on a picture and keep what is needed to see any attention row of it.

    Args:
        model: as load_model gives it.
        image: as read_image gives it.
        ablation: heads to switch off; everything in the trace is then of the model without them, and
            means, maxima and rollout are over the heads that are left.
        plain: a trace of the same model and picture, which spares the pass that an ablation needs to know the layers.
        features: keep the tokens that every block gives on, as `Trace.features` shows them; they are references, and
            take about half the memory of q and k.
        progress: called with (fraction, text) at every layer.
        cancel: asked at every module; True raises Cancelled.

    Raises:
        AttentionError: the model has no attention between tokens, or none that can be seen.
        ModelError: the pass failed, for example for want of memory.
    """
    check_inputs(model, image)
    if not ablation:
        return _trace(model, image, features, progress, cancel)
    if plain is None:
        plain = _trace(model, image, False, lambda fraction, text: progress(fraction and fraction / 2, text), cancel)
    check(ablation, plain.layers, model.name)
    with ablated(model.module, plain.layers, ablation):
        seen = _trace(model, image, features, progress, cancel)
    for layer in seen.layers:
        layer.off = ablation.of(layer.index)
    before = plain.logits if plain.plain_logits is None else plain.plain_logits
    return replace(seen, ablation=ablation, plain_logits=before)


def _trace(
    model: Model,
    image: Image,
    features: bool,
    progress: Callable[[float | None, str], None],
    cancel: Callable[[], bool],
) -> Trace:
    progress(0.0, f"Preparing {image.name}")
    start = time.perf_counter()
    try:
        captured = capture(
            model.module,
            model.on_device(model.preprocess(image)),
            features=features,
            progress=lambda f, number: progress(f, f"Computing layer {number}"),
            cancel=cancel,
        )
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        raise failure(model, error) from error
    return trace_of(model, image, captured, time.perf_counter() - start)


def trace_of(model: Model, image: Image, captured: Captured, seconds: float) -> Trace:
    """What a pass left as a Trace; AttentionError where there is no attention in it that can be shown."""
    layers, gaps = place_of(model, captured)
    for layer in layers:
        layer.error = None if layer.call.error is None else float(layer.call.error)
    if not any(layer.kind != "pool" for layer in layers):
        raise AttentionError(_nothing(model, gaps, bool(captured.calls)))
    return Trace(
        layers=tuple(layers),
        logits=logits_of(captured.output, model.module),
        labels=model.labels,
        view=model.view(image),
        image_name=image.name,
        model_name=model.name,
        prefix_tokens=layers[0].prefix_tokens if layers[0].kind != "window" else model.prefix_tokens,
        default_query=model.default_query,
        gaps=tuple(gaps),
        seconds=seconds,
        device=model.device.name,
        model=model,
        image=image,
    )


def _nothing(model: Model, gaps: list[str], called: bool) -> str:
    if not gaps and not called:
        return (
            f"{model.name} made no attention call on its way through: it is no transformer, or hides its attention. "
            "Open a ViT or Swin."
        )
    return f"{model.name} has no attention between tokens that can be shown ({'; '.join(gaps[:2]) or 'a pool only'})."
