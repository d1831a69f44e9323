"""The tokens of every block: those that plain hooks see, and what is computed from them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import vitviz
from vitviz.attention.token_features import Features, _principal
from vitviz.attention.values import Place
from vitviz.errors import AttentionError


def hooked(model, picture, names):
    """name of a module -> a copy of its output in a pass of its own."""
    outputs, handles = {}, []
    for name in names:

        def keep(module, args, output, name=name):
            outputs[name] = output.clone()

        handles.append(model.module.get_submodule(name).register_forward_hook(keep))
    with torch.no_grad():
        model.module(model.preprocess(picture))
    for handle in handles:
        handle.remove()
    return outputs


def test_features_of_every_family_are_the_outputs_of_its_blocks(family, built, picture):
    model, seen = built(family)
    layers = [layer for layer in seen.layers if layer.kind != "pool"]
    names = {layer.index: layer.name.rpartition(".")[0] for layer in layers}
    outputs = hooked(model, picture, set(names.values()))
    for layer in layers:
        tokens = seen.features(layer.index)
        wanted = outputs[names[layer.index]][0]
        if wanted.dim() == 3 and wanted.shape[:2] != layer.query_grid.shape:
            wanted = wanted.movedim(0, -1)  # channels first
        wanted = wanted.reshape(-1, wanted.shape[-1]).numpy()
        assert tokens.shape == (layer.num_queries, wanted.shape[-1]) and tokens.dtype == np.float32
        assert np.array_equal(tokens, wanted)


def test_torchvision_and_packed_attention_have_blocks_too(wrap, sharp, picture):
    from torchvision.models import VisionTransformer

    size = {"image_size": 64, "patch_size": 16, "num_layers": 2, "num_heads": 2, "hidden_dim": 32, "mlp_dim": 64}
    model = wrap(sharp(VisionTransformer(**size, num_classes=5)), (64, 64))
    names = [f"encoder.layers.encoder_layer_{i}" for i in range(2)]
    outputs, seen = hooked(model, picture, names), vitviz.trace(model, picture)
    for index, name in enumerate(names):
        # Outside a trace torch takes its fast path through packed attention, whose sums run in another order.
        assert seen.features(index) == pytest.approx(outputs[name][0].numpy(), rel=1e-4, abs=1e-5)
    encoder = torch.nn.TransformerEncoderLayer(32, 2, 64, batch_first=False)

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cut = torch.nn.Conv2d(3, 32, 16, 16)
            self.layers = torch.nn.TransformerEncoder(encoder, 2, enable_nested_tensor=False)

        def forward(self, view):
            return self.layers(self.cut(view).flatten(2).permute(2, 0, 1)).mean(0)

    model = wrap(sharp(Network()), (64, 64))
    seen = vitviz.trace(model, picture)
    outputs = hooked(model, picture, ["layers.layers.0", "layers.layers.1"])
    for index in range(2):
        assert seen.features(index) == pytest.approx(
            outputs[f"layers.layers.{index}"][:, 0].numpy(), rel=1e-4, abs=1e-5
        )


def test_attention_without_a_block_around_it_is_refused_with_the_reason(wrap, sharp, picture):
    class Bare(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cut = torch.nn.Conv2d(3, 32, 16, 16)
            self.layers = torch.nn.ModuleList(torch.nn.MultiheadAttention(32, 2, batch_first=True) for _ in range(2))

        def forward(self, view):
            tokens = self.cut(view).flatten(2).mT
            for layer in self.layers:
                tokens = tokens + layer(tokens, tokens, tokens)[0]
            return tokens.mean(1)

    seen = vitviz.trace(wrap(sharp(Bare()), (64, 64)), picture)
    with pytest.raises(AttentionError, match="no module that is a block"):
        seen.features(0)


def test_a_pool_gives_no_tokens_on(make, picture):
    size = {"img_size": (64, 96), "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 5}
    seen = vitviz.trace(make("vit_base_patch16_siglip_224", (64, 96), **size), picture)
    with pytest.raises(AttentionError, match="is a pool"):
        seen.features(2)


def test_features_can_be_left_out_and_then_cost_nothing(tiny_vit, picture):
    kept, without = vitviz.trace(tiny_vit, picture), vitviz.trace(tiny_vit, picture, features=False)
    assert kept.bytes - without.bytes == sum(kept.features(i).nbytes for i in range(3))
    with pytest.raises(AttentionError, match="features=False"):
        without.features(0)
    assert np.array_equal(kept.logits, without.logits)


def test_no_hook_is_left_behind(tiny_vit, picture):
    vitviz.trace(tiny_vit, picture)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in tiny_vit.module.modules())


def test_norms_are_those_of_numpy(tiny_vit, picture):
    seen = vitviz.trace(tiny_vit, picture)
    found = vitviz.token_norms(seen, 1)
    norms = np.sqrt((seen.features(1).astype(np.float64) ** 2).sum(-1))
    assert found.values == pytest.approx(norms[1:].reshape(4, 6), rel=1e-6)
    assert found.prefix_weights == {"cls": pytest.approx(norms[0], rel=1e-6)}


@pytest.mark.parametrize("query", ["cls", "mean", (1, 4), Place(100.0, 20.0)])
def test_similarity_is_the_cosine_with_the_query(tiny_vit, picture, query):
    seen = vitviz.trace(tiny_vit, picture)
    found = vitviz.feature_similarity(seen, 2, query)
    tokens = seen.features(2).astype(np.float64)
    cell = found.query_cell
    one = {"cls": tokens[0], "mean": tokens[1:].mean(0)}[query] if cell is None else tokens[1 + 6 * cell[0] + cell[1]]
    cosines = tokens @ one / np.linalg.norm(tokens, axis=1) / np.linalg.norm(one)
    assert found.values == pytest.approx(cosines[1:].reshape(4, 6), abs=1e-6)
    if cell is not None:
        assert found.values[cell] == pytest.approx(1.0, abs=1e-6) and np.argmax(found.values) == 6 * cell[0] + cell[1]


def test_similarity_to_a_token_that_the_layer_lacks_is_to_the_mean(tiny_swin, picture):
    found = vitviz.feature_similarity(vitviz.trace(tiny_swin, picture), 0)
    assert found.selection.query == "mean" and found.values.shape == (9, 11)


@given(count=st.integers(2, 30), width=st.integers(1, 30), seed=st.integers(0, 2**16))
def test_components_equal_the_singular_value_decomposition_up_to_sign(count, width, seed):
    patches = np.random.default_rng(seed).normal(size=(count, width)) * np.linspace(1, 3, width)
    scores, explained = _principal(patches)
    centred = patches - patches.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    kept = min(3, len(s))
    assert np.abs(scores[:, :kept]) == pytest.approx(np.abs(u * s)[:, :kept], abs=1e-6)
    assert explained[:kept] == pytest.approx((s**2 / (s**2).sum())[:kept], abs=1e-9)
    assert (scores[np.abs(scores).argmax(0), range(3)] >= 0).all()


def test_components_of_a_layer_equal_those_of_numpy_and_span_the_colours(tiny_swin, picture):
    seen = vitviz.trace(tiny_swin, picture)
    found = vitviz.feature_components(seen, 1)
    patches = seen.features(1).astype(np.float64)
    u, s, _ = np.linalg.svd(patches - patches.mean(0), full_matrices=False)
    assert np.abs(found.scores.reshape(-1, 3)) == pytest.approx(np.abs(u * s)[:, :3], abs=1e-4)
    assert found.foreground.all() and found.colors.reshape(-1, 3).min(0).tolist() == [0, 0, 0]
    assert found.colors.reshape(-1, 3).max(0).tolist() == [255, 255, 255]


def test_the_foreground_is_one_side_of_the_first_component_with_components_of_its_own(tiny_swin, picture):
    features = Features(vitviz.trace(tiny_swin, picture))
    whole = features.components(0)
    first = whole.scores[..., 0]
    scaled = (first - first.min()) / (first.max() - first.min())
    above, below = features.components(0, 0.4), features.components(0, 0.4, "below")
    assert np.array_equal(above.foreground, scaled >= 0.4) and np.array_equal(below.foreground, scaled <= 0.4)
    patches = features.tokens(0)[above.foreground.ravel()].astype(np.float64)
    u, s, _ = np.linalg.svd(patches - patches.mean(0), full_matrices=False)
    assert np.abs(above.scores[above.foreground]) == pytest.approx(np.abs(u * s)[:, :3], abs=1e-4)
    assert not above.colors[~above.foreground].any()


def test_a_threshold_that_leaves_nothing_is_refused(tiny_swin, picture):
    with pytest.raises(AttentionError, match="nearer to the middle"):
        vitviz.feature_components(vitviz.trace(tiny_swin, picture), 0, foreground=1.5)


def test_equal_patches_have_no_components_but_a_colour():
    scores, explained = _principal(np.ones((5, 4)))
    assert not scores.any() and not explained.any()
