"""A trace answers for rows, columns and classes as the full attention matrices would, and refuses in sentences."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from families import FAMILIES
from oracles import watch
from torch import nn

from vitviz.attention.trace import trace
from vitviz.errors import AttentionError, ModelError

BY_KEY = {family.key: family for family in FAMILIES}
SHAPES = (
    "vit", "deit-distilled", "siglip", "beit", "swin-padded", "swin-fused-padded", "swin-fused-one-window",
    "maxvit-tf-fused", "coatnet", "sam", "tinyvit-padded",
)  # fmt: skip


@pytest.mark.parametrize("key", SHAPES)
class TestWeights:
    def test_all_heads_and_queries_have_the_shape_of_the_layer(self, key, built):
        _, traced = built(BY_KEY[key])
        for layer in traced.layers:
            weights = traced.weights(layer.index)
            assert weights.dtype == np.float32
            assert weights.shape == (layer.num_heads, layer.num_queries, layer.num_keys)
            assert layer.num_keys == layer.num_prefix_tokens + layer.grid.size

    def test_a_choice_of_heads_and_queries_is_the_slice_in_the_order_asked(self, key, built):
        _, traced = built(BY_KEY[key])
        for layer in traced.layers:
            full = traced.weights(layer.index)
            heads, queries = [layer.num_heads - 1, 0], [layer.num_queries - 1, 0, layer.num_queries // 2]
            chosen = traced.weights(layer.index, heads=heads, queries=queries)
            np.testing.assert_allclose(chosen, full[np.ix_(heads, queries)], atol=1e-6)
            one = traced.weights(layer.index, heads=0, queries=0)
            assert one.shape == (1, 1, layer.num_keys)
            np.testing.assert_allclose(one[0, 0], full[0, 0], atol=1e-6)

    def test_a_column_is_the_column_of_the_full_matrix(self, key, built):
        _, traced = built(BY_KEY[key])
        for layer in traced.layers:
            full = traced.weights(layer.index)
            for token in {0, layer.num_keys // 3, layer.num_keys - 1}:
                column = layer.column(None, token).numpy()
                np.testing.assert_allclose(column, full[:, :, token], atol=2e-6)
                last = torch.tensor([layer.num_heads - 1])
                np.testing.assert_allclose(layer.column(last, token)[0].numpy(), full[-1, :, token], atol=2e-6)

    def test_the_mean_row_is_the_mean_over_patch_queries(self, key, built):
        _, traced = built(BY_KEY[key])
        for layer in traced.layers:
            first = 0 if layer.kind == "pool" else layer.num_prefix_tokens
            expected = traced.weights(layer.index)[:, first:].mean(1)
            np.testing.assert_allclose(layer.mean_row().numpy(), expected, atol=2e-6)
            np.testing.assert_allclose(layer.mean_row(torch.tensor([0]))[0].numpy(), expected[0], atol=2e-6)

    def test_outside_the_window_the_weight_is_exactly_zero(self, key, built):
        _, traced = built(BY_KEY[key])
        for layer in traced.layers:
            if layer.windows is None:
                continue
            weights = traced.weights(layer.index)
            index = layer.windows.index()
            same = np.zeros((layer.grid.size, layer.grid.size), bool)
            for window in index:
                real = window[window >= 0]
                same[np.ix_(real, real)] = True
            assert (weights[:, ~same] == 0).all()
            assert (weights[:, same] > 0).mean() > 0.3


def test_the_mean_row_does_not_depend_on_the_chunks(built, monkeypatch):
    from vitviz.attention import layer as layer_module

    for key in ("vit", "beit", "swin-padded", "swin-fused-padded"):
        _, traced = built(BY_KEY[key])
        whole = [layer.mean_row().clone() for layer in traced.layers]
        columns = [layer.column(None, 5).clone() for layer in traced.layers]
        for bytes_ in (1, 3000):
            monkeypatch.setattr(layer_module, "_CHUNK_BYTES", bytes_)
            for layer, row, column in zip(traced.layers, whole, columns, strict=True):
                layer._margins = None
                torch.testing.assert_close(layer.mean_row(), row, atol=5e-6, rtol=0)
                torch.testing.assert_close(layer.column(None, 5), column, atol=5e-6, rtol=0)


class TestIndices:
    @pytest.mark.parametrize(
        ("asked", "says"),
        [
            ({"layer": 3}, r"no layer 3.*layers 0 to 2"),
            ({"layer": -4}, r"no layer -4"),
            ({"layer": 0, "heads": 2}, r"no head 2.*has 2"),
            ({"layer": 0, "heads": [0, -1]}, r"no head -1"),
            ({"layer": 1, "queries": 25}, r"no query 25.*has 25"),
            ({"layer": 1, "queries": [0, -1]}, r"no query -1"),
        ],
    )
    def test_what_is_not_there_is_refused_with_what_is(self, asked, says, tiny_vit, picture):
        traced = trace(tiny_vit, picture)
        with pytest.raises(AttentionError, match=says):
            traced.weights(**asked)

    def test_numbers_from_numpy_are_numbers(self, tiny_vit, picture):
        traced = trace(tiny_vit, picture)
        np.testing.assert_array_equal(traced.weights(0, np.int64(1), np.int64(3)), traced.weights(0, 1, 3))
        np.testing.assert_array_equal(traced.weights(0, np.arange(2), range(3)), traced.weights(0, [0, 1], [0, 1, 2]))


class TestClasses:
    def test_top_k_is_torchs(self, tiny_vit, picture):
        with torch.no_grad():
            shares = tiny_vit.module(tiny_vit.preprocess(picture))[0].softmax(-1)
        values, indices = shares.topk(3)
        top = trace(tiny_vit, picture).top_k(3)
        assert [label for label, _ in top] == [f"class {i}" for i in indices.tolist()]
        np.testing.assert_allclose([share for _, share in top], values.numpy(), atol=1e-6)

    def test_all_classes_come_where_more_are_asked_for_and_sum_to_one(self, tiny_vit, picture):
        top = trace(tiny_vit, picture).top_k(99)
        assert len(top) == 5
        assert math.isclose(sum(share for _, share in top), 1, abs_tol=1e-6)
        assert [s for _, s in top] == sorted((s for _, s in top), reverse=True)

    def test_labels_are_the_models(self, tiny_vit, wrap, picture):
        model = wrap(tiny_vit.module, (64, 96), labels=("ant", "bee", "cow", "doe", "emu"))
        traced = trace(model, picture)
        assert traced.top_k(1)[0][0] == model.labels[int(traced.logits.argmax())]

    def test_large_logits_do_not_overflow(self, tiny_vit, wrap, picture):
        class Loud(nn.Module):
            def __init__(self, inner):
                super().__init__()
                self.inner = inner

            def forward(self, x):
                return self.inner(x) * 1e4

        top = trace(wrap(Loud(tiny_vit.module), prefix=("cls",)), picture).top_k(5)
        assert abs(sum(share for _, share in top) - 1) < 1e-6

    def test_logits_are_those_of_the_plain_model(self, tiny_vit, picture):
        with torch.inference_mode():
            expected = tiny_vit.module(tiny_vit.preprocess(picture))[0].numpy()
        np.testing.assert_array_equal(trace(tiny_vit, picture).logits, expected)

    def test_a_model_without_classes_has_none_even_though_it_gives_features(self, make, picture):
        model = make("test_vit", (160, 160), num_classes=0)
        traced = trace(model, picture)
        assert traced.logits.size == 0
        assert traced.top_k() == []


class TestWhatATraceSays:
    def test_names_view_time_and_bytes(self, tiny_vit, picture):
        traced = trace(tiny_vit, picture)
        assert [layer.name for layer in traced.layers] == [f"blocks.{i}.attn" for i in range(3)]
        assert [layer.index for layer in traced.layers] == [0, 1, 2]
        assert traced.image_name == "test picture" and traced.model_name == tiny_vit.name
        assert traced.view == tiny_vit.view(picture)
        assert traced.device == "cpu" and 0 < traced.seconds < 60
        features = sum(traced.features(i).nbytes for i in range(3))
        assert traced.bytes == sum(layer.bytes for layer in traced.layers) + features > features > 0

    def test_strides_follow_the_stages_of_a_padded_swin(self, tiny_swin, picture):
        traced = trace(tiny_swin, picture)
        assert [layer.grid.stride for layer in traced.layers] == [(4, 4)] * 2 + [(8, 8)] * 2
        assert [layer.stage for layer in traced.layers] == [0, 0, 1, 1]
        assert [layer.shift for layer in traced.layers] == [(0, 0), (2, 2)] * 2
        assert {layer.window_size for layer in traced.layers} == {(4, 4)}

    def test_a_view_that_the_model_does_not_take_is_one_sentence(self, tiny_vit, wrap, picture):
        with pytest.raises(ModelError, match=r"failed on a view of 70 x 96 px"):
            trace(wrap(tiny_vit.module, (70, 96)), picture)

    def test_pooled_keys_have_two_grids(self, make, picture):
        stages = {"depths": (1,) * 4, "embed_dims": (16, 16, 32, 32), "num_heads": (1, 2, 4, 4)}
        model = make("pvt_v2_b0", (64, 96), num_classes=5, **stages)
        traced = trace(model, picture)
        _, seen = watch(model.module, model.preprocess(picture))
        assert "pooled keys" in {layer.kind for layer in traced.layers}
        for layer, theirs in zip(traced.layers, seen, strict=True):
            assert theirs.values.shape[-2] == layer.num_keys
            assert theirs.output.shape[-2] == layer.num_queries
            weights = torch.from_numpy(traced.weights(layer.index))
            torch.testing.assert_close(weights @ theirs.values[0], theirs.output[0], atol=1e-4, rtol=0)


class Custom(nn.Module):
    """Patches of 8 px and an attention function of q (1, 4, N, 8) and k, v with `groups` heads."""

    def __init__(self, attention, groups=4):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = nn.Parameter(torch.randn(32 + groups * 16, 192, generator=generator) / 6)
        self.attention, self.groups = attention, groups

    def forward(self, x):
        x = F.linear(F.unfold(x, 8, stride=8).mT, self.weight)
        q, k, v = x.split([32, self.groups * 8, self.groups * 8], -1)
        q, k, v = (t.unflatten(-1, (-1, 8)).transpose(1, 2) for t in (q, k, v))
        return self.attention(q, k, v).transpose(1, 2).flatten(2).mean(1)


def by_hand(model, picture, *, mask=None, scale=8**-0.5):
    x = F.linear(F.unfold(model.preprocess(picture), 8, stride=8).mT, model.module.weight.detach())
    groups = model.module.groups
    q, k, _ = x.split([32, groups * 8, groups * 8], -1)
    q, k = (t.unflatten(-1, (-1, 8)).transpose(1, 2) for t in (q, k))
    scores = q @ k.repeat_interleave(4 // groups, 1).mT * scale
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    return scores.softmax(-1)[0]


def attend(**options):
    return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, **options)


N = 4 * 6
GENERATOR = torch.Generator().manual_seed(5)
MASKS = {
    "none": None,
    "float N x N": torch.randn(N, N, generator=GENERATOR),
    "float per head": torch.randn(4, N, N, generator=GENERATOR),
    "float per batch and head": torch.randn(1, 4, N, N, generator=GENERATOR),
    "float per key": torch.randn(1, 1, 1, N, generator=GENERATOR),
    "bool": (torch.rand(1, 1, N, N, generator=GENERATOR) > 0.4) | torch.eye(N).bool(),
}


class TestCallsOfEveryKind:
    def check(self, model, picture, expected):
        traced = trace(model, picture)
        layer = traced.layers[0]
        weights = torch.from_numpy(traced.weights(0))
        torch.testing.assert_close(weights, expected, atol=1e-5, rtol=0)
        assert weights.max() > 0.3
        for token in (0, 7, N - 1):
            torch.testing.assert_close(layer.column(None, token), expected[..., token], atol=1e-5, rtol=0)
        torch.testing.assert_close(layer.mean_row(), expected.mean(1), atol=1e-5, rtol=0)
        some = torch.from_numpy(traced.weights(0, heads=[3, 1], queries=[N - 1, 2]))
        torch.testing.assert_close(some, expected[[3, 1]][:, [N - 1, 2]], atol=1e-5, rtol=0)
        assert traced.error < 1e-5

    @pytest.mark.parametrize("mask", MASKS)
    def test_masks(self, mask, wrap, picture):
        model = wrap(Custom(attend(attn_mask=MASKS[mask])), (32, 48), prefix=())
        self.check(model, picture, by_hand(model, picture, mask=MASKS[mask]))

    def test_causal(self, wrap, picture):
        model = wrap(Custom(attend(is_causal=True)), (32, 48), prefix=())
        self.check(model, picture, by_hand(model, picture, mask=torch.ones(N, N).tril().bool()))

    def test_grouped_queries(self, wrap, picture):
        for groups in (1, 2):
            model = wrap(Custom(attend(enable_gqa=True), groups), (32, 48), prefix=())
            self.check(model, picture, by_hand(model, picture))

    def test_a_scale_of_the_models_own(self, wrap, picture):
        model = wrap(Custom(attend(scale=0.9)), (32, 48), prefix=())
        self.check(model, picture, by_hand(model, picture, scale=0.9))

    def test_softmax_in_all_its_spellings(self, wrap, picture):
        for softmax in (
            lambda s: s.softmax(-1),
            lambda s: torch.softmax(s, dim=-1),
            lambda s: F.softmax(s, dim=-1),
            lambda s: F.softmax(s, 3),
            lambda s: nn.Softmax(dim=-1)(s),
        ):
            model = wrap(Custom(lambda q, k, v, softmax=softmax: softmax(q @ k.mT * 8**-0.5) @ v), (32, 48), prefix=())
            self.check(model, picture, by_hand(model, picture))

    def test_values_weighed_by_matmul_bmm_or_einsum(self, wrap, picture):
        for weigh in (
            torch.matmul,
            lambda a, v: torch.bmm(a[0], v[0]).unsqueeze(0),
            lambda a, v: torch.einsum("bhqk,bhkd->bhqd", a, v),
            lambda a, v: torch.einsum("b h i j, b h j d -> b i h d", a, v).transpose(1, 2),
            lambda a, v: torch.einsum("bjhd,bhij->bihd", v.transpose(1, 2), a).transpose(1, 2),
            lambda a, v: torch.einsum("hij,hjd->hid", [a[0], v[0]]).unsqueeze(0),
            lambda a, v: (v.mT @ a.mT).mT,
        ):
            model = wrap(
                Custom(lambda q, k, v, weigh=weigh: weigh((q @ k.mT * 8**-0.5).softmax(-1), v)), (32, 48), prefix=()
            )
            self.check(model, picture, by_hand(model, picture))

    def test_weights_turned_round_are_not_taken_for_attention(self, wrap, picture):
        for weigh in (
            lambda a, v: a.mT @ v,
            lambda a, v: (v.mT @ a).mT,
            lambda a, v: torch.einsum("bhqk,bhqd->bhkd", a, v),
        ):
            net = Custom(lambda q, k, v, weigh=weigh: weigh((q @ k.mT * 8**-0.5).softmax(-1), v))
            with pytest.raises(AttentionError, match="softmax"):
                trace(wrap(net, (32, 48), prefix=()), picture)

    def test_attention_between_the_channels_of_a_feature_map_is_refused(self, wrap, picture):
        class Channels(nn.Module):
            def __init__(self):
                super().__init__()
                self.mix = nn.Conv2d(3, 3, 1)

            def forward(self, x):
                y = self.mix(x).flatten(2).unsqueeze(1)
                return F.scaled_dot_product_attention(y, y, y).view_as(x)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.down, self.attn = nn.AvgPool2d(4), Channels()

            def forward(self, x):
                return self.attn(self.down(x)).mean((2, 3))

        with pytest.raises(AttentionError, match="between 3 channels, not between tokens"):
            trace(wrap(Net(), (32, 48), prefix=()), picture)

    def test_an_attention_module_called_by_keyword_or_with_the_picture(self, wrap, picture):
        class Outer(nn.Module):
            def __init__(self, by_keyword):
                super().__init__()
                self.inner, self.by_keyword = Custom(attend()), by_keyword

            def forward(self, x):
                return self.inner(x=x) if self.by_keyword else self.inner(x)

        for by_keyword in (False, True):
            model = wrap(Outer(by_keyword), (32, 48), prefix=())
            assert trace(model, picture).layers[0].grid.shape == (4, 6)

    def test_a_softmax_over_values_it_never_weighs_is_a_gap(self, wrap, picture):
        class Two(nn.Module):
            def __init__(self):
                super().__init__()
                self.mix = nn.Conv2d(4, 4, 1)
                self.plain = Custom(attend())

            def forward(self, x):
                y = x[:, :1, :24, :24].expand(-1, 4, -1, -1)
                return self.plain(x) + self.mix(y.softmax(-1)).mean() * 0

        traced = trace(wrap(Two(), (32, 48), prefix=()), picture)
        assert len(traced.layers) == 1
        assert len(traced.gaps) == 1 and "softmax" in traced.gaps[0]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("key", ["vit", "swin-padded", "swin-fused", "swinv2", "beit"])
def test_half_precision_rows_sum_to_one_and_give_the_models_own_output(key, dtype, built, wrap, picture):
    import copy

    family = BY_KEY[key]
    module = copy.deepcopy(built(family)[0].module).to(getattr(torch, dtype))
    model = wrap(module, family.size, precision=dtype)
    traced = trace(model, picture)
    _, seen = watch(module, model.preprocess(picture).to(getattr(torch, dtype)))
    limit = 0.05 if dtype == "bfloat16" else 0.01
    for layer, theirs in zip(traced.layers, seen, strict=True):
        weights = traced.weights(layer.index)
        assert weights.dtype == np.float32
        assert abs(weights.sum(-1) - 1).max() < 1e-4
        assert layer.error < limit * float(theirs.values.abs().max())
        if layer.windows is None:
            ours = torch.from_numpy(weights) @ theirs.values[0].float()
            difference = (ours - theirs.output[0].float()).abs().max()
            assert difference < limit * float(theirs.values.abs().max())
    assert traced.logits.dtype == np.float32
