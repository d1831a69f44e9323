"""From pixels to tokens: what is said to be embedded and added is what the network itself computes."""

import numpy as np
import pytest
import torch

from vitviz.embeddings.pixels import patch_tokens
from vitviz.errors import ModelError


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("class token", 1), ("distilled", 2), ("registers beside", 4), ("no class token", 0), ("patches only", 1),
     ("eva02", 1), ("naflex", 4), ("naflex, keeps shape", 4), ("separate", 4)],
)  # fmt: skip
def test_embedding_plus_position_is_what_the_first_layer_gets(kind, picture, name, prefix):
    from vitviz.embeddings.tables import absolute_table

    model = kind(name)
    found = patch_tokens(model, picture)
    assert found.grid == (4, 6) and len(found.prefix_tokens) == prefix and found.note == ""
    assert found.tokens.shape == (24 + prefix, model.module.embed_dim)
    assert found.tokens[prefix:] == pytest.approx(found.embedded + found.position, abs=1e-5)
    assert found.position == pytest.approx(absolute_table(model).patches.reshape(24, -1), abs=1e-5)


def test_embedding_of_a_patch_is_the_kernel_over_its_pixels(tiny_vit, picture):
    found = patch_tokens(tiny_vit, picture)
    view = tiny_vit.preprocess(picture)
    projection = tiny_vit.module.patch_embed.proj
    pixels = view[0, :, 32:48, 80:96]
    with torch.no_grad():
        by_hand = (projection.weight * pixels).sum((1, 2, 3)) + projection.bias
    assert found.embedded[2 * 6 + 5] == pytest.approx(by_hand.numpy(), abs=1e-4)


def test_prefix_tokens_carry_their_rows(tiny_vit, picture):
    found = patch_tokens(tiny_vit, picture)
    token = (tiny_vit.module.cls_token[0, 0] + tiny_vit.module.pos_embed[0, 0]).detach().numpy()
    assert found.tokens[0] == pytest.approx(token, abs=1e-6)


@pytest.mark.parametrize("name", ["registers, no rows", "mixed", "beit"])
def test_where_nothing_is_added_there_is_no_position(kind, picture, name):
    assert patch_tokens(kind(name), picture).position is None


def test_swin_adds_nothing_and_has_no_prefix(tiny_swin, picture):
    found = patch_tokens(tiny_swin, picture)
    assert found.grid == (9, 11) and found.position is None and found.prefix_tokens == ()
    assert np.array_equal(found.tokens, found.embedded)


def test_hybrid_says_that_a_convolutional_network_comes_first(make, picture):
    model = make("vit_tiny_r_s16_p8_224", (64, 96), img_size=(64, 96), embed_dim=32, depth=1, num_heads=2)
    found = patch_tokens(model, picture)
    assert found.grid == (2, 3) and "convolutional" in found.note


def test_network_whose_stem_makes_the_tokens_is_refused(make, picture):
    model = make("test_coatnet", (64, 96), img_size=(64, 96), num_classes=5)
    with pytest.raises(ModelError, match="no patch has an embedding of its own"):
        patch_tokens(model, picture)


def test_no_hook_is_left_behind(tiny_vit, picture):
    patch_tokens(tiny_vit, picture)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in tiny_vit.module.modules())
