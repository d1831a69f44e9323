"""What one forward pass left: any row of any head on demand, and what the network said of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from vitviz.attention.layer import Layer
from vitviz.attention.sequence import tokens_of_layer
from vitviz.attention.values import Ablation, head_name
from vitviz.checks import whole
from vitviz.errors import AttentionError
from vitviz.images import Image, View
from vitviz.models.logits import label_of, probabilities_of
from vitviz.models.model import Model


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
        chosen = None if heads is None else _long(_indices(heads, found.num_heads, "head"), device)
        rows = range(found.num_queries) if queries is None else _indices(queries, found.num_queries, "query")
        result: np.ndarray = found.rows(chosen, _long(rows, device)).cpu().numpy()
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
        return label_of(self.labels, index)


def _shares(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits (K,); of a single logit none."""
    return probabilities_of(logits) if logits.size > 1 else np.empty(0, dtype=np.float32)


def _long(indices: Sequence[int], device: torch.device) -> torch.Tensor:
    return torch.tensor(list(indices), dtype=torch.long, device=device)  # also where there are none


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
