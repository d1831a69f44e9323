"""Another size of view: the resampled tables, and predictions that equal those of timm's own resized network."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from timm.layers import resample_abs_pos_embed

from vitviz.embeddings.transfer import WAYS, resampled, transfers
from vitviz.errors import Cancelled, ModelError
from vitviz.images import model_input
from vitviz.models.model import patch_size_of


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def test_bicubic_is_timm_s_own_resampling():
    patches = np.random.default_rng(0).normal(size=(4, 6, 5)).astype(np.float32)
    expected = resample_abs_pos_embed(torch.from_numpy(patches.reshape(1, 24, 5)), [6, 9], [4, 6], 0)
    assert resampled(patches, (6, 9), "bicubic").reshape(54, 5) == pytest.approx(expected[0].numpy(), abs=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_the_same_grid_changes_nothing(way):
    patches = np.random.default_rng(1).normal(size=(4, 6, 5)).astype(np.float32)
    assert np.array_equal(resampled(patches, (4, 6), way), patches)


def test_naive_keeps_the_rows_in_their_order_and_fills_up_with_zeros():
    patches = np.arange(24, dtype=np.float32).reshape(4, 6, 1) + 1
    larger, smaller = resampled(patches, (5, 8), "naive").ravel(), resampled(patches, (2, 5), "naive").ravel()
    assert np.array_equal(larger[:24], np.arange(24) + 1) and not larger[24:].any()
    assert np.array_equal(smaller, np.arange(10) + 1)


def test_bilinear_between_two_values_is_their_mean():
    patches = np.array([[[0.0], [1.0]], [[2.0], [3.0]]], np.float32)
    assert resampled(patches, (3, 3), "bilinear")[1, 1, 0] == pytest.approx(1.5)
    assert not np.allclose(resampled(patches, (3, 3), "bilinear"), resampled(patches, (3, 3), "bicubic"))


def test_predictions_equal_those_of_the_resized_network(tiny_vit, picture):
    size = (96, 128)
    as_is, bicubic, bilinear, naive = transfers(tiny_vit, picture, size)
    assert [t.way for t in (as_is, bicubic, bilinear, naive)] == [None, *WAYS]
    with torch.no_grad():
        first = softmax(tiny_vit.module(tiny_vit.preprocess(picture))[0].numpy())
        other = copy.deepcopy(tiny_vit.module)
        other.set_input_size(img_size=size)
        view = torch.from_numpy(model_input(picture, replace(tiny_vit.preprocessing, input_size=size)))
        second = softmax(other(view)[0].numpy())
    best = int(first.argmax())
    assert as_is.target == pytest.approx(first[best], abs=1e-6) and as_is.top[0][1] == pytest.approx(first.max())
    assert bicubic.target == pytest.approx(second[best], abs=1e-5)
    assert bicubic.patches.shape == (6, 8, 32)
    assert len({round(t.target, 6) for t in (bicubic, bilinear, naive)}) == 3


def test_the_shown_network_is_left_as_it_was(tiny_vit, picture):
    before = {k: v.clone() for k, v in tiny_vit.module.state_dict().items()}
    transfers(tiny_vit, picture, (96, 96))
    after = tiny_vit.module.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before) and tiny_vit.module.patch_embed.img_size == (64, 96)


@pytest.mark.parametrize("name", ["eva02", "naflex", "distilled", "registers beside", "patches only"])
def test_other_families_go_to_another_size_too(kind, picture, name):
    model = kind(name)
    patch = patch_size_of(model.module)
    found = transfers(model, picture, (patch[0] * 3, patch[1] * 7))
    assert len(found) == 4 and all(0 <= t.target <= 1 for t in found)
    assert all(t.patches.shape[:2] == (3, 7) for t in found[1:])


def test_hybrid_goes_to_another_size_by_the_stride_of_its_whole_stem(make, picture):
    model = make("vit_tiny_r_s16_p8_224", (64, 96), img_size=(64, 96), embed_dim=32, depth=1, num_heads=2)
    found = transfers(model, picture, (96, 160))
    assert [t.patches.shape[:2] for t in found] == [(2, 3), (3, 5), (3, 5), (3, 5)]


def test_size_that_is_no_multiple_of_the_patch_is_refused(tiny_vit, picture):
    with pytest.raises(ModelError, match="choose multiples of the patch"):
        transfers(tiny_vit, picture, (100, 96))


def test_network_without_table_is_refused(tiny_swin, picture):
    with pytest.raises(ModelError, match="adds no position embedding"):
        transfers(tiny_swin, picture, (64, 64))


def test_cancel_ends_it(tiny_vit, picture):
    with pytest.raises(Cancelled):
        transfers(tiny_vit, picture, (96, 96), cancel=lambda: True)
