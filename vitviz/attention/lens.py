"""The logit lens: the model's own norm, pooling and head on the tokens of every layer.

nostalgebraist 2020, "interpreting GPT: the logit lens"; for vision transformers Vilas et al. 2023 (arXiv 2310.18969).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vitviz.attention.layer import Layer
from vitviz.attention.sequence import Layout, layout_of, tokens_of_layer
from vitviz.attention.trace import Trace
from vitviz.errors import AttentionError, Cancelled, in_one_line
from vitviz.models.hooks import in_eval
from vitviz.models.layout import Grid
from vitviz.models.logits import label_of, probabilities_of
from vitviz.models.model import Model

_CHUNK_BYTES = 64 * 2**20
_TOP = 5
Readout = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class LayerLens:
    """What the model would say, read from the tokens of one layer.

    Attributes:
        classes: (gh, gw, k) int64, the most probable classes of every patch, read as though all tokens were that one.
        probabilities: (gh, gw, k) float32 of these.
        logits: (K,) float32, of the whole sequence read as the model reads its last layer.
    """

    classes: np.ndarray = field(repr=False)
    probabilities: np.ndarray = field(repr=False)
    logits: np.ndarray = field(repr=False)
    layer: int
    grid: Grid


@dataclass(frozen=True, slots=True, eq=False)
class LogitLens:
    """The lens on every layer.

    Attributes:
        layers: None where a layer can't be read.
        reasons: why, as a sentence; empty where it can.
        probabilities: (L, K) float32, the sequence of each layer read as the model reads its last one: for a model with
            a class token this is the class token through norm and head. NaN where a layer can't be read.
        labels: names of the classes.
        error: max |logits read from the last layer - logits of the model|.
    """

    layers: tuple[LayerLens | None, ...] = field(repr=False)
    reasons: tuple[str, ...] = field(repr=False)
    probabilities: np.ndarray = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)
    error: float

    def label(self, index: int) -> str:
        """The name of a class, "class 17" where none is known."""
        return label_of(self.labels, index)


@torch.inference_mode()
def logit_lens(
    model: Model,
    trace: Trace,
    *,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> LogitLens:
    """Read every layer's tokens with the model's own norm, pooling and head.

    A patch is read as though every token of the sequence were that patch's: a class token's place, the mean, a pool and
    a distillation head then all see it.

    Args:
        model: that the trace was made with.
        trace: with its features.
        progress: called with (fraction, text) at every layer; cancel: asked there, True raises Cancelled.

    Raises:
        AttentionError: the model has no classes, its last layer's tokens were not kept, or reading them does not give
            the model's own logits, so that what it reads otherwise is not known.
    """
    if trace.logits.size < 2:
        raise AttentionError(f"{trace.model_name} has no classes that its tokens could be read as.")
    placed = [layer for layer in trace.layers if layer.kind != "pool"]
    last = placed[-1]
    tokens, layout = layout_of(last)
    read = _readout(model.module, trace.model_name)

    def quietly(x: Tensor) -> Tensor:
        with in_eval(model.module):
            return read(x)

    readout, error = _proven(quietly, tokens, layout, trace)
    found: list[LayerLens | None] = []
    reasons: list[str] = []
    for layer in trace.layers:
        if cancel():
            raise Cancelled("The logit lens was cancelled.")
        progress(layer.index / len(trace.layers), f"Logit lens, layer {layer.index}")
        try:
            found.append(_read(readout, layer, last, layout))
            reasons.append("")
        except AttentionError as refusal:
            found.append(None)
            reasons.append(str(refusal))
    nothing = np.full(trace.logits.size, np.nan, dtype=np.float32)
    shares = [nothing if each is None else probabilities_of(each.logits) for each in found]
    return LogitLens(tuple(found), tuple(reasons), np.stack(shares), trace.labels, error)


def _readout(module: Any, name: str) -> Readout:
    """What the model does with the tokens of its last block, (B, ...) as the model lays them out, to logits (B, K)."""
    if hasattr(module, "forward_head"):  # timm
        norm = module.norm if isinstance(getattr(module, "norm", None), nn.Module) else nn.Identity()
        return lambda x: _tensor(module.forward_head(norm(x)))
    if hasattr(module, "heads") and hasattr(getattr(module, "encoder", None), "ln"):  # torchvision's ViT
        return lambda x: _tensor(module.heads(module.encoder.ln(x)[:, 0]))
    if all(hasattr(module, part) for part in ("norm", "permute", "avgpool", "flatten", "head")):  # torchvision's Swin
        return lambda x: _tensor(module.head(module.flatten(module.avgpool(module.permute(module.norm(x))))))
    raise AttentionError(
        f"How {name} reads its last tokens is not known (no forward_head as in timm): the logit lens needs that."
    )


def _proven(readout: Readout, tokens: Tensor, layout: Layout, trace: Trace) -> tuple[Readout, float]:
    """The readout for tokens as the blocks lay them out, and how far the last layer's, read so, are from the logits."""
    ways: list[Readout] = [readout]
    # Some networks turn the grid between block and head.
    if layout == "NHWC":
        ways.append(lambda x: readout(x.movedim(-1, 1)))
    elif layout == "NCHW":
        ways.append(lambda x: readout(x.movedim(1, -1)))
    reason = (
        f"The head of {trace.model_name} on the tokens of its last layer does not give the model's logits: something "
        "else lies between, so other layers can't be read with it."
    )
    most = (1e-3 if tokens.dtype == torch.float32 else 0.1) * max(1.0, float(np.abs(trace.logits).max()))
    for way in ways:
        try:
            logits = way(tokens)[0].float().cpu().numpy()
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            reason = (
                f"The head of {trace.model_name} can't be put on the tokens of its last layer: {in_one_line(error)}"
            )
            continue
        if logits.shape == trace.logits.shape and (off := float(np.abs(logits - trace.logits).max())) <= most:
            return way, off
    raise AttentionError(reason)


def _read(readout: Readout, layer: Layer, last: Layer, layout: Layout) -> LayerLens:
    tokens, here = layout_of(layer)
    sequence, width = tokens_of_layer(layer), tokens_of_layer(last).shape[-1]
    if here != layout or sequence.shape[-1] != width:
        raise AttentionError(
            f"The tokens of layer {layer.index} are {sequence.shape[-1]} wide; the head reads {width}: only the last "
            "stage can be read."
        )
    try:
        whole = readout(tokens)[0].float().cpu().numpy()
        classes, probabilities = _patches(readout, layer, sequence[layer.num_prefix_tokens :], layout, whole.size)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise AttentionError(
            f"The head can't be put on single tokens of layer {layer.index}: {in_one_line(error)}"
        ) from error
    shape = layer.query_grid.shape
    return LayerLens(
        classes.reshape(*shape, -1), probabilities.reshape(*shape, -1), whole, layer.index, layer.query_grid
    )


def _patches(
    readout: Readout, layer: Layer, patches: Tensor, layout: Layout, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The most probable classes of every patch, and their probabilities, each (n, k)."""
    step = max(1, _CHUNK_BYTES // (4 * count))
    classes, shares = [], []
    for start in range(0, len(patches), step):
        some = patches[start : start + step]
        if layout == "NLC":
            alone = some.unsqueeze(1).expand(-1, layer.num_prefix_tokens + 1, -1)
        elif layout == "NHWC":
            alone = some[:, None, None, :]
        elif layout == "NCHW":
            alone = some[:, :, None, None]
        else:
            raise AttentionError("Tokens that come before the batch are not read one by one.")
        best = readout(alone).float().softmax(-1).topk(min(_TOP, count), dim=-1)
        classes.append(best.indices.cpu().numpy())
        shares.append(best.values.cpu().numpy())
    return np.concatenate(classes), np.concatenate(shares)


def _tensor(output: Any) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]
