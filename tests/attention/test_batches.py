"""A trace out of a batch is the trace of that picture alone."""

import numpy as np
import pytest
import torch

import vitviz
from vitviz.attention.batches import traces
from vitviz.errors import Cancelled
from vitviz.images import Image


@pytest.fixture(scope="module")
def pictures(picture):
    turned = Image.from_array(picture.pixels[::-1], name="upside down")
    return [picture, turned, Image.from_array(255 - picture.pixels[:, 20:], name="negative")]


@pytest.mark.parametrize("name", ["tiny_vit", "tiny_swin", "beit", "packed", "swin_v2"])
def test_trace_of_a_batch_is_that_of_the_picture_alone(request, pictures, make, name):
    sizes = {"img_size": (64, 64), "num_classes": 5}
    models = {
        "beit": lambda: make("beit_base_patch16_224", (64, 64), embed_dim=32, depth=2, num_heads=2, **sizes),
        "swin_v2": lambda: make(
            "swinv2_cr_tiny_ns_224", (64, 64), embed_dim=16, depths=(2, 2), num_heads=(2, 4), window_size=4, **sizes
        ),
        "packed": lambda: request.getfixturevalue("wrap")(_Packed().eval(), (64, 64), prefix=()),
    }
    model = models[name]() if name in models else request.getfixturevalue(name)
    many = traces(model, pictures)
    for image, found in zip(pictures, many, strict=True):
        alone = vitviz.trace(model, image)
        assert found.image_name == image.name and len(found.layers) == len(alone.layers)
        assert np.allclose(found.logits, alone.logits, atol=1e-4)
        for layer in range(len(alone.layers)):
            assert np.allclose(found.weights(layer), alone.weights(layer), atol=2e-5)


class _Packed(torch.nn.Module):
    """Patches of 16 px through one nn.MultiheadAttention."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = torch.nn.Conv2d(3, 16, 16, 16)
        self.attn = torch.nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2) * 3
        return self.attn(x, x, x, need_weights=False)[0].mean(1)


def test_batch_of_one_is_a_trace(tiny_vit, picture):
    (found,) = traces(tiny_vit, [picture])
    assert np.array_equal(found.weights(1), vitviz.trace(tiny_vit, picture).weights(1))


def test_model_that_takes_one_picture_only_is_run_for_each(wrap, pictures, tiny_vit):
    class Alone(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = tiny_vit.module
            self.batches = []

        def forward(self, x):
            self.batches.append(len(x))
            if len(x) > 1:
                raise RuntimeError("one at a time")
            return self.inner(x)

    module = Alone()
    many = traces(wrap(module, (64, 96), prefix=("cls",)), pictures)
    assert module.batches == [3, 1, 1, 1] and [t.image_name for t in many] == [p.name for p in pictures]


def test_batch_can_be_cancelled(tiny_vit, pictures):
    with pytest.raises(Cancelled):
        traces(tiny_vit, pictures, cancel=lambda: True)
