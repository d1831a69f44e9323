"""PlainViT against timm's VisionTransformer and against its own choices, and how the rest of vitviz reads it."""

import dataclasses

import pytest
import timm
import torch
from torch import nn

import vitviz
from vitviz.models.loading import preprocessing_of
from vitviz.models.model import default_query_of, patch_size_of, prefix_tokens_of
from vitviz.models.unknown.plain_vit import PlainConfig, PlainViT

SMALL = PlainConfig(
    image_size=(24, 36), patch_size=(6, 6), width=32, depth=3, heads=4, hidden=48, classes=5, eps=1e-6, inner=32
)


def drawn(module, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.3)
    return module.eval()


@pytest.mark.parametrize(
    ("changes", "args"),
    (
        ({}, {}),
        ({"registers": 2, "position": "patches"}, {"reg_tokens": 2, "no_embed_class": True}),
        ({"class_token": False, "pool": "mean"}, {"class_token": False, "global_pool": "avg", "fc_norm": False}),
        ({"pool": "mean", "final_norm": False, "head_norm": True}, {"global_pool": "avg"}),
        ({"pool": "mean of all"}, {"global_pool": "avg", "fc_norm": False, "pool_include_prefix": True}),
        ({"activation": "relu", "qkv_bias": False}, {"act_layer": "relu", "qkv_bias": False}),
        ({"activation": "quick_gelu", "channels": 1}, {"act_layer": "quick_gelu", "in_chans": 1}),
        ({"position": "none", "classes": 0}, {"pos_embed": "none", "num_classes": 0}),
    ),
)
def test_equals_timm_where_timm_can_build_it(changes, args):
    mine = drawn(PlainViT(dataclasses.replace(SMALL, **changes)))
    theirs = timm.create_model(
        "vit_tiny_patch16_224",
        **{"img_size": (24, 36), "patch_size": 6, "embed_dim": 32, "depth": 3, "num_heads": 4, "mlp_ratio": 1.5,
           "num_classes": 5, **args},
    ).eval()  # fmt: skip
    theirs.load_state_dict({key.replace("head_norm", "fc_norm"): value for key, value in mine.state_dict().items()})
    x = torch.randn(2, mine.config.channels, 24, 36)
    with torch.no_grad():
        torch.testing.assert_close(mine(x), theirs(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("channels_last", (True, False))
def test_linear_patches_equal_the_convolution(channels_last):
    linear = drawn(PlainViT(dataclasses.replace(SMALL, linear_patches=True, channels_last=channels_last)))
    conv = PlainViT(SMALL).eval()
    tensors = linear.state_dict()
    weight = tensors["patch_embed.proj.weight"]
    shaped = weight.reshape(32, 6, 6, 3).permute(0, 3, 1, 2) if channels_last else weight.reshape(32, 3, 6, 6)
    conv.load_state_dict({**tensors, "patch_embed.proj.weight": shaped})
    x = torch.randn(2, 3, 24, 36)
    with torch.no_grad():
        torch.testing.assert_close(linear(x), conv(x), atol=1e-5, rtol=1e-5)


def test_scale_by_width_is_that_of_heads_as_wide_as_the_model():
    x = torch.randn(1, 3, 24, 36)
    by_width = drawn(PlainViT(dataclasses.replace(SMALL, scale="width")))
    by_head = PlainViT(SMALL).eval()
    tensors = by_width.state_dict()
    for key in tensors:
        if "qkv" in key:  # q is a third of the fused matrix: 32 ** -0.5 against 8 ** -0.5
            tensors[key] = torch.cat([tensors[key][:32] * 0.5, tensors[key][32:]])
    by_head.load_state_dict(tensors)
    with torch.no_grad():
        torch.testing.assert_close(by_width(x), by_head(x), atol=1e-5, rtol=1e-5)


def test_head_with_hidden_layers_and_norms_around_patches_have_their_parameters():
    module = PlainViT(
        dataclasses.replace(
            SMALL, inner=64, linear_patches=True, patch_norms=(True, True), head_hidden=(20,), embed_norm=True
        )
    )
    shapes = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    assert shapes["patch_embed.norm_in.weight"] == (108,) and shapes["patch_embed.norm_out.weight"] == (32,)
    assert shapes["blocks.0.attn.qkv.weight"] == (192, 32) and shapes["blocks.0.attn.proj.weight"] == (32, 64)
    assert shapes["head.0.weight"] == (20, 32) and shapes["head.2.weight"] == (5, 20) and "norm_pre.weight" in shapes
    assert module.eval()(torch.randn(1, 3, 24, 36)).shape == (1, 5)


def test_the_rest_of_vitviz_reads_its_tokens_patches_and_preprocessing():
    module = PlainViT(dataclasses.replace(SMALL, registers=2, channels=1, mean=(0.13,), std=(0.31,)))
    assert prefix_tokens_of(module) == ("cls", "reg0", "reg1") and default_query_of(module, ("cls",)) == "cls"
    assert patch_size_of(module) == (6, 6) and module.num_classes == 5
    wanted = preprocessing_of(module)
    assert wanted.input_size == (24, 36) and wanted.channels == 1 and wanted.statistics() == ((0.13,), (0.31,))
    pooled = PlainViT(dataclasses.replace(SMALL, class_token=False, pool="mean"))
    assert prefix_tokens_of(pooled) == () and default_query_of(pooled, ()) == "mean"


@pytest.mark.parametrize("changes", ({}, {"pre_norm": False}, {"inner": 64, "scale": "width", "registers": 1}))
def test_each_layer_is_seen_with_what_the_model_computed(changes, wrap, picture):
    model = wrap(drawn(PlainViT(dataclasses.replace(SMALL, **changes))), (24, 36))
    trace = vitviz.trace(model, picture)
    assert len(trace.layers) == 3 and not trace.gaps and trace.error < 1e-4
    assert all(layer.grid.shape == (4, 6) and layer.num_heads == 4 and layer.kind == "global" for layer in trace.layers)


def test_gradients_and_half_precision_pass():
    module = drawn(PlainViT(SMALL))
    x = torch.randn(1, 3, 24, 36, requires_grad=True)
    module(x).sum().backward()
    assert x.grad.isfinite().all()
    assert module.bfloat16()(x.detach().bfloat16()).dtype == torch.bfloat16


def test_it_holds_no_attention_module_that_hides_its_calls():
    assert not any(isinstance(m, nn.MultiheadAttention) for m in PlainViT(SMALL).modules())
