"""Many passes through a model in batches that fit into memory: what ablation and faithfulness are computed with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from vitviz.attention.failures import failure
from vitviz.attention.layer import Layer
from vitviz.attention.watching import watched
from vitviz.images import Image
from vitviz.models.model import Model, check_inputs

_BUDGET = 512 * 2**20  # bytes for what one batch holds at a time
_ALIVE = 16  # tensors as large as q that a block holds at once: qkv, the MLP's four widths twice, the residual


class Passes:
    """Runs a model on batches of views; the batches get smaller where memory runs short or a network takes but one.

    Args:
        size: how many views a batch may have at first.
        cancel: asked at every module; True raises Cancelled.
    """

    def __init__(self, model: Model, size: int, cancel: Callable[[], bool]) -> None:
        self._model, self._size, self._cancel = model, size, cancel

    def run(self, views: Tensor) -> np.ndarray:
        """The logits (B, K) float32 of a batch of views (B, C, h, w)."""
        with torch.inference_mode(), watched(self._model.module, self._cancel):
            output = self._model.module(views)
        if not isinstance(output, Tensor) or output.dim() != 2 or len(output) != len(views):
            raise RuntimeError(f"{len(views)} views gave no {len(views)} rows of logits")
        logits: np.ndarray = output.float().cpu().numpy()
        return logits

    def in_batches(self, count: int, logits_of: Callable[[range], np.ndarray]) -> np.ndarray:
        """The logits (count, K) of numbered passes, given a function that runs some of them at once.

        Raises ModelError where even a single pass fails.
        """
        found: list[np.ndarray] = []
        start = 0
        while start < count:
            part = range(start, min(start + self._size, count))
            try:
                found.append(logits_of(part))
            except RuntimeError as error:
                if len(part) == 1:
                    raise failure(self._model, error) from error
                # A network written by hand may take one picture at a time, and then fails in any way.
                self._size = len(part) // 2 if isinstance(error, torch.OutOfMemoryError) else 1
                continue
            start = part.stop
        return np.concatenate(found)


def view_tensor(model: Model, image: Image) -> Tensor:
    """The view (1, C, h, w) on the model's device and in its precision."""
    check_inputs(model, image)
    return model.on_device(model.preprocess(image))


def batch_size(layers: Sequence[Layer], budget: int = _BUDGET) -> int:
    """How many pictures may go through the model at once, from what its attention calls were given in a trace."""

    def held(layer: Layer) -> int:
        call = layer.call
        if call.q is not None:
            return _ALIVE * call.q.numel() * call.q.element_size()
        assert call.probabilities is not None  # the softmax, its input, and the masked scores before it
        return 4 * call.probabilities.numel() * call.probabilities.element_size()

    return int(max(1, min(64, budget // max(held(layer) for layer in layers))))
