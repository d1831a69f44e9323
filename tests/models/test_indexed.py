"""Weights of timm's own architectures: what the file says goes before the index, and what nothing says is a guess."""

import dataclasses
import sys
from pathlib import Path

import pytest
import timm
import torch

sys.path.insert(0, str(Path(__file__).parent / "foreign"))
from formats import checkpoint_of, findings

from vitviz.attention.trace import trace
from vitviz.errors import AttentionError, ViewWantedError
from vitviz.models.loading import load_model
from vitviz.models.recognising import recognise

# One of each family that is no plain ViT, with its layers that can be seen; 0 where the attention is of another kind.
FAMILIES = {
    "levit_128s": 11, "twins_svt_small": 9, "crossvit_tiny_240": 21, "gcvit_xxtiny": 12, "nest_tiny": 0,
    "visformer_tiny": 8, "mobilevit_xxs": 0, "coat_lite_tiny": 0, "efficientformer_l1": 1,
}  # fmt: skip


def on_meta(name, **args):
    with torch.device("meta"):
        return timm.create_model(name, **args).state_dict()


def recognised(tensors, path="w.pth", view=None, **options):
    checkpoint, _ = checkpoint_of(tensors, **options)
    return recognise(dataclasses.replace(checkpoint, path=Path(path), view=view))


class TestHeads:
    TENSORS = staticmethod(lambda: on_meta("vit_small_patch16_224", num_classes=5))

    def test_of_the_architecture_where_nothing_is_said(self):
        found = recognised(self.TENSORS())
        assert "num_heads" not in found.model_args and findings(found, "heads")[0][0].startswith("6, those of")

    @pytest.mark.parametrize(
        "options",
        [
            {"attributes": {f"blocks.{i}.attn": {"num_heads": 12} for i in range(12)}},
            {"config": {"args": {"num_heads": 12}}},
        ],
    )
    def test_that_the_file_says_go_before_those_of_the_architecture(self, options):
        found = recognised(self.TENSORS(), **options)
        assert found.model_args["num_heads"] == 12 and findings(found, "heads")[0][1] == "found"

    def test_that_do_not_divide_the_width_are_no_heads(self):
        found = recognised(self.TENSORS(), config={"num_heads": 7})
        assert "num_heads" not in found.model_args and findings(found, "heads")[0][0].startswith("6, those of")


class TestWindow:
    def test_of_tables_is_kept_and_not_resampled(self):
        found = recognised(on_meta("swin_tiny_patch4_window7_224", img_size=256, window_size=8, num_classes=5))
        assert (found.model_args["window_size"], found.model_args["img_size"]) == (8, (256, 256))
        assert findings(found, "window")[0][1] == "inferred" and findings(found, "view")[0][1] == "assumed"

    def test_of_version_2_is_a_guess_where_two_architectures_differ_in_nothing_else(self):
        found = recognised(on_meta("swinv2_tiny_window8_256"))
        text, certainty = findings(found, "window")[0]
        assert certainty == "assumed" and "swinv2_tiny_window8_256 has the same tensors" in text

    def test_of_version_2_is_the_one_that_is_said(self):
        tensors = on_meta("swinv2_tiny_window8_256")
        by_name = recognised(tensors, path="swinv2_tiny_window8_256.pth")
        assert by_name.architecture == "swinv2_tiny_window8_256"
        by_config = recognised(tensors, config={"args": {"window_size": 8}})
        assert by_config.model_args["window_size"] == 8 and findings(by_config, "window")[0][1] == "found"


class TestView:
    def test_of_a_square_position_embedding(self):
        found = recognised(on_meta("vit_tiny_patch16_224", img_size=160, num_classes=5))
        assert found.model_args["img_size"] == (160, 160) and findings(found, "view")[0][1] == "inferred"

    def test_that_is_no_square_is_asked_for(self):
        tensors = on_meta("vit_tiny_patch16_224", img_size=(160, 96), num_classes=5)
        with pytest.raises(ViewWantedError, match=r"60 places for patches, which fit no square.*image_size"):
            recognised(tensors)
        for options in ({"view": (160, 96)}, {"config": {"img_size": [160, 96]}}):
            assert recognised(tensors, **options).model_args["img_size"] == (160, 96)

    def test_that_no_tensor_tells_is_a_guess(self):
        found = recognised(on_meta("vit_relpos_small_patch16_224", img_size=160, num_classes=5))
        assert findings(found, "view")[0][1] == "assumed" and "img_size" not in found.model_args
        said = recognised(on_meta("vit_relpos_small_patch16_224", img_size=160), config={"img_size": 160})
        assert said.model_args["img_size"] == (160, 160) and findings(said, "view")[0][1] == "found"

    def test_a_view_out_of_proportion_is_not_believed(self):
        found = recognised(on_meta("swin_tiny_patch4_window7_224"), config={"img_size": 8192})
        assert "img_size" not in found.model_args

    def test_a_rectangular_file_opens_exactly_when_its_view_is_said(self, tmp_path):
        network = timm.create_model("test_vit", img_size=(64, 96), num_classes=3).eval()
        torch.save(network.state_dict(), tmp_path / "w.pth")
        model = load_model(tmp_path / "w.pth", image_size=(64, 96))
        view = torch.randn(1, 3, 64, 96)
        with torch.no_grad():
            torch.testing.assert_close(model.module(view), network(view), atol=0, rtol=0)
        assert not [f for f in model.report if f.topic == "resampled"]


@pytest.mark.parametrize(
    ("options", "activation"),
    [
        ({"attributes": {"blocks.0.mlp.act": {"class": "timm.layers.activations.QuickGELU"}}}, "quick_gelu"),
        ({"attributes": {"blocks.0.mlp.act": {"class": "torch.nn.modules.activation.ReLU"}}}, "relu"),
        ({"attributes": {"a": {"class": "torch.nn.modules.activation.GELU", "approximate": "tanh"}}}, "gelu_tanh"),
        ({"config": {"args": {"activation": "nn.SiLU"}}}, "silu"),
        ({"attributes": {"blocks.0.mlp.act": {"class": "torch.nn.modules.activation.GELU"}}}, None),
        ({}, None),
    ],
)
def test_activation_that_the_file_says_goes_before_the_architectures(options, activation):
    found = recognised(on_meta("vit_tiny_patch16_224", num_classes=5), **options)
    assert found.model_args.get("act_layer") == activation


@pytest.mark.parametrize("name", FAMILIES)
def test_a_bare_file_of_each_family_opens_as_that(name, tmp_path, picture):
    network = timm.create_model(name, num_classes=7).eval()
    torch.save(network.state_dict(), tmp_path / "w.pth")
    model = load_model(tmp_path / "w.pth")
    assert model.architecture == name and model.module.num_classes == 7
    view = torch.randn(1, 3, *model.preprocessing.input_size)
    with torch.no_grad():
        torch.testing.assert_close(model.module(view), network(view), atol=0, rtol=0)
    if FAMILIES[name]:
        assert len(trace(model, picture).layers) == FAMILIES[name]
    else:
        with pytest.raises(AttentionError, match=r"can be shown|made no attention call"):
            trace(model, picture)
