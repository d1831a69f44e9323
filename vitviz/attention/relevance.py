"""Gradient methods: which patches a class was decided by.

`relevance`: Chefer, Gur, Wolf, ICCV 2021 (arXiv 2103.15679). `gradient rollout`: the same product with the clamp after
the mean, each layer with its own gradient. `attention grad-cam`: the last layer's heads weighted by their mean
gradient. `token grad-cam`: Selvaraju et al. 2017 (arXiv 1610.02391) on the tokens. y is the raw logit of the class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vitviz.attention.altering import as_in
from vitviz.attention.classes import class_of
from vitviz.attention.explaining import PER_LAYER, LastLayer, Walk, map_of_values
from vitviz.attention.features import token_grad_cam
from vitviz.attention.graded import Graph, frozen, graded_pass
from vitviz.attention.layer import Layer
from vitviz.attention.memory import check_room
from vitviz.attention.placing import place_of
from vitviz.attention.rollout import left_out
from vitviz.attention.trace import Trace
from vitviz.attention.values import Ablation, Map, Method, Selection
from vitviz.errors import AttentionError, Cancelled, ModelError, in_one_line
from vitviz.images import Image
from vitviz.models.model import Model, check_inputs

GRADIENT_METHODS: tuple[Method, ...] = ("relevance", "gradient rollout", "attention grad-cam", "token grad-cam")


def relevance(
    model: Model,
    image: Image,
    target: int | str | None = None,
    method: Method = "relevance",
    *,
    seen: Trace | None = None,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> Map:
    """What a class was decided by, in one forward and one backward pass.

    The map is of the tokens that the output is made from: the class token's row, for pooled models the mean over the
    patches, for models with an attention pool the pool's row. In Swin the windows are blocks of the matrices, and a
    patch that was merged gives an equal share to each of those that it was merged from, as in rollout.

    Args:
        model: as load_model gives it.
        image: as read_image gives it.
        target: number or name of a class (whole, or a part that no other has); the most probable one where None.
        method: "relevance", "gradient rollout", "attention grad-cam" or "token grad-cam".
        seen: a trace; where heads were switched off in it, they are here too.
        progress, cancel: told and asked on the way forth and back; the memory needed is said first.

    Raises:
        AttentionError: the model has no classes, not this one, or the method is not defined for it.
        ModelError: the pass failed, or would need more memory than there is; in numbers.
    """
    if method not in GRADIENT_METHODS:
        raise AttentionError(f"{method!r} is no gradient method: give one of {', '.join(GRADIENT_METHODS)}.")
    check_inputs(model, image)
    room = check_room(model)
    progress(0.0, f"Gradients of {model.name}: {room}")
    without = seen.without if seen is not None else ""
    view = model.on_device(model.preprocess(image))
    ablation = seen.ablation if seen is not None else Ablation()
    walks: list[Walk | LastLayer] = []

    def tap(call: Any, rows: Tensor | None, weights: Tensor | None, gradient: Tensor | None) -> None:
        if cancel():
            raise Cancelled("The gradients were cancelled.")
        for walk in walks:
            walk.take(call, rows, weights, gradient)

    try:
        with torch.inference_mode(False), torch.enable_grad(), frozen(model.module), as_in(model.module, seen):
            with _said(model):
                graph = graded_pass(
                    model.module,
                    view,
                    tap,
                    progress=lambda f, number: progress(0.5 * f, f"Computing layer {number} · {room}"),
                    cancel=cancel,
                )
            chosen, logit = _target(model, graph.output, target)
            layers = _layers(model, graph, method)
            selection = Selection(layers[-1].index, "mean", _query(model, layers), "from", method, chosen)
            if method == "token grad-cam":
                with _said(model):
                    made = token_grad_cam(model, image, graph, layers, logit, selection)
                return replace(made, ablation=ablation, without=without, note=zero_words(made, ablation, layers))
            walks.append(_walk(model, layers, method, lambda f, name: progress(0.5 + 0.5 * f, f"{name} · {room}")))
            first = graph.inputs[-1] if method == "attention grad-cam" else graph.inputs[0]
            with _said(model):
                torch.autograd.grad(logit, first)
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{model.device.title} has not enough memory for the gradients of {model.name}: choose a smaller view, "
            "the CPU, or rollout, which needs none."
        ) from error
    values, prefix = walks[0].result()
    bottom = layers[0] if method in PER_LAYER else layers[-1]
    made = map_of_values(model, image, selection, bottom, values, prefix)
    note = left_out(layers) if method in PER_LAYER else ""
    return replace(
        made,
        ablation=ablation,
        without=without,
        note=" ".join(filter(None, (note, zero_words(made, ablation, layers)))),
    )


@contextmanager
def _said(model: Model) -> Iterator[None]:
    """What torch says of a pass that fails, as a ModelError; a want of memory is told apart by who calls."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise ModelError(f"The gradients of {model.name} failed: {in_one_line(error)}") from error


def zero_words(shown: Map, ablation: Ablation, layers: Sequence[Layer]) -> str:
    """Says that a map is 0 in every patch, and which layer without heads makes it so; "" where it is not."""
    if shown.values.any():
        return ""
    looked = layers if shown.selection.method in PER_LAYER else layers[-1:]
    empty = [str(layer.index) for layer in looked if len(ablation.of(layer.index)) == layer.num_heads]
    why = f": all heads of layer {', '.join(empty)} are off" if empty else ""
    return f"All zero{why}"


def _target(model: Model, output: Any, target: int | str | None) -> tuple[int, Tensor]:
    no_classes = getattr(model.module, "num_classes", None) == 0
    if no_classes or not isinstance(output, Tensor) or output.dim() != 2 or output.shape[1] < 2:
        raise AttentionError(f"{model.name} has no classes to explain: choose attention or rollout, which need none.")
    logits = output[0].detach().float().cpu().numpy()
    chosen = class_of(target, logits, model.labels, model.name)
    return chosen, output[0, chosen]


def _layers(model: Model, graph: Graph, method: Method) -> list[Layer]:
    """The layers of the pass; for a product of layers they must be all of its calls, or some would be left out."""
    layers, gaps = place_of(model, graph.captured)
    if (gaps and method in PER_LAYER) or not any(layer.kind != "pool" for layer in layers):
        reason = "; ".join(gaps[:2]) or "a pool only"
        raise AttentionError(
            f"{model.name} has attention that {method} can't follow ({reason}): choose another method."
        )
    return layers


def _query(model: Model, layers: list[Layer]) -> str:
    return "pool" if layers[-1].kind == "pool" else model.default_query


def _walk(
    model: Model, layers: list[Layer], method: Method, progress: Callable[[float, str], None]
) -> Walk | LastLayer:
    needed = layers if method in PER_LAYER else layers[-1:]
    for layer in needed:
        if layer.kind == "pooled keys":
            raise AttentionError(
                f"{method} is defined for attention within one grid, and layer {layer.index} ({layer.name}) of "
                f"{model.name} looks at a coarser one than its own: choose token grad-cam, or rollout."
            )
    query = _query(model, layers)
    if method == "attention grad-cam":
        return LastLayer(layers[-1], query)
    return Walk(layers, query, method, progress)
