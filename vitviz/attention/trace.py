"""Model + Image -> Trace: one forward pass, and any row of any head on demand."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from vitviz.attention.altering import ablated, check
from vitviz.attention.calls import Captured
from vitviz.attention.capture import capture
from vitviz.attention.layer import Layer
from vitviz.attention.placing import place
from vitviz.attention.sequence import tokens_of_layer
from vitviz.attention.values import Ablation, head_name
from vitviz.checks import whole
from vitviz.errors import AttentionError, Cancelled, ModelError
from vitviz.images import Image, View
from vitviz.models.model import Model, check_inputs, patch_size_of


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What one forward pass left.

    Attributes:
        layers: the attention layers, 0 nearest the image.
        logits: (K,) float32, empty where the model has no classes.
        labels: names of the classes.
        view: where the model's view lies in the picture.
        prefix_tokens: names of the tokens before the patches.
        default_query: "cls" or "mean".
        gaps: a sentence on each attention call that can't be shown.
        seconds: wall time of the pass.
        ablation: the heads that were switched off during the pass.
        plain_logits: what the model gives with all heads on; None where none was off.
        model, image: what was traced.
    """

    layers: tuple[Layer, ...]
    logits: np.ndarray = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)
    view: View
    image_name: str
    model_name: str
    prefix_tokens: tuple[str, ...]
    default_query: str
    gaps: tuple[str, ...]
    seconds: float
    device: str
    ablation: Ablation = field(default_factory=Ablation)
    plain_logits: np.ndarray | None = field(default=None, repr=False)
    model: Model | None = field(default=None, repr=False)
    image: Image | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        of = f"{self.model_name} {self.without}".strip()
        return f"<Trace of {self.image_name} through {of}: {len(self.layers)} layers on {self.device}>"

    @property
    def bytes(self) -> int:
        """Memory that the trace keeps on its device."""
        # Several layers of one block have its tokens in common.
        tokens = {id(layer.call.tokens): layer.call.tokens for layer in self.layers}
        kept = sum(t.numel() * t.element_size() for t in tokens.values() if t is not None)
        return sum(layer.bytes for layer in self.layers) + kept

    def features(self, layer: int) -> np.ndarray:
        """What the block around attention layer `layer` gave on: (N, D) float32, tokens in the order of the sequence.

        Raises AttentionError where the model has no such block around the layer, or the trace was made without.
        """
        found: np.ndarray = tokens_of_layer(self.layer(layer)).float().cpu().numpy()
        return found

    @property
    def without(self) -> str:
        """ "without L3 H0, L5": the heads that are off, a layer alone where all of its heads are; or ""."""
        parts: list[str] = []
        for layer in self.layers:
            off = self.ablation.of(layer.index)
            named = [head_name(layer.index, head) for head in off]
            parts += [f"L{layer.index}"] if len(off) == layer.num_heads else named
        if not parts:
            return ""
        first = ", ".join(parts[:8]) + (f", … ({len(self.ablation.heads)} heads)" if len(parts) > 8 else "")
        return f"without {first}" + (" (set to their mean)" if self.ablation.to == "mean" else "")

    @property
    def error(self) -> float | None:
        """The largest max |A v - output| of all layers; None where no layer's values were seen."""
        return max((layer.error for layer in self.layers if layer.error is not None), default=None)

    def layer(self, index: int) -> Layer:
        """Layer `index`, -1 the last one; AttentionError where there is none."""
        index = whole(index, "The layer", AttentionError)
        if not -len(self.layers) <= index < len(self.layers):
            raise AttentionError(
                f"There is no layer {index}: {self.model_name} has layers 0 to {len(self.layers) - 1}."
            )
        return self.layers[index]

    def weights(
        self, layer: int, heads: int | Sequence[int] | None = None, queries: int | Sequence[int] | None = None
    ) -> np.ndarray:
        """Attention weights (heads, queries, N) float32; rows sum to 1.

        Args:
            layer: index of the layer; -1 is the last one.
            heads, queries: indices from 0 (token indices in the order of the sequence), all of them where None.
        In windowed layers tokens are in grid order, with 0 outside the window of the query.
        """
        found = self.layer(layer)
        device = found.device
        chosen = None if heads is None else torch.tensor(_indices(heads, found.num_heads, "head"), device=device)
        rows = range(found.num_queries) if queries is None else _indices(queries, found.num_queries, "query")
        result: np.ndarray = found.rows(chosen, torch.tensor(list(rows), device=device)).cpu().numpy()
        return result

    @property
    def probabilities(self) -> np.ndarray:
        """(K,) float32 that sum to 1; empty where the model has fewer than two classes."""
        return _shares(self.logits)

    def top_k(self, k: int = 5) -> list[tuple[str, float]]:
        """The k most probable classes as (label, probability), empty where the model has no classes."""
        shares = self.probabilities
        k = _count(k)
        return [(self.label(int(i)), float(shares[i])) for i in np.argsort(-shares)[:k]]

    def top_changes(self, k: int = 5) -> list[tuple[str, float, float]]:
        """(label, probability with all heads on, probability) of the k most probable classes, the first from before
        among them; empty where no head is off or the model has no classes."""
        if self.plain_logits is None:
            return []
        before, after = _shares(self.plain_logits), self.probabilities
        best = [int(i) for i in np.argsort(-after)[: _count(k)]]
        if best and (first := int(np.argmax(before))) not in best:
            best[-1] = first
        return [(self.label(i), float(before[i]), float(after[i])) for i in best]

    def label(self, index: int) -> str:
        """The name of class `index`, "class 17" where none is known."""
        return self.labels[index] if index < len(self.labels) else f"class {index}"


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
    dtype = next((p.dtype for p in model.module.parameters()), torch.float32)
    start = time.perf_counter()
    try:
        view = model.preprocess(image).to(device=model.device.name, dtype=dtype)
        captured = capture(
            model.module,
            view,
            features=features,
            progress=lambda f, number: progress(f, f"Computing layer {number}"),
            cancel=cancel,
        )
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{model.device.title} has not enough memory for {model.name} on a view of "
            f"{view_text(model)}: choose a smaller view, half precision or the CPU."
        ) from error
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        if isinstance(error, Cancelled):
            raise
        raise ModelError(f"{model.name} failed on a view of {view_text(model)}: {_line(error)}") from error
    return trace_of(model, image, captured, time.perf_counter() - start)


def trace_of(model: Model, image: Image, captured: Captured, seconds: float) -> Trace:
    """What a pass left as a Trace; AttentionError where there is no attention in it that can be shown."""
    logits = _logits(captured.output, getattr(model.module, "num_classes", None))
    known = isinstance(getattr(model.module, "num_prefix_tokens", None), int)
    size, patch = model.preprocessing.input_size, patch_size_of(model.module)
    layers, gaps = place(captured, size, model.prefix_tokens, known, patch)
    for layer in layers:
        layer.error = None if layer.call.error is None else float(layer.call.error)
    if not any(layer.kind != "pool" for layer in layers):
        raise AttentionError(_nothing(model, gaps, bool(captured.calls)))
    return Trace(
        layers=tuple(layers),
        logits=logits,
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


def view_text(model: Model) -> str:
    """The size of the model's view in words, "224 x 320 px"."""
    height, width = model.preprocessing.input_size
    return f"{height} x {width} px"


def _nothing(model: Model, gaps: list[str], called: bool) -> str:
    if not gaps and not called:
        return (
            f"{model.name} made no attention call on its way through: it is no transformer, or hides its attention. "
            "Open a ViT or Swin."
        )
    return f"{model.name} has no attention between tokens that can be shown ({'; '.join(gaps[:2]) or 'a pool only'})."


def _logits(output: object, num_classes: object) -> np.ndarray:
    # Without a classifier timm's models return their features, which are no logits.
    if num_classes == 0 or not isinstance(output, torch.Tensor) or output.dim() != 2:
        return np.empty(0, dtype=np.float32)
    logits: np.ndarray = output[0].float().cpu().numpy()
    return logits


def _shares(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits (K,); of a single logit none."""
    if logits.size < 2:
        return np.empty(0, dtype=np.float32)
    powers = np.exp(logits - logits.max())
    shares: np.ndarray = powers / powers.sum()
    return shares


def _indices(chosen: int | Sequence[int], count: int, what: str) -> list[int]:
    found = [
        whole(i, f"A {what}", AttentionError, "numbers from 0") for i in np.atleast_1d(np.asarray(chosen, dtype=object))
    ]
    for index in found:
        if not 0 <= index < count:
            raise AttentionError(f"There is no {what} {index}: this layer has {count}, numbered from 0.")
    return found


def _count(k: Any) -> int:
    count = whole(k, "The number of classes", AttentionError)
    if count < 0:
        raise AttentionError(f"{count} classes were asked for: give 0 or more.")
    return count


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:300] or type(error).__name__
