"""Heads switched off by interception, against the same heads switched off in the weights of the output projection."""

import copy

import numpy as np
import pytest
import torch
import torchvision
from families import FAMILIES
from oracles import watch, window_index
from test_capture import Encoded, One
from torch import nn

import vitviz
from vitviz import Ablation
from vitviz.attention.altering import ablated, altered
from vitviz.attention.passes import Passes, batch_size, view_tensor
from vitviz.attention.trace import trace
from vitviz.errors import AttentionError, Cancelled


def projection(module, name):
    """The output projection of the attention module `name`, a linear layer or a 1 x 1 convolution."""
    child = module.get_submodule(name)
    found = [getattr(child, key) for key in ("proj", "out_proj") if hasattr(child, key)]
    return found[0]


def silenced(module, off):
    """A copy whose output projections have no weight for the heads `off` = {(name, heads): [head]}, biases kept."""
    twin = copy.deepcopy(module)
    with torch.no_grad():
        for (name, count), heads in off.items():
            weight = projection(twin, name).weight
            width = weight.shape[1] // count
            for head in heads:
                weight[:, head * width : (head + 1) * width] = 0
    return twin


def logits(module, view):
    with torch.no_grad():
        return module(view)


# EVA-02 without SwiGLU norm and relpos have a plain `proj` too; NaFlex and TinyViT as well. SigLIP's pool has its own.
@pytest.mark.parametrize("family", FAMILIES, ids=str)
class TestEveryFamily:
    def test_equals_no_weight_in_the_output_projection(self, family, built, picture):
        model, seen = built(family)
        view = model.preprocess(picture)
        for layer in (seen.layers[0], seen.layers[-1]):
            expected = logits(silenced(model.module, {(layer.name, layer.num_heads): [1 % layer.num_heads]}), view)
            off = Ablation({(layer.index, 1 % layer.num_heads)})
            with ablated(model.module, seen.layers, off):
                found = logits(model.module, view)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
            assert (found - logits(model.module, view)).abs().max() > 1e-4  # the head counts, and is on again

    def test_the_mean_over_the_tokens_equals_that_of_the_output_seen(self, family, built, picture):
        """The change of the module's output, head by head, is the projection of (mean - output)."""
        model, seen = built(family)
        view = model.preprocess(picture)
        layer = seen.layers[0]
        _, calls = watch(model.module, view)
        index, _ = window_index(model.module, calls[0])
        out = calls[0].output
        tokens = out.transpose(1, 2)
        tokens = tokens.flatten(0, 1) if index is None else tokens[torch.as_tensor(index) >= 0]
        mean = tokens.mean(0)[0]
        kept = []
        projected = projection(model.module, layer.name)
        handle = projected.register_forward_pre_hook(lambda child, args: kept.append(args[0].clone()))
        with ablated(model.module, seen.layers, Ablation({(0, 0)}, "mean")), torch.no_grad():
            model.module(view)
        handle.remove()
        given = kept[0].movedim(1, -1) if isinstance(projected, nn.Conv2d) else kept[0]
        width = len(mean)
        torch.testing.assert_close(given[..., :width], mean.expand_as(given[..., :width]), atol=1e-5, rtol=1e-5)
        assert given[..., width:].numel() == 0 or given[..., width:].flatten(0, -2).std(0).max() > 1e-3

    def test_the_whole_map_equals_one_pass_for_each_head(self, family, built, picture):
        model, seen = built(family)
        view = model.preprocess(picture)
        found = vitviz.head_ablation(model, picture, 2)
        assert found.dtype == np.float32
        assert found.shape == (len(seen.layers), max(layer.num_heads for layer in seen.layers))
        for layer in seen.layers:
            for head in range(layer.num_heads):
                with ablated(model.module, seen.layers, Ablation({(layer.index, head)})):
                    one = logits(model.module, view)[0, 2].item()
                assert abs(seen.logits[2] + found[layer.index, head] - one) < 1e-5 * max(1, abs(one))
            assert np.isnan(found[layer.index, layer.num_heads :]).all()


class Batched(Encoded):
    """The same for any number of pictures."""

    def forward(self, x):
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), self.patch(x).flatten(2).mT], 1)
        x = self.encoder(x if self.batch_first else x.transpose(0, 1))
        return self.head(x[:, 0] if self.batch_first else x[0])


class TestTorchsOwnModules:
    @pytest.mark.parametrize("batch_first", [True, False])
    @pytest.mark.parametrize("norm_first", [True, False])
    @pytest.mark.parametrize("network", [Encoded, Batched])  # one takes a single picture at a time
    def test_packed_attention(self, network, norm_first, batch_first, wrap, sharp, picture):
        self.check(wrap(sharp(network(norm_first, batch_first)), (32, 48), prefix=("cls",)), picture)

    def test_torchvision_vit(self, wrap, sharp, picture):
        net = torchvision.models.VisionTransformer(
            image_size=32, patch_size=8, num_layers=2, num_heads=4, hidden_dim=32, mlp_dim=64, num_classes=5
        )
        self.check(wrap(sharp(net), (32, 32), prefix=("cls",)), picture)

    @pytest.mark.parametrize("version", [1, 2])
    def test_torchvision_swin(self, version, wrap, sharp, picture):
        swin = torchvision.models.swin_transformer
        net = swin.SwinTransformer(
            [4, 4], 16, [2, 2], [2, 4], [4, 4], num_classes=5, stochastic_depth_prob=0.0,
            **({} if version == 1 else {"block": swin.SwinTransformerBlockV2, "downsample_layer": swin.PatchMergingV2}),
        )  # fmt: skip
        model = wrap(sharp(net), (36, 44), prefix=())
        seen = trace(model, picture)
        view = model.preprocess(picture)
        for layer in seen.layers:
            expected = logits(silenced(model.module, {(layer.name, layer.num_heads): [1]}), view)
            with ablated(model.module, seen.layers, Ablation({(layer.index, 1)})):
                torch.testing.assert_close(logits(model.module, view), expected, atol=1e-5, rtol=1e-5)

    def check(self, model, picture):
        seen = trace(model, picture)
        view = model.preprocess(picture)
        found = vitviz.head_ablation(model, picture, 0)
        for layer in seen.layers:
            for head in range(layer.num_heads):
                expected = logits(silenced(model.module, {(layer.name, layer.num_heads): [head]}), view)[0, 0].item()
                assert abs(seen.logits[0] + found[layer.index, head] - expected) < 1e-5 * max(1, abs(expected))


class TestTheAlteredTrace:
    def test_is_of_the_altered_model(self, tiny_vit, picture):
        off = Ablation({(0, 1), (1, 0)})
        seen = vitviz.trace(tiny_vit, picture, ablation=off)
        names = [(layer.name, layer.num_heads) for layer in seen.layers]
        twin = copy.copy(tiny_vit)
        twin.module = silenced(tiny_vit.module, {names[0]: [1], names[1]: [0]})
        expected = vitviz.trace(twin, picture)
        np.testing.assert_allclose(seen.logits, expected.logits, atol=1e-5)
        for layer in range(3):
            np.testing.assert_allclose(seen.weights(layer), expected.weights(layer), atol=1e-5)
        plain = vitviz.trace(tiny_vit, picture)
        assert abs(seen.weights(2) - plain.weights(2)).max() > 1e-3
        np.testing.assert_array_equal(seen.plain_logits, plain.logits)
        assert seen.ablation == off and seen.error < 1e-4
        assert vitviz.attention_map(seen, layer=2).ablation == off
        assert vitviz.attention_map(plain, layer=2).ablation == Ablation()

    def test_a_plain_trace_at_hand_gives_the_same(self, tiny_swin, picture):
        plain = vitviz.trace(tiny_swin, picture)
        off = Ablation({(1, 0), (3, 2)}, "mean")
        once = vitviz.trace(tiny_swin, picture, ablation=off, plain=plain)
        again = vitviz.trace(tiny_swin, picture, ablation=off)
        np.testing.assert_array_equal(once.logits, again.logits)
        third = vitviz.trace(tiny_swin, picture, ablation=Ablation({(0, 0)}), plain=once)
        np.testing.assert_array_equal(third.plain_logits, plain.logits)

    def test_tells_before_and_after_with_the_first_of_before_among_them(self, tiny_vit, picture):
        plain = vitviz.trace(tiny_vit, picture)
        seen = vitviz.trace(tiny_vit, picture, ablation=Ablation({(2, 0), (2, 1)}), plain=plain)
        shown = seen.top_changes(2)
        assert plain.top_k(1)[0][0] in [label for label, _, _ in shown]
        before, after = dict(plain.top_k(5)), dict(seen.top_k(5))
        for label, was, now in shown:
            assert was == pytest.approx(before[label]) and now == pytest.approx(after[label])
        assert plain.top_changes() == []

    def test_nothing_stays_behind(self, tiny_vit, picture):
        before = vitviz.trace(tiny_vit, picture)
        vitviz.trace(tiny_vit, picture, ablation=Ablation({(0, 0)}))
        np.testing.assert_array_equal(vitviz.trace(tiny_vit, picture).logits, before.logits)
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in tiny_vit.module.modules())

    @pytest.mark.parametrize(("layer", "head"), [(3, 0), (-1, 0), (0, 2)])
    def test_what_is_not_there_is_refused(self, tiny_vit, picture, layer, head):
        with pytest.raises(AttentionError, match=f"no {'head' if head else 'layer'} -?{head or layer} to ablate"):
            vitviz.trace(tiny_vit, picture, ablation=Ablation({(layer, head)}))


class TestHeadAblation:
    def test_chunks_change_nothing(self, tiny_swin, picture, monkeypatch):
        whole = vitviz.head_ablation(tiny_swin, picture, 1)
        monkeypatch.setattr("vitviz.attention.ablation.batch_size", lambda layers: 3)
        np.testing.assert_allclose(vitviz.head_ablation(tiny_swin, picture, 1), whole, atol=1e-5)

    def test_of_an_altered_model_is_the_change_from_there(self, tiny_vit, picture):
        off = vitviz.trace(tiny_vit, picture, ablation=Ablation({(0, 1)}, "mean"))
        found = vitviz.head_ablation(tiny_vit, picture, 3, seen=off)
        assert abs(found[0, 1]) > 1e-4  # zero instead of its mean is a change, too
        with (
            ablated(tiny_vit.module, off.layers, off.ablation),
            ablated(tiny_vit.module, off.layers, Ablation([(1, 0)])),
        ):
            expected = logits(tiny_vit.module, tiny_vit.preprocess(picture))[0, 3]
        assert found[1, 0] == pytest.approx(float(expected) - off.logits[3], abs=1e-5)

    def test_the_default_is_the_first_class(self, tiny_vit, picture):
        best = int(vitviz.trace(tiny_vit, picture).logits.argmax())
        np.testing.assert_array_equal(
            vitviz.head_ablation(tiny_vit, picture), vitviz.head_ablation(tiny_vit, picture, best)
        )

    def test_takes_one_pass_a_layer_and_one_to_know_them(self, tiny_vit, picture):
        batches = []
        handle = tiny_vit.module.register_forward_pre_hook(lambda child, args: batches.append(len(args[0])))
        vitviz.head_ablation(tiny_vit, picture)
        handle.remove()
        assert batches == [1, 2, 2, 2]

    def test_out_of_memory_takes_smaller_batches_then_says_so(self, tiny_vit, picture, monkeypatch):
        expected, real = vitviz.head_ablation(tiny_vit, picture), Passes.run

        def short(passes, views):
            if len(views) > 1:
                raise torch.OutOfMemoryError
            return real(passes, views)

        monkeypatch.setattr(Passes, "run", short)
        np.testing.assert_allclose(vitviz.head_ablation(tiny_vit, picture), expected, atol=1e-5)

        def none(passes, views):
            raise torch.OutOfMemoryError

        monkeypatch.setattr(Passes, "run", none)
        with pytest.raises(vitviz.VitvizError, match="not enough memory"):
            vitviz.head_ablation(tiny_vit, picture)

    def test_batches_are_bounded(self, tiny_vit, picture):
        seen = vitviz.trace(tiny_vit, picture)
        assert batch_size(seen.layers, 1) == 1
        assert batch_size(seen.layers, 10**12) == 64

    def test_cancels_and_reports(self, tiny_vit, picture):
        told, asked = [], []

        def cancel():
            asked.append(1)
            return len(asked) > 60

        with pytest.raises(Cancelled):
            vitviz.head_ablation(tiny_vit, picture, cancel=cancel)
        assert len(asked) == 61
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in tiny_vit.module.modules())
        vitviz.head_ablation(tiny_vit, picture, progress=lambda fraction, text: told.append(fraction))
        assert told == sorted(told) and told[-1] == 1.0

    def test_no_classes_or_not_this_one(self, tiny_vit, wrap, picture):
        with pytest.raises(AttentionError, match="no class 9"):
            vitviz.head_ablation(tiny_vit, picture, 9)
        bare = wrap(nn.Sequential(nn.Identity(), One(nn.functional.scaled_dot_product_attention)))
        bare.module.num_classes = 0
        with pytest.raises(AttentionError, match="has no classes"):
            vitviz.head_ablation(bare, picture)

    def test_another_word_is_refused(self, tiny_vit, picture):
        with pytest.raises(AttentionError, match="'zero' or 'mean'"):
            vitviz.head_ablation(tiny_vit, picture, to="noise")


def test_a_batch_with_too_few_ablations_is_refused(tiny_vit, picture):
    seen = vitviz.trace(tiny_vit, picture)
    view = view_tensor(tiny_vit, picture).expand(3, -1, -1, -1)
    with pytest.raises(AttentionError, match="2 ablations came for a batch of 3"), torch.no_grad():  # noqa: SIM117
        with altered(tiny_vit.module, seen.layers, {0: [(0,), (1,)]}):
            tiny_vit.module(view)


class TestTheValue:
    def test_toggles_one_head_several_and_a_layer(self):
        off = Ablation().toggled([(0, 1)])
        assert off.heads == ((0, 1),) and off.text == "0.1"
        layer = off.toggled([(0, 0), (0, 1)])
        assert layer.of(0) == (0, 1)
        assert not layer.toggled([(0, 0), (0, 1)])

    def test_keeps_what_a_smaller_model_has(self):
        off = Ablation([(0, 1), (0, 5), (4, 0)])
        assert off.within((2, 2)).heads == ((0, 1),)
        assert off.within((6, 6, 6, 6, 6)) is off

    def test_equal_whatever_the_order(self):
        assert Ablation([(0, 1), (2, 3)]) == Ablation({(2, 3), (0, 1)})
        assert hash(Ablation([(0, 1), (2, 3)])) == hash(Ablation([(2, 3), (0, 1)]))
        assert Ablation([(0, 1)]) != Ablation([(0, 1)], "mean")
