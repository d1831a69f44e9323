"""What the prediction owes to every head: the change of the target logit when the head is switched off.

Single-head ablation as in Michel, Levy and Neubig 2019, "Are sixteen heads really better than one?"
(arXiv 1905.10650), for one picture and one class.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from vitviz.attention.altering import ablated, altered
from vitviz.attention.classes import class_named
from vitviz.attention.layer import Layer
from vitviz.attention.passes import Passes, batch_size, view_tensor
from vitviz.attention.trace import Trace, trace
from vitviz.attention.values import AblateTo, Ablation
from vitviz.images import Image
from vitviz.models.model import Model


def head_ablation(
    model: Model,
    image: Image,
    target: int | str | None = None,
    *,
    to: AblateTo = "zero",
    seen: Trace | None = None,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> np.ndarray:
    """The change of the target logit when one head is switched off, for every head of every layer.

    One pass a layer, its heads in the batch (in several where the batch would take more than 512 MiB).

    Args:
        model: with classes.
        image: the picture.
        target: number or name of the class; None is the most probable one.
        to: what the head gives instead of its output, "zero" or its "mean" over the tokens.
        seen: a trace of this model and picture, which spares a pass; the heads that were off in it are off here too.
        progress: called with (fraction, text).
        cancel: asked at every module; True raises Cancelled.

    Returns:
        (L, H_max) float32, logit without the head minus logit with it; NaN where a layer has fewer heads.

    Raises:
        AttentionError: the model has no classes, or not this one.
        ModelError: there is not enough memory even for one head at a time.
    """
    Ablation(to=to)  # refuses an unknown word before any work
    if seen is None:
        seen = trace(model, image, progress=lambda _, text: progress(0.0, text), cancel=cancel)
    target = class_named(seen, target)
    view = view_tensor(model, image)
    changes = np.full((len(seen.layers), max(layer.num_heads for layer in seen.layers)), np.nan, dtype=np.float32)
    total = sum(layer.num_heads for layer in seen.layers)
    done = 0
    passes = Passes(model, batch_size(seen.layers), cancel)

    def without(layer: Layer, heads: range) -> np.ndarray:
        progress((done + heads.start) / total, f"Layer {layer.index}, {layer.num_heads} heads: one off at a time")
        cuts = {layer.index: [(head,) for head in heads]}
        with ablated(model.module, seen.layers, seen.ablation), altered(model.module, seen.layers, cuts, to):
            return passes.run(view.expand(len(heads), *view.shape[1:]))

    for layer in seen.layers:
        logits = passes.in_batches(layer.num_heads, partial(without, layer))
        changes[layer.index, : layer.num_heads] = logits[:, target] - seen.logits[target]
        done += layer.num_heads
    progress(1.0, "Done")
    return changes


def changes_csv(changes: np.ndarray, seen: Trace, target: int, to: AblateTo) -> str:
    """A row for every layer and a column for every head, a comment line with class, model and picture above them.

    `changes` (L, H_max) is what head_ablation gives for the class and way `to` switch off; a head that a layer has not
    is empty.
    """
    how = "set to zero" if to == "zero" else "set to its mean over the tokens"
    model = f"{seen.model_name} {seen.without}".strip()
    lines = [
        f"# change of the logit of {seen.label(target)} ({seen.logits[target]:.4f}) when one head is {how}, "
        f"{model}, {seen.image_name}",
        "layer," + ",".join(f"head {head}" for head in range(changes.shape[1])),
    ]
    for layer, row in zip(seen.layers, changes, strict=True):
        numbers = [
            f"{round(float(value), 6) + 0.0:.6f}" if head < layer.num_heads else "" for head, value in enumerate(row)
        ]
        lines.append(f"{layer.index}," + ",".join(numbers))
    return "\n".join(lines) + "\n"
