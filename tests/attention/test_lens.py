"""The logit lens: its last layer is the model's output, its patches are what the model's head says of them."""

import numpy as np
import pytest
import torch
from families import FAMILIES

import vitviz
from vitviz.errors import AttentionError, Cancelled

_READ = (
    "vit", "deit-distilled", "dinov2-registers", "dinov3", "eva02", "beit", "siglip", "flexivit", "naflex-registers",
    "hybrid", "relpos-cls", "relpos-mlp", "swin-padded", "swin", "swinv2", "swinv2-cr", "maxvit-nchw", "coatnet",
)  # fmt: skip


@pytest.mark.parametrize("key", _READ)
def test_the_last_layer_through_the_lens_is_the_models_output(key, built):
    model, seen = built(next(family for family in FAMILIES if family.key == key))
    found = vitviz.logit_lens(model, seen)
    last = [each for each in found.layers if each is not None][-1]
    assert last.logits == pytest.approx(seen.logits, abs=1e-5 * max(1.0, float(np.abs(seen.logits).max())))
    assert found.error <= 1e-5 * max(1.0, float(np.abs(seen.logits).max()))


def test_a_class_token_model_is_read_by_norm_and_head_token_by_token(tiny_vit, picture):
    seen = vitviz.trace(tiny_vit, picture)
    found = vitviz.logit_lens(tiny_vit, seen)
    module = tiny_vit.module
    with torch.no_grad():
        for layer in range(3):
            tokens = torch.from_numpy(seen.features(layer))
            logits = module.head(module.norm(tokens)).numpy()
            assert found.layers[layer].logits == pytest.approx(logits[0], abs=1e-5)
            shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
            best = shares[1:].argmax(-1).reshape(4, 6)
            assert np.array_equal(found.layers[layer].classes[..., 0], best)
            assert found.layers[layer].probabilities[..., 0] == pytest.approx(
                shares[1:].max(-1).reshape(4, 6), abs=1e-5
            )
            assert found.layers[layer].probabilities.sum(-1) == pytest.approx(
                np.ones((4, 6)), abs=1e-5
            )  # 5 of 5 classes
            assert found.probabilities[layer] == pytest.approx(shares[0], abs=1e-5)


def test_a_mean_pooled_model_is_read_by_the_mean_through_fc_norm_and_head(make, picture):
    size = {"img_size": (64, 96), "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 5}
    model = make("vit_base_patch16_224", (64, 96), **size, global_pool="avg")
    assert not isinstance(model.module.fc_norm, torch.nn.Identity)
    seen = vitviz.trace(model, picture)
    found = vitviz.logit_lens(model, seen)
    with torch.no_grad():
        for layer in range(2):
            patches = torch.from_numpy(seen.features(layer))[1:]
            mean = model.module.head(model.module.fc_norm(patches.mean(0, keepdim=True)))[0].numpy()
            assert found.layers[layer].logits == pytest.approx(mean, abs=1e-5)
            alone = model.module.head(model.module.fc_norm(patches)).softmax(-1).max(-1)
            assert np.array_equal(found.layers[layer].classes[..., 0].ravel(), alone.indices.numpy())


def test_a_distilled_model_reads_every_patch_with_both_heads(make, picture):
    size = {"img_size": (64, 96), "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 5}
    model = make("deit_tiny_distilled_patch16_224", (64, 96), **size)
    seen = vitviz.trace(model, picture)
    found = vitviz.logit_lens(model, seen)
    with torch.no_grad():
        patches = model.module.norm(torch.from_numpy(seen.features(0)))[2:]
        both = (model.module.head(patches) + model.module.head_dist(patches)) / 2
    shares = both.softmax(-1).max(-1)
    assert np.array_equal(found.layers[0].classes[..., 0].ravel(), shares.indices.numpy())
    assert found.layers[0].probabilities[..., 0].ravel() == pytest.approx(shares.values.numpy(), abs=1e-5)


def test_a_pooled_patch_is_what_the_pool_gives_for_a_sequence_of_it_alone(make, picture):
    size = {"img_size": (64, 96), "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 5}
    model = make("vit_base_patch16_siglip_224", (64, 96), **size)
    seen = vitviz.trace(model, picture)
    found = vitviz.logit_lens(model, seen)
    assert found.layers[2] is None and "is a pool" in found.reasons[2]
    with torch.no_grad():
        one = torch.from_numpy(seen.features(1))[5:6].unsqueeze(0)
        logits = model.module.forward_head(model.module.norm(one))[0]
    assert int(found.layers[1].classes[0, 5, 0]) == int(logits.argmax())


def test_earlier_stages_of_a_swin_are_refused_with_their_width(tiny_swin, picture):
    found = vitviz.logit_lens(tiny_swin, vitviz.trace(tiny_swin, picture))
    assert found.layers[0] is None and "16 wide; the head reads 32" in found.reasons[0]
    assert found.layers[2] is not None and not found.reasons[2]
    assert np.isnan(found.probabilities[:2]).all() and found.probabilities[3].sum() == pytest.approx(1.0, abs=1e-5)


def test_torchvision_is_read_too(wrap, sharp, picture):
    from torchvision.models import SwinTransformer, VisionTransformer

    size = {"image_size": 64, "patch_size": 16, "num_layers": 2, "num_heads": 2, "hidden_dim": 32, "mlp_dim": 64}
    swin = {"patch_size": [4, 4], "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": [4, 4]}
    for network in (VisionTransformer(**size, num_classes=5), SwinTransformer(**swin, num_classes=5)):
        model = wrap(sharp(network), (64, 64))
        seen = vitviz.trace(model, picture)
        assert vitviz.logit_lens(model, seen).layers[-1].logits == pytest.approx(seen.logits, abs=1e-4)


def test_what_can_not_be_read_is_said(make, wrap, sharp, tiny_vit, picture):
    size = {"img_size": (64, 96), "embed_dim": 32, "depth": 2, "num_heads": 2}
    model = make("vit_tiny_patch16_224", (64, 96), **size, num_classes=0)
    with pytest.raises(AttentionError, match="no classes"):
        vitviz.logit_lens(model, vitviz.trace(model, picture))
    with pytest.raises(AttentionError, match="features=False"):
        vitviz.logit_lens(tiny_vit, vitviz.trace(tiny_vit, picture, features=False))


def test_a_network_that_does_more_between_tokens_and_head_is_refused(make, picture):
    size = {"img_size": (64, 96), "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 5}
    model = make("vit_tiny_patch16_224", (64, 96), **size)

    class Louder(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner, self.norm, self.num_prefix_tokens = inner, inner.norm, 1
            self.forward_head = inner.forward_head

        def forward(self, view):
            return 2 * self.inner(view)

    model.module = Louder(model.module)
    with pytest.raises(AttentionError, match="something else lies between"):
        vitviz.logit_lens(model, vitviz.trace(model, picture))


def test_cancelling_stops_it(tiny_vit, picture):
    with pytest.raises(Cancelled):
        vitviz.logit_lens(tiny_vit, vitviz.trace(tiny_vit, picture), cancel=lambda: True)
