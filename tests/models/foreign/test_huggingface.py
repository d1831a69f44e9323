"""Folders and files of Hugging Face's ViT family give, through timm, what transformers gives."""

import pytest
import torch
from formats import build, checkpoint_of, findings, folder_of, images, randomise, recognise, through_disk

from vitviz.attention.lens import logit_lens
from vitviz.attention.trace import trace
from vitviz.models.fitting import fitted
from vitviz.models.loading import load_model
from vitviz.models.saving import save_model

transformers = pytest.importorskip("transformers")

SIZES = {
    "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 80,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip
LABELS = {0: "cat", 1: "dog", 2: "frog"}
VIEW = images(32)


def made(kind, **config):
    """A model of transformers with random weights: kind "ViT" takes ViTForImageClassification and ViTConfig."""
    family, _, task = kind.partition(" ")
    values = {**SIZES, "id2label": LABELS, **config}
    return randomise(getattr(transformers, family + (task or "ForImageClassification"))(
        getattr(transformers, family + "Config")(**values)
    ))  # fmt: skip


@pytest.fixture
def ways(tmp_path):
    """A model written in both ways: as a folder with a config, and as a state dict of its module with the config."""

    def write(model):
        model.save_pretrained(tmp_path / "saved")
        disk, config = folder_of(tmp_path / "saved")
        memory = through_disk(model, tmp_path / "model.pth")
        for tensors in (disk, memory):
            checkpoint, _ = checkpoint_of(tensors, folder=config)
            assert fitted(checkpoint, named=False) == (checkpoint, None)
        return [recognise(disk, folder=config), recognise(memory, folder=config)]

    return write


@pytest.mark.parametrize(
    ("kind", "config", "title"),
    [
        ("ViT", {}, "Hugging Face ViT"),
        ("ViT", {"qkv_bias": False, "hidden_act": "relu", "num_channels": 1}, "Hugging Face ViT"),
        ("ViT", {"image_size": (24, 40), "layer_norm_eps": 1e-3, "hidden_act": "quick_gelu"}, "Hugging Face ViT"),
        ("DeiT", {}, "Hugging Face DeiT"),
        ("DeiT ForImageClassificationWithTeacher", {}, "Hugging Face DeiT"),
        ("ViTMSN", {}, "Hugging Face ViTMSN"),
        ("IJepa", {}, "Hugging Face I-JEPA"),
        ("Beit", {"use_relative_position_bias": True}, "Hugging Face BEiT"),
        ("Beit", {"use_absolute_position_embeddings": True, "layer_scale_init_value": 0.0}, "Hugging Face BEiT"),
        ("Beit", {"use_shared_relative_position_bias": True, "use_mean_pooling": False}, "Hugging Face BEiT"),
        ("Data2VecVision", {"use_relative_position_bias": True}, "Hugging Face BEiT"),
    ],
)
def test_logits_are_those_of_transformers(kind, config, title, ways, same):
    model = made(kind, **config)
    size = config.get("image_size", 32)
    view = images(size, config.get("num_channels", 3))
    with torch.no_grad():
        expected = model(view).logits
    for found in ways(model):
        assert found.format == title and found.labels == ("cat", "dog", "frog")
        assert found.model_args["num_heads"] == 4 and findings(found, "missing") == []
        same(build(found)(view), expected)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("ViT Model", {}),
        ("DeiT Model", {}),
        ("Dinov2 Model", {}),
        ("Dinov2 Model", {"use_swiglu_ffn": True}),
        ("Dinov2WithRegisters Model", {"num_register_tokens": 3}),
        ("DINOv3ViT Model", {"num_register_tokens": 2}),
        (
            "DINOv3ViT Model",
            {"use_gated_mlp": True, "hidden_act": "silu", "rope_theta": 50.0, "query_bias": False, "value_bias": False},
        ),
    ],
)
def test_features_are_those_of_transformers(kind, config, ways, same):
    model = made(kind, **config)
    with torch.no_grad():
        expected = model(VIEW).last_hidden_state
    for found in ways(model):
        assert found.model_args["num_heads"] == 4 and found.model_args["num_classes"] == 0
        same(build(found).forward_features(VIEW), expected)


def test_encoder_of_vitmae_is_kept_and_its_decoder_named_as_dropped(ways, same):
    small = {f"decoder_{k}": v for k, v in SIZES.items() if k not in ("image_size", "patch_size")}
    model = made("ViTMAE ForPreTraining", mask_ratio=0.0, **small)
    with torch.no_grad():
        output = model.vit(VIEW, noise=torch.arange(16.0).repeat(2, 1))
    for found in ways(model):
        assert any("decoder" in text for text, _ in findings(found, "ignored"))
        same(build(found).forward_features(VIEW), output.last_hidden_state)


@pytest.mark.parametrize("mean", [False, True])
def test_encoder_of_pretrained_beit_is_kept(mean, ways, same):
    sizes = {"use_shared_relative_position_bias": True, "use_mask_token": True, "use_mean_pooling": mean}
    model = made("Beit ForMaskedImageModeling", vocab_size=7, **sizes)
    with torch.no_grad():
        expected = model.beit(VIEW).last_hidden_state
        # Where the encoder ends without a norm, that of the pretraining is the last one.
        expected = model.layernorm(expected) if mean else expected
    for found in ways(model):
        assert any("pretraining" in text for text, _ in findings(found, "ignored"))
        same(build(found).forward_features(VIEW), expected)


@pytest.mark.parametrize("kind", ["Dinov2", "Dinov2WithRegisters"])
def test_classifier_over_class_token_and_mean(kind, tmp_path, picture, same):
    model = made(kind)
    model.save_pretrained(tmp_path / "saved")
    with torch.no_grad():
        expected = model(VIEW).logits
    found = load_model(tmp_path / "saved")
    assert found.labels == ("cat", "dog", "frog") and found.default_query == "cls"
    assert any(f.topic == "output from" and "beside the mean" in f.text for f in found.report)
    save_model(found, tmp_path / "again")
    for each in (found, load_model(tmp_path / "again")):
        with torch.no_grad():
            same(each.module(VIEW), expected)
    seen = trace(found, picture)
    lens = logit_lens(found, seen)
    assert lens.error < 1e-5 and seen.logits.size == 3


@pytest.mark.parametrize("second", [False, True])
def test_swin(second, ways, same):
    family = "Swinv2" if second else "Swin"
    kind = getattr(transformers, f"{family}ForImageClassification")
    config = getattr(transformers, f"{family}Config")(
        image_size=64, patch_size=2, embed_dim=24, depths=[2, 1, 2], num_heads=[2, 4, 8], window_size=4,
        mlp_ratio=3.0, id2label=LABELS,
    )  # fmt: skip
    model, view = randomise(kind(config)), images(64)
    with torch.no_grad():
        expected = model(view).logits
    for found in ways(model):
        assert found.model_args["num_heads"] == (2, 4, 8) and found.model_args["window_size"] == 4
        same(build(found)(view), expected)


def test_pretrained_swin_loses_only_its_decoder(ways):
    config = transformers.SwinConfig(
        image_size=32, patch_size=2, embed_dim=16, depths=[1, 1], num_heads=[2, 4], window_size=4
    )
    for found in ways(randomise(transformers.SwinForMaskedImageModeling(config))):
        build(found)


TEXT = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 9
}  # fmt: skip


@pytest.mark.parametrize("whole", [False, True])
def test_clip(whole, ways, same):
    if whole:
        config = transformers.CLIPConfig(text_config=TEXT, vision_config=SIZES, projection_dim=12)
        model = randomise(transformers.CLIPModel(config))
    else:
        model = randomise(transformers.CLIPVisionModelWithProjection(
            transformers.CLIPVisionConfig(**SIZES, projection_dim=12)
        ))  # fmt: skip
    with torch.no_grad():
        expected = model.visual_projection(model.vision_model(VIEW).pooler_output)
    for found in ways(model):
        assert found.model_args["num_heads"] == 4
        same(build(found)(VIEW), expected)


def test_siglip(ways, same):
    model = randomise(transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**SIZES)))
    with torch.no_grad():
        expected = model(VIEW).pooler_output
    for found in ways(model):
        same(build(found)(VIEW), expected)


@pytest.mark.parametrize("family", ["CLIP", "Siglip"])
def test_classifier_of_clip_and_siglip(family, ways, same):
    config = getattr(transformers, f"{family}Config")(text_config=TEXT, vision_config=SIZES, id2label=LABELS)
    model = randomise(getattr(transformers, f"{family}ForImageClassification")(config))
    with torch.no_grad():
        expected = model(VIEW).logits
    for found in ways(model):
        assert found.labels == ("cat", "dog", "frog")
        same(build(found)(VIEW), expected)


def test_without_config_heads_are_left_to_the_caller(tmp_path, same):
    model = made("ViT", layer_norm_eps=1e-12)
    found = recognise(through_disk(model, tmp_path / "model.pth"))
    assert "num_heads" not in found.model_args and findings(found, "heads")[0][1] == "assumed"
    with torch.no_grad():
        same(build(found, num_heads=4)(VIEW), model(VIEW).logits)


def test_names_behind_the_prefix_of_a_wrapper(tmp_path, same):
    model = made("ViT")
    tensors = {f"net.{k}": v for k, v in through_disk(model, tmp_path / "model.pth").items()}
    with torch.no_grad():
        same(build(recognise(tensors), num_heads=4)(VIEW), model(VIEW).logits)


def test_sizes_out_of_all_proportion_in_a_config_are_not_believed(tmp_path):
    config = transformers.Swinv2Config(
        image_size=32, patch_size=2, embed_dim=16, depths=[1, 1], num_heads=[2, 4], window_size=4
    )
    model = randomise(transformers.Swinv2Model(config))
    model.save_pretrained(tmp_path)
    tensors, config = folder_of(tmp_path)
    found = recognise(tensors, folder={**config, "image_size": 10**6, "window_size": 10**5})
    assert found.model_args["img_size"] <= 2048 and found.model_args["window_size"] == 8


def test_preprocessing_is_that_of_the_folder(ways, tmp_path):
    model = made("ViT")
    model.save_pretrained(tmp_path / "with")
    processor = {
        "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "resample": 3,
        "do_center_crop": True, "size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32},
    }  # fmt: skip
    tensors, config = folder_of(tmp_path / "with")
    found = recognise(tensors, folder={**config, "preprocessor": processor}).preprocessing
    assert found["mean"] == (0.1, 0.2, 0.3) and found["std"] == (0.4, 0.5, 0.6) and found["interpolation"] == "bicubic"
    assert found["input_size"] == (3, 32, 32) and found["crop_pct"] == pytest.approx(32 / 36)
    plain = recognise(tensors, folder=config)
    assert plain.preprocessing["mean"] == (0.5, 0.5, 0.5) and findings(plain, "preprocessing")[0][1] == "assumed"


def test_layer_that_is_not_there_is_named(tmp_path):
    tensors = through_disk(made("ViT"), tmp_path / "model.pth")
    del tensors["vit.layers.1.mlp.fc1.bias"]
    assert findings(recognise(tensors), "missing") == [("blocks.1.mlp.fc1.bias", "warning")]


def test_heads_that_do_not_divide_the_width_are_not_believed(tmp_path):
    model = made("ViT")
    model.save_pretrained(tmp_path)
    tensors, config = folder_of(tmp_path)
    found = recognise(tensors, folder={**config, "num_attention_heads": 7})
    assert "num_heads" not in found.model_args and ("warning" in [c for _, c in findings(found, "heads")])
