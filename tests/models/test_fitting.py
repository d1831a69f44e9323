"""A config.json beside a file counts only where it fits the weights, and the report says where it does not."""

import json
import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent / "foreign"))
from formats import checkpoint_of

from vitviz.models.fitting import contradiction, fitted
from vitviz.models.loading import load_model

LLAMA = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "vocab_size": 32000,
    "hidden_act": "silu", "rms_norm_eps": 1e-5,
}  # fmt: skip
BERT = {
    "model_type": "bert", "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "vocab_size": 30522,
    "hidden_act": "gelu", "layer_norm_eps": 1e-12, "id2label": {"0": "good", "1": "bad"},
}  # fmt: skip
# As wide and deep as ViT-S, with twice its heads.
MINILM = {**BERT, "hidden_size": 384}
VIT = {
    "model_type": "vit", "hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12, "patch_size": 16,
    "image_size": 224, "hidden_act": "relu", "layer_norm_eps": 1e-3,
}  # fmt: skip
SWIN = {
    "model_type": "swin", "hidden_size": 768, "embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24],
    "patch_size": 4, "num_layers": 4, "image_size": 224,
}  # fmt: skip


@pytest.fixture(scope="session")
def small():
    """The weights of a ViT-S with three classes."""
    return timm.create_model("vit_small_patch16_224", num_classes=3).state_dict()


@pytest.fixture
def opened(small, tmp_path):
    """The model of these weights with this config beside them, opened as a file or as a folder."""

    def load(config, whole=False):
        torch.save(small, tmp_path / "vit_small.pth")
        (tmp_path / "config.json").write_text(json.dumps(config))
        return load_model(tmp_path if whole else tmp_path / "vit_small.pth")

    return load


def attention(model):
    block = model.module.blocks[0]
    return block.attn.num_heads, type(block.mlp.act).__name__, block.norm1.eps, model.labels


def said(model):
    return [str(finding) for finding in model.report if finding.topic == "config"]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("config", "why"),
    [
        (LLAMA, "its hidden_size is 4096, and these weights are 384 wide"),
        (BERT, "its hidden_size is 768, and these weights are 384 wide"),
        (MINILM, "it is of a network for text (bert)"),
        (
            {**VIT, "num_hidden_layers": 8},
            "its num_hidden_layers is 8, and these weights have no row of so many layers",
        ),
        ({**VIT, "patch_size": 8}, "its patch_size is 8, and these weights take patches of 16 x 16 px"),
        (SWIN, "its embed_dim is 96, and these weights are 384 wide"),
        (
            {"vision_config": {**VIT, "hidden_size": 1024}, "text_config": {"hidden_size": 384}},
            "its vision_config.hidden_size is 1024, and these weights are 384 wide",
        ),
    ],
)
def test_a_config_that_contradicts_the_weights_is_left_out_aloud(config, why, whole, opened):
    model = opened(config, whole)
    assert attention(model) == (6, "GELU", 1e-6, ())
    where = "of the folder" if whole else "beside the file"
    assert said(model) == [f"config.json {where} was not used: {why}  [warning]"]
    assert not any("config.json was read" in finding.text for finding in model.report)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"num_heads": 12, "act": "relu", "lr": 0.1}, "it says nothing of pictures and no size"),
        ({"architecture": "vit_base_patch16_224", "num_heads": 12}, "it is of vit_base_patch16_224, and these weights"),
    ],
)
def test_a_config_beside_a_file_that_nothing_ties_to_it_is_left_out_aloud(config, why, opened):
    model = opened(config)
    assert attention(model) == (6, "GELU", 1e-6, ()) and why in said(model)[0]


@pytest.mark.parametrize(
    "config",
    [
        VIT,
        {"encoder": VIT, "decoder": LLAMA, "model_type": "vision-encoder-decoder"},
        {"vision_config": VIT, "text_config": LLAMA, "model_type": "clip"},
        {"model": {"dim": 384, "num_heads": 12, "act": "relu", "norm_eps": 1e-3}},
        {"architecture": "vit_small_patch16_224", "num_heads": 12, "act": "relu", "norm_eps": 1e-3},
    ],
)
def test_a_config_that_fits_counts_beside_a_file(config, opened):
    model = opened(config)
    assert attention(model) == (12, "ReLU", 1e-3, ()) and said(model) == []


def test_a_config_of_a_folder_counts_though_it_tells_no_size(opened):
    model = opened({"num_heads": 12}, whole=True)
    assert attention(model)[0] == 12 and said(model) == []


def test_a_preprocessor_config_goes_with_the_config_beside_it(opened, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.1] * 3, "image_std": [0.2] * 3}))
    assert opened(VIT).preprocessing.mean == (0.1,) * 3
    model = opened(LLAMA)
    assert model.preprocessing.mean != (0.1,) * 3
    assert said(model)[0].startswith("config.json and preprocessor_config.json beside the file were not used: ")


def test_heads_of_another_networks_config_are_not_those_of_unknown_names(small, tmp_path):
    save_file(
        {f"net.{key.replace('blocks', 'stack')}": value for key, value in small.items()}, tmp_path / "w.safetensors"
    )
    (tmp_path / "config.json").write_text(json.dumps(MINILM))
    assert load_model(tmp_path / "w.safetensors").module.blocks[0].attn.num_heads == 6


@pytest.mark.parametrize(
    ("name", "fits", "other"),
    [
        ("swin_tiny_patch4_window7_224", SWIN, {**SWIN, "embed_dim": 128}),
        ("vit_tiny_patch16_224", {**VIT, "hidden_size": 192}, VIT),
        ("vit_base_r50_s16_224", {**VIT, "hidden_size": 768}, VIT),
    ],
)
def test_sizes_of_stages_and_of_a_stem_of_convolutions_are_compared(name, fits, other):
    with torch.device("meta"):
        tensors = timm.create_model(name).state_dict()
    assert contradiction(fits, tensors) == "" and contradiction(other, tensors)


def test_sizes_of_a_google_archive_are_read_its_own_way_round():
    block = {
        f"Transformer/encoderblock_{i}/LayerNorm_0/{name}": torch.ones(384) for i in (0, 1) for name in ("bias", "s")
    }
    tensors = {"embedding/kernel": torch.ones(16, 16, 3, 384), **block}
    assert contradiction({**VIT, "num_hidden_layers": 2}, tensors) == ""
    assert "16 x 16 px" in contradiction({**VIT, "num_hidden_layers": 2, "patch_size": 32}, tensors)


def test_without_a_config_nothing_is_said():
    checkpoint, _ = checkpoint_of({}, folder={"preprocessor": {"image_mean": [0.5]}})
    assert fitted(checkpoint, named=False) == (checkpoint, None)
