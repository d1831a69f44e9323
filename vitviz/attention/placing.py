"""Attention calls -> layers: which tokens a call is between, and where in the picture they lie."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

from torch import nn

from vitviz.attention.calls import Call, Captured
from vitviz.attention.layer import Kind, Layer
from vitviz.models.layout import Grid, Windows
from vitviz.models.model import Model, patch_size_of


def place(
    captured: Captured,
    view_size: tuple[int, int],
    prefix_tokens: tuple[str, ...],
    prefix_known: bool,
    patch_size: tuple[int, int] | None = None,
) -> tuple[list[Layer], list[str]]:
    """The layers that can be shown, and a sentence on each call that can't.

    Args:
        captured: the calls of one pass.
        view_size: (h, w) of the model's view in pixels.
        prefix_tokens: names of the tokens before the patches.
        prefix_known: False where the network does not say how many prefix tokens it has.
        patch_size: (h, w) of its patches in pixels of the view, where the network says it.
    """
    layers: list[Layer] = []
    gaps = list(captured.unused)
    stages: list[tuple[int, int]] = []
    for call in captured.calls:
        layer = _layer(call, len(layers), view_size, prefix_tokens, prefix_known, patch_size)
        if isinstance(layer, str):
            gaps.append(f"{call.frame.name or 'the model'}: {layer}")
            continue
        if layer.query_grid.shape not in stages:
            stages.append(layer.query_grid.shape)
        layer.stage = stages.index(layer.query_grid.shape)
        if layer.windows is not None:
            layer.windows = replace(layer.windows, masked=layer.is_masked)
        layers.append(layer)
    _entitle(layers)
    _note_convolutions(layers)
    return layers, gaps


def place_of(model: Model, captured: Captured) -> tuple[list[Layer], list[str]]:
    """`place` for one pass of a model over its own view."""
    known = isinstance(getattr(model.module, "num_prefix_tokens", None), int)
    size, patch = model.preprocessing.input_size, patch_size_of(model.module)
    return place(captured, size, model.prefix_tokens, known, patch)


def _note_convolutions(layers: list[Layer]) -> None:
    """Mark the layers beside which convolutions carry tokens over to their neighbours, as in MaxViT and CoAtNet.

    Those of the patch embedding come before all attention; they lie in modules that all layers share.
    """
    if not layers:
        return
    shared = set.intersection(*({id(frame.module) for frame in layer.call.frames} for layer in layers))
    for layer in layers:
        around = [frame.module for frame in layer.call.frames if id(frame.module) not in shared]
        layer.is_convolved = any(
            isinstance(child, nn.Conv2d) and max(child.kernel_size) > 1
            for child in (around[0].modules() if around else ())
        )


def _entitle(layers: list[Layer]) -> None:
    """Name the layers of networks with stages or windows by stage, block and kind of window: "2.1 shifted"."""
    stages = {layer.stage for layer in layers if layer.kind != "pool"}
    shifted = any(layer.windows is not None and layer.windows.is_shifted for layer in layers)
    if len(stages) < 2 and not any(layer.windows for layer in layers):
        return
    for stage in stages:
        inside = [layer for layer in layers if layer.stage == stage and layer.kind != "pool"]
        for layer, block in zip(inside, _blocks([layer.name for layer in inside]), strict=True):
            words = [f"{stage}.{block}"]
            if layer.windows is not None:
                plain = "regular" if shifted else "window"
                kind = "grid" if layer.windows.kind == "dilated" else plain
                words.append("shifted" if layer.windows.is_shifted else kind)
            layer.title = " ".join(words)


def _blocks(names: list[str]) -> list[int]:
    """The block of each layer of a stage: the last number of its name where these count from 0, else its place."""
    found = [re.findall(r"(?<![^.])\d+(?![^.])", name) for name in names]
    numbers = [int(parts[-1]) if parts else -1 for parts in found]
    steps = {b - a for a, b in pairwise(numbers)}
    return numbers if numbers and numbers[0] == 0 and steps <= {0, 1} else list(range(len(names)))


def _layer(
    call: Call,
    index: int,
    view_size: tuple[int, int],
    prefix_tokens: tuple[str, ...],
    prefix_known: bool,
    patch_size: tuple[int, int] | None,
) -> Layer | str:
    partition = _partition(call)
    batch, heads, queries, keys = call.shape

    def made(kind: Kind, grid: Grid, looking: Grid, prefix: tuple[str, ...], windows: Windows | None = None) -> Layer:
        return Layer(index, call.frame.name, kind, heads, grid, looking, prefix, call, windows)

    if isinstance(partition, str):
        return partition
    if partition is not None:
        over = Grid.over(view_size, *partition.grid, halving=True)
        return made("window", over, over, (), partition)
    if batch != 1:
        return f"attention within {batch} groups of {queries} tokens whose place in the picture is not known"
    if queries == keys and not _is_sequence(queries, call.frame.shape, view_size):
        return f"attention between {queries} channels, not between tokens"
    units: Any = next(
        (f.module.mask_spatial_shape for f in call.frames if hasattr(f.module, "mask_spatial_shape")), None
    )
    if units is not None and not queries == keys == math.prod(units):
        return "its tokens lie in the order of mask units (Hiera), not in that of the picture"
    counts = [len(prefix_tokens)] if prefix_known else [len(prefix_tokens), *range(9)]
    for prefix_count in [*counts, 0]:
        grid = Grid.of_tokens(view_size, keys - prefix_count, patch_size) if keys > prefix_count else None
        if grid is None:
            continue
        prefix = tuple([*prefix_tokens, *(f"prefix{i}" for i in range(prefix_count))][:prefix_count])
        if queries == keys:
            return made("global", grid, grid, prefix)
        looking = Grid.of_tokens(view_size, queries - prefix_count) if queries > max(prefix_count, 8) else None
        if looking is not None:
            return made("pooled keys", grid, looking, prefix)
        if queries <= 8:
            return made("pool", grid, grid, prefix)
    return f"attention of {queries} x {keys} tokens, which fit no grid over a view of {view_size[0]} x {view_size[1]}"


def _is_sequence(count: int, shape: tuple[int, ...], view_size: tuple[int, int]) -> bool:
    """Whether an input of this shape (B, N, C), (N, B, C), (B, H, W, C) or (B, C, H, W) can be `count` tokens long."""
    if not shape or shape[2:] == view_size:  # given by keyword, or the view itself to a network of one module
        return True
    if len(shape) == 4:
        return count in (shape[1] * shape[2], shape[2] * shape[3])
    return count in shape[:-1]


def _partition(call: Call) -> Windows | str | None:
    """The windows of a call, from the attributes of the module that cuts them; None for attention over all tokens."""
    places = call.shape[2]
    for frame in reversed(call.frames):
        module: Any = frame.module
        if hasattr(module, "partition_size"):  # timm's MaxViT
            block = getattr(module, "partition_block", None)
            if block is None:  # its parallel variant has two attentions in one module
                block = "attn_block" in call.frame.name.split(".")
            size, kind, shift, pad_first = module.partition_size, "window" if block else "dilated", (0, 0), False
        elif hasattr(module, "shift_size") and hasattr(module, "window_size"):  # Swin of timm and torchvision
            size, kind, shift = module.window_size, "window", _pair(module.shift_size)
            # torchvision's attention holds its own bias and cuts its own windows, padding before it rolls.
            pad_first = hasattr(module, "relative_position_bias_table") or hasattr(module, "cpb_mlp")
        elif _pair(getattr(module, "window_size", None) or 0) != (0, 0) and len(frame.shape) == 4:
            size, kind, shift, pad_first = module.window_size, "window", (0, 0), False  # SAM, ViTDet
        else:
            continue
        high, wide = _pair(size)
        for rows, cols in _grids(call, frame.shape):
            count = math.ceil(rows / high) * math.ceil(cols / wide)
            if high * wide == places and call.split(count):
                if pad_first:  # torchvision does not shift a side that one window covers
                    shift = (0 if high >= rows else shift[0], 0 if wide >= cols else shift[1])
                return Windows((rows, cols), (high, wide), shift, kind, pad_first)
        return f"windows of {high} x {wide} in an input of shape {frame.shape}, which do not fit each other"
    return None


def _grids(call: Call, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    if len(shape) != 4:
        return []
    # Attention that projects by convolution has channels first; a shape can't tell, where there are as many as columns.
    channels_first = any(isinstance(child, nn.Conv2d) for child in call.frame.module.modules())
    return [(shape[2], shape[3])] if channels_first else [(shape[1], shape[2])]


def _pair(size: Any) -> tuple[int, int]:
    return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))
