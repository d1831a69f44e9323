"""The patch embedding's kernels and their principal components, against a reference."""

import numpy as np
import pytest
import torch
from torch import nn

import vitviz
from vitviz.embeddings.filters import Filters
from vitviz.errors import ModelError


def reference(flat):
    """Axes and shares of variance by the covariance matrix, the largest first."""
    values, axes = np.linalg.eigh(np.cov(flat.astype(np.float64), rowvar=False))
    return axes.T[::-1], values[::-1] / values.sum()


@pytest.mark.parametrize(("channels", "patch"), [(3, 16), (3, 5), (1, 4)])
def test_components_equal_a_reference_up_to_sign(channels, patch):
    rng = np.random.default_rng(patch)
    flat = (rng.normal(size=(400, channels * patch**2)) * np.linspace(5, 0.5, channels * patch**2)).astype(np.float32)
    kernels = flat.reshape(400, channels, patch, patch)
    found = Filters(kernels, "", "").components(8)
    axes, shares = reference(flat)
    ours = found.tiles.reshape(len(found.tiles), -1)
    assert found.tiles.shape[1:] == (channels, patch, patch)
    assert found.explained == pytest.approx(shares[: len(ours)], abs=1e-9)
    signs = np.sign((ours * axes[: len(ours)]).sum(1))
    assert ours * signs[:, None] == pytest.approx(axes[: len(ours)], abs=1e-5)
    assert np.all(np.take_along_axis(ours, np.abs(ours).argmax(1)[:, None], 1) > 0)


def test_all_components_explain_all_and_rebuild_the_filters(tiny_vit):
    filters = vitviz.patch_filters(tiny_vit)
    found = filters.components(10_000)
    assert found.explained.sum() == pytest.approx(1.0) and np.all(np.diff(found.explained) <= 1e-12)
    flat = filters.kernels.reshape(len(filters.kernels), -1).astype(np.float64)
    axes = found.tiles.reshape(len(found.tiles), -1).astype(np.float64)
    centred = flat - flat.mean(0)
    assert centred @ axes.T @ axes == pytest.approx(centred, abs=1e-5)


def test_28_components_as_in_the_paper_and_fewer_where_there_are_fewer(tiny_vit):
    assert len(vitviz.patch_filters(tiny_vit).components().tiles) == 28
    assert len(Filters(np.ones((3, 1, 2, 2), np.float32), "", "").components().tiles) == 3
    assert np.all(Filters(np.ones((3, 1, 2, 2), np.float32), "", "").components().explained == 0)


def test_kernels_are_those_of_the_convolution(tiny_vit, tiny_swin):
    for model, patch in ((tiny_vit, 16), (tiny_swin, 4)):
        filters = vitviz.patch_filters(model)
        weight = model.module.patch_embed.proj.weight.detach().numpy()
        assert np.array_equal(filters.kernels, weight)
        assert f"{len(weight)} filters of {patch} x {patch} px" in filters.text


@pytest.mark.parametrize("last", [True, False])
def test_linear_projection_is_cut_into_filters_that_give_the_same_tokens(wrap, last):
    from vitviz.models.unknown.plain_vit import PlainConfig, PlainViT

    torch.manual_seed(0)
    config = PlainConfig(
        image_size=(8, 12), patch_size=(4, 4), channels=3, width=6, depth=1, heads=2, hidden=8, classes=2,
        linear_patches=True, channels_last=last,
    )  # fmt: skip
    module = PlainViT(config).eval()
    kernels = torch.from_numpy(vitviz.patch_filters(wrap(module, (8, 12))).kernels)
    view = torch.randn(1, 3, 8, 12)
    by_filters = nn.functional.conv2d(view, kernels, module.patch_embed.proj.bias, stride=4).flatten(2).mT
    assert torch.allclose(by_filters, module.patch_embed(view), atol=1e-5)


def test_stem_of_convolutions_is_said_to_be_one(make):
    model = make("vit_tiny_r_s16_p8_224", (64, 96), img_size=(64, 96), embed_dim=32, depth=1, num_heads=2)
    filters = vitviz.patch_filters(model)
    assert filters.kernels.shape[1:] == (3, 7, 7) and "first convolution" in filters.text


def test_network_without_filters_over_pixels_is_refused(wrap):
    with pytest.raises(ModelError, match="no filter over the pixels"):
        vitviz.patch_filters(wrap(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), (2, 2)))
