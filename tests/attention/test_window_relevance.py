"""Gradient methods through windows: against products of whole matrices, with torch's own graph of every call."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from families import FAMILIES
from oracles import watch, window_index
from test_window_rollout import merging
from torch import Tensor
from torch.overrides import TorchFunctionMode

import vitviz

BY_KEY = {family.key: family for family in FAMILIES}
KEYS = ("swin", "swin-padded", "swin-fused-padded", "swinv2-padded", "swinv2-cr-padded")
TARGET = 3


class Watched(TorchFunctionMode):
    """Keeps the weights of every attention call and their gradient; fused calls are made by hand."""

    def __init__(self):
        super().__init__()
        self.weights = []

    def keep(self, weights):
        weights.retain_grad()
        self.weights.append(weights)
        return weights

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            q, k, v = args[:3]
            mask = kwargs.get("attn_mask", args[3] if len(args) > 3 else None)
            scores = q @ k.mT * (kwargs.get("scale") or q.shape[-1] ** -0.5)
            return self.keep((scores if mask is None else scores + mask).softmax(-1)) @ v
        out = func(*args, **kwargs)
        return self.keep(out) if func in (torch.softmax, F.softmax, Tensor.softmax) and out.dim() == 4 else out


@pytest.fixture(params=KEYS)
def followed(request, built, picture):
    """A model, and of every layer dense A and dy/dA (H, N, N) without padding, and its grid."""
    model, _ = built(BY_KEY[request.param])
    view = model.preprocess(picture)
    _, seen = watch(model.module, view)
    module = model.module.double()
    try:
        with torch.enable_grad(), Watched() as mode:
            module(view.double())[0, TARGET].backward()
        module.zero_grad(set_to_none=True)
    finally:
        module.float()
    layers = []
    for weights, theirs in zip(mode.weights, seen, strict=True):
        index, grid = window_index(model.module, theirs)
        size = grid[0] * grid[1]
        both = [np.zeros((weights.shape[1], size, size)) for _ in range(2)]
        for matrix, block in zip(both, (weights.detach(), weights.grad), strict=True):
            for inside, tokens in zip(block.numpy(), index.numpy(), strict=True):
                real = tokens >= 0
                matrix[:, tokens[real][:, None], tokens[real][None]] = inside[:, real][:, :, real]
        layers.append((*both, tuple(grid)))
    return model, layers


def row_of_product(layers, step):
    product, below = None, None
    for a, g, grid in layers:
        matrix = step(a, g)
        if below not in (None, grid):
            product = merging(grid, below) @ product
        product, below = (matrix if product is None else matrix @ product), grid
    return product.mean(0).reshape(layers[0][2])


def test_relevance_is_the_row_of_the_product(followed, picture):
    model, layers = followed
    expected = row_of_product(layers, lambda a, g: np.eye(a.shape[1]) + np.maximum(g * a, 0).mean(0))
    found = vitviz.relevance(model, picture, TARGET)
    np.testing.assert_allclose(found.values, expected, atol=2e-5 * np.abs(expected).max())
    assert np.ptp(expected) > 1e-3 * expected.max() and found.selection.query == "mean" and found.note == ""


def test_gradient_rollout_is_the_row_of_the_product(followed, picture):
    model, layers = followed

    def step(a, g):
        m = (np.maximum((g * a).mean(0), 0) + np.eye(a.shape[1])) / 2
        return m / m.sum(-1, keepdims=True)

    found = vitviz.relevance(model, picture, TARGET, "gradient rollout")
    np.testing.assert_allclose(found.values, row_of_product(layers, step), atol=1e-5)
    assert found.values.sum() == pytest.approx(1, abs=1e-4)


def test_attention_grad_cam_weighs_the_heads_of_the_last_layer(followed, picture):
    model, layers = followed
    a, g, grid = layers[-1]
    a, g = a.mean(1), g.mean(1)
    expected = np.maximum((g.mean(-1, keepdims=True) * a).mean(0), 0).reshape(grid)
    found = vitviz.relevance(model, picture, TARGET, "attention grad-cam")
    np.testing.assert_allclose(found.values, expected, atol=2e-5 * max(expected.max(), 1e-9))


def test_the_map_of_a_maxvit_says_that_convolutions_are_left_out(built, picture):
    model, _ = built(BY_KEY["maxvit-tf"])
    found = vitviz.relevance(model, picture, TARGET)
    assert "convolutions" in found.note and found.values.shape == (16, 24) and found.values.max() > 0
