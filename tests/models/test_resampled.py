"""What was resampled is said: positions of another grid, windows of another size, other patches and channels."""

import json

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from timm.models import adapt_input_conv

from vitviz.attention.trace import trace
from vitviz.models.loading import load_model


def said(model):
    return [finding.text for finding in model.report if finding.topic == "resampled"]


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    torch.manual_seed(0)
    network = timm.create_model("test_vit", img_size=64, num_classes=3)
    path = tmp_path_factory.mktemp("vit") / "w.pth"
    torch.save(network.state_dict(), path)
    return path, network


def test_position_embedding_of_another_grid(vit):
    path, network = vit
    model = load_model(path, image_size=(96, 128))
    assert said(model) == ["position embedding of 17 places to 49 (bicubic with antialias)"]
    wanted = resample_abs_pos_embed(network.pos_embed, [6, 8], old_size=[4, 4], num_prefix_tokens=1)
    torch.testing.assert_close(model.module.pos_embed, wanted)
    assert said(load_model(path)) == []


def test_patches_of_another_size(vit):
    model = load_model(vit[0], patch_size=8)
    assert model.patch_size == (8, 8) and "patches of 16 x 16 px to 8 x 8 (pseudo-inverse resize)" in said(model)[0]


def test_windows_of_another_size(tmp_path):
    network = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=64, window_size=4, embed_dim=24, depths=(2, 2), num_heads=(2, 4),
        num_classes=3,
    )  # fmt: skip
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    args = {"img_size": 112, "window_size": 7, "embed_dim": 24, "depths": [2, 2], "num_heads": [2, 4]}
    config = {"architecture": "swin_tiny_patch4_window7_224", "num_classes": 3, "model_args": args}
    (tmp_path / "config.json").write_text(json.dumps(config))
    model = load_model(tmp_path)
    assert said(model) == ["position biases of 49 offsets to 169 offsets in 4 layers"]


def test_other_channels(tmp_path, picture):
    network = timm.create_model("test_vit", num_classes=3)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    config = {"architecture": "test_vit", "num_classes": 3, "model_args": {"in_chans": 1}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    model = load_model(tmp_path)
    assert said(model) == ["3 input channels to 1, summed or repeated"] and model.preprocessing.channels == 1
    assert trace(model, picture).logits.size == 3
    wanted = adapt_input_conv(1, network.patch_embed.proj.weight.detach())
    torch.testing.assert_close(model.module.patch_embed.proj.weight.detach(), wanted)
