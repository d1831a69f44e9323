"""Relative position bias, held to the parameters of each family by hand and to what the attention calls were given."""

import math
import zlib

import numpy as np
import pytest
import timm
import torch
import torchvision
from timm.layers import set_fused_attn, use_fused_attn

import vitviz
from vitviz.attention.trace import trace
from vitviz.embeddings.relative_bias import has_relative_position_bias
from vitviz.errors import ModelError

SWIN = {"img_size": (32, 48), "embed_dim": 16, "depths": (2, 2), "num_heads": (2, 4), "num_classes": 5}


def offsets(table):
    """Every (dy, dx) of a table with its values (H,)."""
    high, wide = (table.shape[1] + 1) // 2, (table.shape[2] + 1) // 2
    for down in range(-high + 1, high):
        for right in range(-wide + 1, wide):
            yield down, right, table[:, high - 1 + down, wide - 1 + right]


def test_swin_v1_is_its_learned_table(make):
    model = make("swin_tiny_patch4_window7_224", (32, 48), window_size=4, **SWIN)
    tables = vitviz.relative_position_bias(model)
    assert list(tables) == [f"layers.{s}.blocks.{b}.attn" for s in range(2) for b in range(2)]
    for name, table in tables.items():
        own = model.module.get_submodule(name)
        assert table.shape == (own.num_heads, 7, 7) and table.dtype == np.float32
        for down, right, values in offsets(table):  # Swin counts query minus key, from the lower right on
            row = (-down + 3) * 7 + (-right + 3)
            np.testing.assert_array_equal(values, own.relative_position_bias_table[row].detach().numpy())


def test_swin_v2_is_16_sigmoid_of_its_network_at_log_spaced_offsets(make):
    model = make("swinv2_tiny_window8_256", (32, 48), window_size=4, **SWIN)
    for name, table in vitviz.relative_position_bias(model).items():
        own = model.module.get_submodule(name)
        for down, right, values in offsets(table):
            spaced = [math.copysign(math.log2(1 + 8 * abs(d) / 3) / 3, d) for d in (-down, -right)]
            with torch.no_grad():
                expected = 16 * torch.sigmoid(own.cpb_mlp(torch.tensor(spaced)))
            np.testing.assert_allclose(values, expected.numpy(), atol=1e-5)


def test_swin_v2_cr_is_its_network_at_logarithms_of_offsets(make):
    model = make("swinv2_cr_tiny_224", (32, 48), window_size=4, **SWIN)
    for name, table in vitviz.relative_position_bias(model).items():
        own = model.module.get_submodule(name)
        for down, right, values in offsets(table):
            with torch.no_grad():
                spaced = torch.tensor([math.copysign(math.log1p(abs(d)), d) for d in (-down, -right)])
                expected = own.meta_mlp(spaced)
            np.testing.assert_allclose(values, expected.numpy(), atol=1e-5)


def test_beit_is_its_table_without_the_rows_of_the_class_token(make):
    model = make(
        "beit_base_patch16_224", (64, 96), img_size=(64, 96), embed_dim=32, depth=2, num_heads=2, num_classes=5
    )
    tables = vitviz.relative_position_bias(model)
    assert list(tables) == ["blocks.0.attn", "blocks.1.attn"]
    for name, table in tables.items():
        own = model.module.get_submodule(name).relative_position_bias_table.detach().numpy()
        assert table.shape == (2, 7, 11) and len(own) == 7 * 11 + 3
        np.testing.assert_array_equal(table.reshape(2, -1)[:, ::-1], own[:-3].T)


def test_maxvit_has_a_table_for_windows_and_grid(make):
    sizes = {"img_size": (64, 96), "embed_dim": (32, 64), "depths": (1, 1), "stem_width": 16, "num_classes": 5}
    model = make("maxvit_tiny_tf_224", (64, 96), **sizes)
    tables = vitviz.relative_position_bias(model)
    assert len(tables) == 4 and all(name.endswith(("attn_block.attn", "attn_grid.attn")) for name in tables)
    for name, table in tables.items():
        own = model.module.get_submodule(name).rel_pos.relative_position_bias_table
        np.testing.assert_allclose(table, own.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_torchvision(version, wrap, sharp):
    swin = torchvision.models.swin_transformer
    block = swin.SwinTransformerBlock if version == "v1" else swin.SwinTransformerBlockV2
    args = {"patch_size": [4, 4], "embed_dim": 16, "depths": [2], "num_heads": [2], "window_size": [4, 4]}
    net = sharp(swin.SwinTransformer(**args, num_classes=5, block=block))
    tables = vitviz.relative_position_bias(wrap(net, (32, 48), prefix=()))
    assert list(tables) == ["features.1.0.attn", "features.1.1.attn"]
    for name, table in tables.items():
        own = net.get_submodule(name).get_relative_position_bias()[0].detach()
        for query, key in ((0, 15), (15, 0), (5, 2), (2, 5), (7, 7)):
            down, right = key // 4 - query // 4, key % 4 - query % 4
            np.testing.assert_allclose(table[:, 3 + down, 3 + right], own[:, query, key], atol=1e-6)


def test_tinyvit_adds_the_same_in_all_four_directions(make):
    model = make(
        "tiny_vit_5m_224", (96, 128), num_classes=5, embed_dims=(16, 32, 32, 32), depths=(1, 1, 1, 1),
        num_heads=(1, 2, 2, 2), window_sizes=(7, 5, 4, 3),
    )  # fmt: skip
    tables = vitviz.relative_position_bias(model)
    assert [table.shape for table in tables.values()] == [(2, 9, 9), (2, 7, 7), (2, 5, 5)]
    for table in tables.values():
        np.testing.assert_array_equal(table, table[:, ::-1])
        np.testing.assert_array_equal(table, table[:, :, ::-1])


@pytest.mark.parametrize(
    ("architecture", "args"),
    [
        ("swin_tiny_patch4_window7_224", {"window_size": 4, **SWIN}),
        ("vit_relpos_small_patch16_rpn_224", {"img_size": (32, 48), "embed_dim": 32, "depth": 2, "num_heads": 2}),
        ("vit_relpos_base_patch16_cls_224", {"img_size": (32, 48), "embed_dim": 32, "depth": 2, "num_heads": 2}),
        ("beit_base_patch16_224", {"img_size": (32, 48), "embed_dim": 32, "depth": 2, "num_heads": 2}),
    ],
)
def test_tables_are_what_the_attention_calls_were_given(architecture, args, wrap, sharp, picture):
    before = 2 if use_fused_attn(experimental=True) else int(use_fused_attn())
    set_fused_attn(True, experimental=True)
    try:
        net = sharp(timm.create_model(architecture, **args), zlib.crc32(architecture.encode()))
    finally:
        set_fused_attn(before > 0, experimental=before > 1)
    model = wrap(net, (32, 48), name=architecture)
    tables = vitviz.relative_position_bias(model)
    traced = trace(model, picture)
    assert set(tables) == {layer.name for layer in traced.layers}
    for layer in traced.layers:
        table = tables[layer.name]
        high, wide = (table.shape[1] + 1) // 2, (table.shape[2] + 1) // 2
        given = layer.call.bias.rows(0, None, None)
        first = given.shape[-1] - high * wide
        for query, key in ((0, high * wide - 1), (wide, 0), (1, wide), (high * wide - 1, 1)):
            down, right = key // wide - query // wide, key % wide - query % wide
            expected = given[:, first + query, first + key]
            np.testing.assert_allclose(table[:, high - 1 + down, wide - 1 + right], expected, atol=1e-5)


def test_a_network_without_one_is_refused_in_a_sentence(tiny_vit, tiny_swin):
    with pytest.raises(ModelError, match="no relative position bias: ask a Swin"):
        vitviz.relative_position_bias(tiny_vit)
    assert has_relative_position_bias(tiny_swin.module) and not has_relative_position_bias(tiny_vit.module)
