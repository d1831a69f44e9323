"""What a script has set, training or other types of numbers, changes nothing of what is seen, and stays set."""

import numpy as np
import pytest
import torch

import vitviz
from vitviz import Ablation
from vitviz.attention.costs import measure
from vitviz.attention.lens import logit_lens
from vitviz.embeddings.pixels import patch_tokens


@pytest.fixture
def training(make):
    """A ViT whose dropout drops a lot, with one part that its user keeps in eval mode."""
    model = make("vit_tiny_patch16_224", (64, 96), img_size=(64, 96), embed_dim=32, depth=3, num_heads=2, num_classes=5)
    for part in model.module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.5
    return model


LOOKS = {
    "trace": lambda model, image: vitviz.trace(model, image).logits,
    "ablated trace": lambda model, image: vitviz.trace(model, image, ablation=Ablation([(1, 0)])).logits,
    "relevance": lambda model, image: vitviz.relevance(model, image).values,
    "head ablation": lambda model, image: vitviz.head_ablation(model, image),
    "logit lens": lambda model, image: logit_lens(model, vitviz.trace(model, image)).probabilities,
    "tokens": lambda model, image: patch_tokens(model, image).tokens,
    "cost": lambda model, image: np.array(measure(model, image, vitviz.trace(model, image)).flops),
}


@pytest.mark.parametrize("name", LOOKS)
def test_what_is_seen_is_what_eval_mode_gives_and_training_goes_on(training, picture, name):
    module = training.module.eval()
    expected = LOOKS[name](training, picture)
    module.train()
    module.blocks[1].eval()
    before = [each.training for each in module.modules()]
    np.testing.assert_allclose(LOOKS[name](training, picture), expected, atol=1e-6)
    assert [each.training for each in module.modules()] == before and len(set(before)) == 2


def test_model_that_is_opened_in_inference_mode_gives_gradients(picture):
    with torch.inference_mode():
        model = vitviz.load_model("test_vit", pretrained=False, device="cpu")
        within = vitviz.relevance(model, picture).values
    assert not any(p.is_inference() for p in model.module.parameters())
    wanted = [p.requires_grad for p in model.module.parameters()]
    np.testing.assert_allclose(vitviz.relevance(model, picture).values, within, atol=1e-6)
    assert [p.requires_grad for p in model.module.parameters()] == wanted


def test_no_heads_and_no_queries_are_no_weights(tiny_vit, picture):
    seen = vitviz.trace(tiny_vit, picture)
    assert seen.weights(0, heads=[]).shape == (0, 25, 25) and seen.weights(0, queries=[]).shape == (2, 0, 25)


@pytest.mark.parametrize("family", ["tiny_vit", "tiny_swin"])
def test_float64_as_the_default_type_of_a_script_changes_nothing(request, picture, family):
    model = request.getfixturevalue(family)

    def looks():
        seen = vitviz.trace(model, picture)
        yield vitviz.rollout(seen).values
        yield vitviz.relevance(model, picture).values
        yield vitviz.attention_distance(seen)
        for query in ("mean", None):
            yield vitviz.attention_map(seen, layer=0, query=query).values
            yield vitviz.attention_map(seen, layer=0, query=query, direction="to").values

    expected = list(looks())
    torch.set_default_dtype(torch.float64)
    try:
        found = list(looks())
    finally:
        torch.set_default_dtype(torch.float32)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, atol=1e-6)
