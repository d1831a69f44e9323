"""The report says which sizes are a network's own and which are its architecture's."""

import pytest
import timm

from vitviz.models.describing import sizes_in
from vitviz.models.loading import load_model


def architecture(model):
    (text,) = [finding.text for finding in model.report if finding.topic == "architecture"]
    return text


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("demo", "built on vit_tiny_patch16_224 with its own sizes: 6 layers, width 128, 4 heads, patches of 16 px, "),
        ("demo-swin", "built on swin_tiny_patch4_window7_224 with its own sizes: "),
    ],
)
def test_other_sizes_are_said(source, words):
    assert architecture(load_model(source)).startswith(words)


def test_sizes_of_the_architecture_itself_are_not():
    assert architecture(load_model("test_vit", pretrained=False)).startswith("test_vit, ")
    saved = load_model("test_vit", pretrained=False, patch_size=16, num_heads=2)
    assert architecture(saved).startswith("test_vit, ")


def test_stages_have_sizes_of_their_own():
    net = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=56, embed_dim=24, depths=(1, 2), num_heads=(1, 2), num_classes=2
    )
    words = ["3 layers in stages of 1/2", "width 24", "1/2 heads", "patches of 4 px"]
    assert list(sizes_in(net).values()) == words
