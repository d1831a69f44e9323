"""Grad-CAM on tokens: the features before the last attention, weighted by their mean gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vitviz.attention.explaining import map_of_values
from vitviz.attention.graded import Graph
from vitviz.attention.layer import Layer
from vitviz.attention.values import Map, Selection
from vitviz.errors import AttentionError
from vitviz.images import Image
from vitviz.models.model import Model


def token_grad_cam(
    model: Model, image: Image, graph: Graph, layers: list[Layer], logit: Tensor, selection: Selection
) -> Map:
    """relu(sum over channels of w_c F_c), w_c the mean over the grid of dy/dF_c.

    F is what the last attention between tokens is given (`blocks[-1].norm1` in a ViT: at the block's output the
    gradient of the patches is 0 where the class token is read). In windowed models it is what the last block returns.
    """
    layer = next(layer for layer in reversed(layers) if layer.kind != "pool")
    at = graph.captured.calls.index(layer.call)
    features: Any = graph.blocks[at] if layer.kind == "window" else graph.features[at]
    if not isinstance(features, Tensor) or not features.requires_grad:
        raise AttentionError(f"The features of {layer.name} can't be followed: choose another method.")
    (gradient,) = torch.autograd.grad(logit, features)
    flat, change = (on_grid(t, layer, model.name) for t in (features.detach().float(), gradient.float()))
    values = (change.mean((0, 1)) * flat).sum(-1).clamp_min(0)
    made = map_of_values(model, image, selection, layer, values)
    what = "output of the block around" if layer.kind == "window" else "features given to"
    return replace(made, layer_name=f"{what} {layer.name}")


def on_grid(tensor: Tensor, layer: Layer, name: str) -> Tensor:
    """Features (1, N, C), (N, 1, C), (1, h, w, C) or (1, C, h, w) as (h, w, C) without prefix tokens."""
    rows, cols = layer.query_grid.shape
    shape = tuple(tensor.shape)
    if len(shape) == 4 and shape[1:3] == (rows, cols):
        return tensor[0]
    if len(shape) == 4 and shape[2:] == (rows, cols):
        return tensor[0].permute(1, 2, 0)
    if len(shape) == 3:
        tokens = tensor[0] if shape[0] == 1 else tensor[:, 0]
        if len(tokens) == layer.num_queries:
            return tokens[layer.num_prefix_tokens :].reshape(rows, cols, -1)
    raise AttentionError(
        f"The features of {layer.name} in {name} have the shape {shape}, which is not {rows} x {cols} patches: "
        "choose another method."
    )
