"""How alike two positions are to a network: against numpy by hand, against rotation itself, against its own forward."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import vitviz
from vitviz.embeddings.positions import Positions, positions_of
from vitviz.errors import ModelError


def by_hand(table, grid):
    """Cosine similarity of (N, D) vectors, one pair after the other."""
    count = len(table)
    found = np.zeros((count, count))
    for i in range(count):
        for j in range(count):
            found[i, j] = table[i] @ table[j] / (np.linalg.norm(table[i]) * np.linalg.norm(table[j]))
    return found.reshape(*grid, *grid)


@pytest.mark.parametrize(
    ("name", "rows"),
    [("class token", ["cls"]), ("distilled", ["cls", "dist"]), ("registers beside", []),
     ("no class token", []), ("patches only", [])],
)  # fmt: skip
def test_learned_similarity_equals_the_cosine_by_hand(kind, name, rows):
    model = kind(name)
    table = model.module.pos_embed.detach().numpy()[0].astype(np.float64)
    assert len(table) - 24 == len(rows)
    found = vitviz.position_similarity(model)
    assert found.shape == (4, 6, 4, 6) and found.dtype == np.float32
    assert found == pytest.approx(by_hand(table[len(rows) :], (4, 6)), abs=1e-6)
    (positions,) = positions_of(model)
    assert positions.kind == "learned" and list(positions.prefix) == rows
    assert positions.row((2, 5)) == pytest.approx(found[2, 5], abs=1e-6)
    for i, token in enumerate(rows):
        whole = by_hand(np.concatenate([table[len(rows) :], table[i : i + 1]]), (25,))[-1, :-1]
        assert positions.row(token) == pytest.approx(whole.reshape(4, 6), abs=1e-6)


def added_at_this_view(model, picture):
    """What the network's own forward adds to its patches: what leaves its embedding less what leaves its projection."""
    seen = []
    hook = model.module.embeds.proj.register_forward_hook(lambda _, __, output: seen.append(output.clone()))
    with torch.no_grad():
        whole, _ = model.module.embeds(model.preprocess(picture))
    hook.remove()
    return (whole[:, -seen[0].shape[1] :] - seen[0])[0].numpy()


@pytest.mark.parametrize("name", ["naflex", "naflex, keeps shape", "separate"])
def test_resampled_table_is_what_the_forward_pass_adds(kind, picture, name):
    model = kind(name)
    (positions,) = positions_of(model)
    assert positions.table.patches.reshape(24, -1) == pytest.approx(added_at_this_view(model, picture), abs=1e-5)
    assert positions.kind == ("separate" if name == "separate" else "learned")
    assert vitviz.position_similarity(model) == pytest.approx(
        by_hand(positions.table.patches.reshape(24, -1).astype(np.float64), (4, 6)), abs=1e-5
    )


def sincos(rows, cols, width, base=10000.0):
    """The embedding of MAE: sines and cosines of the row in one half, of the column in the other."""
    waves = base ** -(np.arange(width // 4) / (width // 4))
    down, across = np.mgrid[:rows, :cols].reshape(2, -1)
    parts = [f(np.outer(at, waves)) for at in (across, down) for f in (np.sin, np.cos)]
    return np.concatenate(parts, 1).astype(np.float32)


def with_table(wrap, table, prefix=0):
    module = nn.Module()
    module.pos_embed = nn.Parameter(torch.from_numpy(table)[None])
    return wrap(module, (64, 96), prefix=("cls",) * prefix)


def test_sincos_similarity_depends_on_offsets_alone_and_is_named_so(wrap):
    table = sincos(4, 6, 32)
    model = with_table(wrap, np.concatenate([np.zeros((1, 32), np.float32), table]), prefix=1)
    (positions,) = positions_of(model)
    assert positions.kind == "sin-cos" and "rows and columns" in positions.text and "CLS" in positions.text
    found = vitviz.position_similarity(model)
    offsets = {}
    for r, c, s, d in np.ndindex(found.shape):
        offsets.setdefault((s - r, d - c), []).append(found[r, c, s, d])
    assert max(max(v) - min(v) for v in offsets.values()) < 1e-5
    assert len({round(float(v[0]), 3) for v in offsets.values()}) > 10
    assert np.all(positions.row("cls") == 0)  # an embedding of zeros is like nothing, not NaN


def test_sincos_over_the_index_is_told_from_that_over_rows_and_columns(wrap):
    waves = 10000.0 ** -(np.arange(16) / 16)
    angles = np.outer(np.arange(24), waves)
    table = np.concatenate([np.sin(angles), np.cos(angles)], 1).astype(np.float32)
    (positions,) = positions_of(with_table(wrap, table))
    assert positions.kind == "sin-cos" and "index in the sequence" in positions.text


def test_a_trained_looking_table_is_not_called_sincos(wrap):
    table = sincos(4, 6, 32) + np.random.default_rng(0).normal(0, 0.05, (24, 32)).astype(np.float32)
    (positions,) = positions_of(with_table(wrap, table))
    assert positions.kind == "learned"


@pytest.mark.parametrize("name", ["eva02", "registers, no rows"])
def test_rotary_kernel_is_what_rotation_makes_of_equal_vectors(kind, name):
    from timm.layers import apply_rot_embed_cat

    model = kind(name)
    positions = positions_of(model)[-1]
    assert positions.kind == "rotary" and not positions.per_head
    embed = model.module.rope.get_embed(shape=[4, 6])
    half = getattr(model.module.blocks[0].attn, "rotate_half", False)
    turned = apply_rot_embed_cat(torch.ones(24, embed.shape[-1] // 2), embed, half=half).double().numpy()
    expected = turned @ turned.T / (embed.shape[-1] // 2)
    assert positions.all() == pytest.approx(expected.reshape(4, 6, 4, 6), abs=1e-5)
    assert positions.row((3, 1)) == pytest.approx(positions.all()[3, 1], abs=1e-6)


def test_rotary_kernel_of_every_layer_and_head_is_its_own(kind):
    from timm.layers import apply_rot_embed_cat

    (positions,) = positions_of(kind("mixed"))
    assert positions.per_head and positions.vectors.shape[:2] == (2, 2)
    embed = kind("mixed").module.rope.get_embed(shape=[4, 6])
    kernels = np.zeros((2, 2, 24, 24))
    for layer in range(2):
        for head in range(2):
            turned = apply_rot_embed_cat(torch.ones(24, 16), embed[layer, head]).detach().numpy()
            kernels[layer, head] = turned @ turned.T / 16
            assert positions.all(layer=layer, head=head).reshape(24, 24) == pytest.approx(
                kernels[layer, head], abs=1e-5
            )
    assert np.abs(kernels[0, 0] - kernels[1, 1]).max() > 0.01
    assert positions.row((1, 2), layer=1).ravel() == pytest.approx(kernels[1, :, 8].mean(0), abs=1e-5)
    assert vitviz.position_similarity(kind("mixed"), layer=1).reshape(24, 24) == pytest.approx(
        kernels[1].mean(0), abs=1e-5
    )


def test_eva02_has_both_an_added_and_a_rotary_embedding(kind):
    assert [p.kind for p in positions_of(kind("eva02"))] == ["learned", "rotary"]


@pytest.mark.parametrize(("name", "reason"), [("beit", "bias to its attention")])
def test_network_without_position_embedding_is_refused_with_the_reason(kind, name, reason):
    assert positions_of(kind(name)) == ()
    with pytest.raises(ModelError, match=reason):
        vitviz.position_similarity(kind(name))


def test_swin_is_refused_with_the_reason(tiny_swin):
    with pytest.raises(ModelError, match="Ask relative_position_bias for it"):
        vitviz.position_similarity(tiny_swin)


def test_table_that_fits_no_grid_is_refused_with_numbers(wrap):
    with pytest.raises(ModelError, match="23 rows, which fit no grid"):
        positions_of(with_table(wrap, np.ones((23, 8), np.float32)))


@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 4), st.integers(0, 2**31))
def test_similarity_is_symmetric_bounded_and_one_with_itself(rows, cols, step, seed):
    table = np.random.default_rng(seed).normal(size=(rows * cols, 5)).astype(np.float32)
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    positions = Positions("learned", "", (rows, cols), unit[None, None])
    whole = positions.all()
    flat = whole.reshape(rows * cols, -1)
    assert flat == pytest.approx(flat.T, abs=1e-6)
    assert np.diag(flat) == pytest.approx(1.0, abs=1e-5) and np.abs(flat).max() <= 1 + 1e-5
    some = positions.some(step)
    assert some == pytest.approx(whole[step // 2 :: step, step // 2 :: step], abs=1e-6)


def test_position_beside_the_grid_and_unknown_token_are_refused(kind):
    (positions,) = positions_of(kind("class token"))
    for wrong in ((4, 0), (0, 6), (-1, 0)):
        with pytest.raises(ModelError, match="no patch"):
            positions.row(wrong)
    with pytest.raises(ModelError, match="has no position here"):
        positions.row("reg0")


def test_a_table_that_was_resampled_while_it_was_opened_says_from_what():
    finer = vitviz.load_model("demo", patch_size=8, device="cpu")
    assert "16 x 16 patches" in positions_of(finer)[0].text and "the file has 8 x 8," in positions_of(finer)[0].text
    assert "resampled" not in positions_of(vitviz.load_model("demo", device="cpu"))[0].text
