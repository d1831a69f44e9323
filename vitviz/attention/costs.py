"""What a model costs on this device, measured and counted, and how that grows with patch size and resolution.

A ViT's attention grows with the square of its N tokens, a Swin's with N M^2 for windows of M x M (Liu et al. 2021,
arXiv 2103.14030, equations 1 and 2).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch

from vitviz.attention.trace import Trace
from vitviz.errors import Cancelled, ModelError
from vitviz.images import Image
from vitviz.models.cost import Flops, flops_of
from vitviz.models.hooks import in_eval
from vitviz.models.model import Model
from vitviz.models.peak import watched

RUNS = 5
_ENOUGH = 4.0  # seconds; a slow model is timed less often, three times at least
_AT_LEAST = 0.25  # seconds; a quick one more often, up to five times as often


@dataclass(frozen=True, slots=True)
class Scaling:
    """How the operations of a pass grow: each part as it was counted at `patches` patches and `pixels` pixels.

    Attributes:
        attention, linear, embedding, head: operations on attention, on every token, on pixels, and once.
        prefix: tokens that are no patch.
        quadratic: whether attention grows with the square of the tokens (ViT) or, within windows, with them (Swin).
    """

    attention: float
    linear: float
    embedding: float
    head: float
    patches: int
    pixels: int
    prefix: int
    quadratic: bool

    def at(self, patches: float, pixels: float) -> float:
        """Operations of a pass with so many patches and pixels; exact for a ViT, for a Swin but for its padding."""
        tokens = (patches + self.prefix) / (self.patches + self.prefix)
        grown = self.attention * (tokens**2 if self.quadratic else tokens)
        return grown + self.linear * tokens + self.embedding * pixels / self.pixels + self.head


@dataclass(frozen=True, slots=True, eq=False)
class Cost:
    """What one model costs on one picture.

    Attributes:
        tokens: tokens of the first layer, prefix tokens included; `grid` its patches (rows, columns).
        flops: operations of a pass (a multiplication and an addition are two); None where they can't be counted.
        attention: the share of them in the products q k^T and A v.
        seconds: median wall time of `runs` plain passes on this device; preprocessing is not in it.
        forward_bytes: memory of a plain pass beside the weights; `trace_bytes` what the trace keeps for looking.
        parameters: of the model.
        top: the most probable classes, (label, probability).
        scaling: None where operations can't be counted.
        times: seconds of each of the passes, in their order.
    """

    name: str
    view: tuple[int, int]
    patch: tuple[float, float]
    tokens: int
    grid: tuple[int, int]
    flops: int | None
    attention: float | None
    seconds: float
    runs: int
    forward_bytes: int
    trace_bytes: int
    parameters: int
    device: str
    precision: str
    top: tuple[tuple[str, float], ...] = field(default=(), repr=False)
    scaling: Scaling | None = None
    times: tuple[float, ...] = field(default=(), repr=False)

    @property
    def spread(self) -> tuple[float, float] | None:
        """Seconds of the fastest and the slowest pass; None for a single one, which has none."""
        return (min(self.times), max(self.times)) if len(self.times) > 1 else None


def measure_in_turns(
    every: Sequence[tuple[Model, Image, Trace]],
    *,
    runs: int = RUNS,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> list[Cost]:
    """`measure` for several models, their timed passes taking turns: what slows the machine meets them all alike."""
    costs = []
    for i, (model, image, seen) in enumerate(every):
        progress(0.5 * i / len(every), f"Measuring {model.name}")
        costs.append(measure(model, image, seen, runs=1, cancel=cancel))
    subjects = [(model, image, cost) for (model, image, _), cost in zip(every, costs, strict=True)]
    return time_in_turns(subjects, runs=runs, progress=progress, cancel=cancel)


def time_in_turns(
    every: Sequence[tuple[Model, Image, Cost]],
    *,
    runs: int = RUNS,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> list[Cost]:
    """The costs of several models with new times, of passes that take turns: the first of each, the second of each.

    `runs`, `progress` and `cancel` as in `measure`; all models are timed equally often. Raises ModelError where a pass
    fails.
    """
    if not every:
        return []
    times: list[list[float]] = [[] for _ in every]
    text = f"Timing {len(every)} models in turns" if len(every) > 1 else f"Timing {every[0][0].name}"
    name = ""
    try:
        passes = [_pass_of(model, image) for model, image, _ in every]
        with torch.inference_mode():
            while (done := len(times[0])) < runs or (done < 5 * runs and max(sum(each) for each in times) < _AT_LEAST):
                for (module, view), each, (model, _, _) in zip(passes, times, every, strict=True):
                    name = model.name
                    if cancel():
                        raise Cancelled(f"Timing {name} was cancelled.")
                    progress(min(0.99, 0.5 + 0.5 * done / runs), text)
                    each.append(_timed(module, view))
                if done >= 2 and max(sum(each) for each in times) > _ENOUGH:
                    break
    except RuntimeError as error:
        raise ModelError(f"{name} could not be timed: {str(error)[:200]}.") from error
    return [
        replace(cost, seconds=statistics.median(each), runs=len(each), times=tuple(each))
        for (_, _, cost), each in zip(every, times, strict=True)
    ]


def measure(
    model: Model,
    image: Image,
    trace: Trace,
    *,
    runs: int = RUNS,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> Cost:
    """Count and measure what a model costs on a picture.

    Args:
        model, image: as they were traced.
        trace: what the traced pass left; also the warm-up of the timing.
        runs: plain passes that are timed; more where they are quick, fewer where they are slow.
        progress: called with (fraction, text).
        cancel: asked between the passes; True raises Cancelled.

    Raises ModelError where a pass fails, for example for want of memory.
    """

    def step(fraction: float, text: str) -> None:
        if cancel():
            raise Cancelled(f"Measuring {model.name} was cancelled.")
        progress(fraction, text)

    step(0.0, f"Counting operations of {model.name}")
    size = model.preprocessing.input_size
    counted = flops_of(model.module, size, model.preprocessing.channels)
    step(0.2, f"Timing {model.name}")
    _, view = _pass_of(model, image)
    device = view.device
    times: list[float] = []
    try:
        with torch.inference_mode(), in_eval(model.module):
            with watched(model.module, device) as peak:
                model.module(view)
            while len(times) < runs or (sum(times) < _AT_LEAST and len(times) < 5 * runs):
                step(min(0.99, 0.3 + 0.7 * len(times) / runs), f"Timing {model.name}, pass {len(times) + 1}")
                times.append(_timed(model.module, view))
                if len(times) >= 3 and sum(times) > _ENOUGH:
                    break
    except RuntimeError as error:
        raise ModelError(f"{model.name} could not be timed: {str(error)[:200]}.") from error
    first = trace.layers[0]
    return Cost(
        name=model.name,
        view=size,
        patch=first.query_grid.stride,
        tokens=first.query_grid.size + first.num_prefix_tokens,
        grid=first.query_grid.shape,
        flops=None if counted is None else counted.total,
        attention=None if counted is None else counted.attention / counted.total,
        seconds=statistics.median(times),
        runs=len(times),
        forward_bytes=peak.bytes,
        trace_bytes=trace.bytes,
        parameters=model.parameters,
        device=model.device.title,
        precision=model.precision,
        top=tuple(trace.top_k(5)),
        scaling=None if counted is None else _scaling_of(counted, trace, size),
        times=tuple(times),
    )


def _scaling_of(counted: Flops, trace: Trace, size: tuple[int, int]) -> Scaling:
    """How the operations grow from those that were counted on a view of this size."""
    first = trace.layers[0]
    linear = counted.total - counted.attention - counted.pixels - counted.head
    within = all(layer.windows is not None for layer in trace.layers if layer.kind != "pool")
    return Scaling(
        attention=counted.attention,
        linear=linear,
        embedding=counted.pixels,
        head=counted.head,
        patches=first.query_grid.size,
        pixels=size[0] * size[1],
        prefix=first.num_prefix_tokens,
        quadratic=not within,
    )


def _pass_of(model: Model, image: Image) -> tuple[torch.nn.Module, torch.Tensor]:
    """The network and its input (1, C, H, W), where and in what precision it runs."""
    return model.module, model.on_device(model.preprocess(image))


def _timed(module: torch.nn.Module, view: torch.Tensor) -> float:
    _synchronise(view.device)
    start = time.perf_counter()
    module(view)
    _synchronise(view.device)
    return time.perf_counter() - start


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
