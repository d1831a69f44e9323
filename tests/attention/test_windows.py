"""Masks and names of windowed layers, held to the model's own masks and weights."""

import numpy as np
import pytest
import torch
import torchvision
from families import FAMILIES

from vitviz.attention.maps import attention_map
from vitviz.attention.trace import trace

BY_KEY = {family.key: family for family in FAMILIES}
SHIFTED = ("swin", "swin-padded", "swin-fused", "swin-fused-padded", "swinv2", "swinv2-padded", "swinv2-cr",
           "swinv2-cr-padded")  # fmt: skip


def corners_and_seams(layer):
    """A query in every corner, in the middle, and on both sides of every border between windows of the first row."""
    rows, cols = layer.grid.shape
    numbers = layer.windows.numbers()
    seams = [c for c in range(cols - 1) if numbers[0, c] != numbers[0, c + 1]]
    places = {(0, 0), (0, cols - 1), (rows - 1, 0), (rows - 1, cols - 1), (rows // 2, cols // 2)}
    return sorted(places | {(0, c) for c in seams} | {(0, c + 1) for c in seams})


def is_held_to_the_mask(traced, layer):
    """Keys that are said to be shut out have no weight; where nothing else is 0 they are all that has none."""
    for cell in corners_and_seams(layer):
        row = traced.weights(layer.index, queries=cell[0] * layer.grid.cols + cell[1])[:, 0]
        row = row.reshape(layer.num_heads, *layer.grid.shape)
        assert row[:, ~layer.windows.members(cell)].max(initial=0) == 0
        assert row[:, layer.windows.shut_out(cell)].max(initial=0) < 1e-20
        assert row.sum((1, 2)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("key", SHIFTED)
def test_keys_shut_out_are_those_of_the_models_own_mask(key, built):
    model, traced = built(BY_KEY[key])
    shifted = [layer for layer in traced.layers if layer.windows.is_shifted]
    assert shifted
    for layer in shifted:
        assert layer.windows.masked
        block = model.module.get_submodule(layer.name.rpartition(".")[0])
        index = layer.windows.index()
        regions = layer.windows.regions()
        np.testing.assert_array_equal(regions[:, :, None] != regions[:, None], (block.attn_mask <= -50).numpy())
        assert index.shape == regions.shape
        is_held_to_the_mask(traced, layer)


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("size", [(64, 96), (60, 88)])
def test_torchvisions_masks(version, size, wrap, sharp, picture):
    swin = torchvision.models.swin_transformer
    block = swin.SwinTransformerBlock if version == "v1" else swin.SwinTransformerBlockV2
    args = {"patch_size": [4, 4], "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": [4, 4]}
    merging = {} if version == "v1" else {"downsample_layer": swin.PatchMergingV2}
    net = sharp(swin.SwinTransformer(**args, num_classes=5, block=block, **merging))
    traced = trace(wrap(net, size, prefix=()), picture)
    assert [layer.title for layer in traced.layers] == ["0.0 regular", "0.1 shifted", "1.0 regular", "1.1 shifted"]
    for layer in traced.layers:
        assert layer.windows.masked == layer.windows.is_shifted
        is_held_to_the_mask(traced, layer)


def test_a_model_that_shifts_without_a_mask_shuts_nothing_out(make, picture):
    model = make(
        "swin_tiny_patch4_window7_224", (32, 32), img_size=(32, 32), window_size=4, embed_dim=16, depths=(2,),
        num_heads=(2,), num_classes=5,
    )  # fmt: skip
    model.module.layers[0].blocks[1].attn_mask = None
    layer = trace(model, picture).layers[1]
    assert layer.windows.is_shifted and not layer.windows.masked
    assert not layer.windows.shut_out((7, 7)).any()


@pytest.mark.parametrize(
    ("key", "titles"),
    [
        ("swin", ["0.0 regular", "0.1 shifted", "1.0 regular", "1.1 shifted"]),
        ("swin-fused-one-window", None),
        ("maxvit-tf", ["0.0 window", "0.0 grid", "1.0 window", "1.0 grid"]),
        ("tinyvit-padded", ["0.0 window", "1.0 window", "2.0 window"]),
        ("sam", ["0.0 window", "0.1"]),
        ("coatnet", None),
        ("vit", ["", ""]),
    ],
)
def test_layers_are_named_by_stage_block_and_kind_of_window(key, titles, built):
    traced = built(BY_KEY[key])[1]
    found = [layer.title for layer in traced.layers]
    if titles is None:
        assert len(set(found)) == len(found) and all(found)
    else:
        assert found == titles


def test_a_layer_says_stage_stride_window_and_shift(built):
    layers = built(BY_KEY["swin"])[1].layers
    assert [(x.stage, x.stride, x.window_size, x.shift) for x in layers] == [
        (0, (4, 4), (4, 4), (0, 0)),
        (0, (4, 4), (4, 4), (2, 2)),
        (1, (8, 8), (4, 4), (0, 0)),
        (1, (8, 8), (4, 4), (2, 2)),
    ]


def test_a_map_carries_its_windows_and_those_of_the_next_layer(built):
    traced = built(BY_KEY["swin"])[1]
    first, second = (attention_map(traced, layer=i, query=(0, 0)) for i in (0, 1))
    assert first.windows == traced.layers[0].windows and first.neighbour == traced.layers[1].windows
    assert second.windows == traced.layers[1].windows and second.neighbour == traced.layers[0].windows
    assert (first.layer_title, second.layer_title) == ("0.0 regular", "0.1 shifted")
    assert attention_map(built(BY_KEY["vit"])[1], layer=0).windows is None


def test_a_mask_is_seen_without_gradients_left_behind(built):
    layer = next(x for x in built(BY_KEY["swinv2"])[1].layers if x.windows.is_shifted)
    assert layer.is_masked and torch.is_grad_enabled()
