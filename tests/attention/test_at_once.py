"""Passes through one network in several threads at once: a script goes on while the window looks into its model."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import vitviz
from vitviz import Ablation
from vitviz.embeddings.pixels import patch_tokens


@pytest.fixture(autouse=True)
def often():
    """Threads take turns a hundred times as often as they do."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(before)


def looks(model, image):
    """What may be asked of a model, by name, each as arrays."""

    def plain():
        seen = vitviz.trace(model, image)
        return [seen.logits, *vitviz.head_maps(seen).values]

    def without_heads():
        seen = vitviz.trace(model, image, ablation=Ablation([(1, 0)]))
        return [seen.logits, *vitviz.head_maps(seen).values]

    def gradients():
        return [vitviz.relevance(model, image).values]

    def used():
        with torch.inference_mode():
            return [model.module(model.on_device(model.preprocess(image))).numpy()]

    def tokens():
        return [patch_tokens(model, image).tokens]

    return {each.__name__: each for each in (plain, without_heads, gradients, used, tokens)}


@pytest.mark.parametrize("one", ["plain", "without_heads", "gradients", "tokens"])
@pytest.mark.parametrize("other", ["plain", "without_heads", "gradients", "used"])
def test_two_passes_at_once_see_what_each_sees_alone(tiny_vit, picture, one, other):
    every = looks(tiny_vit, picture)
    alone = {name: every[name]() for name in (one, other)}
    with ThreadPoolExecutor(2) as pool:
        for _ in range(6):
            both = {name: pool.submit(every[name]) for name in (one, other)}
            for name, each in both.items():
                for found, expected in zip(each.result(), alone[name], strict=True):
                    np.testing.assert_allclose(found, expected, atol=1e-5)
