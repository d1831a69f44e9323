"""What is captured is what the model itself computed: its own softmax and its own A v, for every family."""

import copy

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from families import FAMILIES
from oracles import attention_by_hand, dense, grid_order, hooks, modes, twin_of, watch, window_index
from torch import nn

from vitviz.attention.capture import capture
from vitviz.attention.placing import place
from vitviz.attention.trace import trace
from vitviz.errors import AttentionError, Cancelled, ModelError
from vitviz.models.model import prefix_tokens_of

WINDOWED = [f for f in FAMILIES if f.kinds[0] == "window"]


def torch_of(trace, layer, **selection):
    return torch.from_numpy(trace.weights(layer, **selection))


@pytest.mark.parametrize("family", FAMILIES, ids=str)
class TestEveryFamily:
    def test_layers_kinds_grids_and_prefix_tokens_are_found(self, family, built):
        _, traced = built(family)
        assert tuple(layer.kind for layer in traced.layers) == family.kinds
        assert traced.prefix_tokens == family.prefix
        assert tuple(dict.fromkeys(layer.grid.shape for layer in traced.layers)) == family.grids
        assert traced.gaps == ()

    def test_weights_equal_the_softmax_of_the_same_model_without_fused_attention(self, family, built, picture):
        model, traced = built(family)
        twin = twin_of(model.module, family.architecture, **family.args)
        _, seen = watch(twin, model.preprocess(picture))
        assert len(seen) == len(traced.layers)
        for layer, theirs in zip(traced.layers, seen, strict=True):
            assert theirs.weights is not None, "the twin must take its softmax by hand"
            ours = torch_of(traced, layer.index)
            index, grid = window_index(twin, theirs)
            if index is None:
                expected = theirs.weights[0]
            else:
                assert tuple(grid) == layer.grid.shape
                matrix, padding = dense(theirs.weights, index, layer.grid.size)
                expected = matrix / matrix.sum(-1, keepdim=True)
                torch.testing.assert_close(
                    layer.padding(None, torch.arange(layer.grid.size)), padding, atol=1e-5, rtol=0
                )
            assert ours.shape == expected.shape
            torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)

    def test_every_row_of_weights_times_values_is_the_output_of_the_module(self, family, built, picture):
        model, traced = built(family)
        _, seen = watch(model.module, model.preprocess(picture))
        for layer, theirs in zip(traced.layers, seen, strict=True):
            ours = torch_of(traced, layer.index)
            index, _ = window_index(model.module, theirs)
            if index is None:
                torch.testing.assert_close(ours @ theirs.values[0], theirs.output[0], atol=1e-4, rtol=0)
                continue
            values, pad = grid_order(theirs.values, index, layer.grid.size)
            output, _ = grid_order(theirs.output, index, layer.grid.size)
            share = layer.padding(None, torch.arange(layer.grid.size)).unsqueeze(-1)
            torch.testing.assert_close(
                (1 - share) * (ours @ values) + share * pad.unsqueeze(1), output, atol=1e-4, rtol=0
            )

    def test_rows_sum_to_one_and_some_are_far_from_uniform(self, family, built):
        _, traced = built(family)
        for layer in traced.layers:
            weights = traced.weights(layer.index)
            assert weights.min() >= 0
            assert abs(weights.sum(-1) - 1).max() < 1e-5
        assert max(traced.weights(i).max() for i in range(len(traced.layers))) > 0.3

    def test_the_reported_error_is_small_and_there(self, family, built):
        _, traced = built(family)
        assert all(layer.error is not None and layer.error < 1e-4 for layer in traced.layers)
        assert traced.error == max(layer.error for layer in traced.layers)

    def test_the_output_is_bitwise_that_of_the_plain_model(self, family, built, picture):
        model, _ = built(family)
        view = model.preprocess(picture)
        with torch.inference_mode():
            plain = model.module(view)
        assert torch.equal(capture(model.module, view).output, plain)


class TestTheProof:
    """A v against the output is no formality: it is large where the weights are not the ones that were used."""

    def test_is_large_where_the_model_drops_weights_out(self, wrap, picture):
        traced = trace(wrap(One(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, dropout_p=0.5))), picture)
        assert traced.error > 0.01

    def test_is_small_for_the_same_model_without_dropout(self, wrap, picture):
        traced = trace(wrap(One(lambda q, k, v: F.scaled_dot_product_attention(q, k, v))), picture)
        assert traced.error < 1e-5

    def test_is_there_for_multihead_attention_too(self, wrap, sharp, picture):
        for batch_first in (False, True):
            traced = trace(wrap(sharp(Encoded(True, batch_first)), (32, 48), prefix=("cls",)), picture)
            assert all(layer.error is not None and layer.error < 1e-5 for layer in traced.layers)


class One(nn.Module):
    """A network of one module: patches of 8 px, two heads, and an attention function of (q, k, v)."""

    def __init__(self, attention):
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 8, 8)
        self.attention = attention

    def forward(self, x):
        x = self.patch(x).flatten(2).mT.unflatten(-1, (2, -1)).transpose(1, 2)
        return self.attention(3 * x, x, x).transpose(1, 2).flatten(2).mean(1)


@pytest.mark.parametrize("family", [f for f in WINDOWED if "tinyvit" not in f.key], ids=str)  # it has a convolution
@torch.no_grad()
def test_a_block_moves_exactly_the_tokens_that_its_layers_say_look_at_a_token(family, built):
    """No code of the block is read: a token of its input is changed, and the outputs that change are compared."""
    model, traced = built(family)
    grid = next(layer for layer in reversed(traced.layers) if layer.windows is not None).grid
    path = next(layer.name for layer in reversed(traced.layers) if layer.windows is not None).split(".")
    above = [model.module.get_submodule(".".join(path[:end])) for end in range(len(path), 0, -1)]
    block = next(m for m in above if hasattr(m, "window_size") or hasattr(m, "partition_size"))
    if not hasattr(block, "partition_size") and not hasattr(block, "mlp"):
        block = model.module.get_submodule(".".join(path[:-1]))
    block = gentle(block)
    nchw = any(isinstance(m, nn.Conv2d) for m in block.modules())
    width = next(p for n, p in block.named_parameters() if n.endswith("qkv.weight")).shape[1]
    x = torch.randn(1, *grid.shape, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def as_taken(y):
        return y.permute(0, 3, 1, 2).contiguous() if nchw else y

    def by_token(y):
        return (y.permute(0, 2, 3, 1) if nchw else y).reshape(grid.size, -1)

    found = capture(block, as_taken(x))
    layers, gaps = place(found, (grid.rows * 4, grid.cols * 4), (), True)
    assert layers and not gaps
    before = by_token(block(as_taken(x)))
    for token in (0, grid.cols - 1, grid.size // 2 + 1, grid.size - 1):
        moved = x.clone()
        moved[0, token // grid.cols, token % grid.cols] += torch.linspace(-2, 3, width, dtype=torch.float64)
        changed = (by_token(block(as_taken(moved))) - before).abs().amax(-1) > 1e-12
        looking = torch.stack([layer.column(None, token).amax(0) for layer in layers]).amax(0) > 1e-6
        assert torch.equal(changed, looking)
        assert 1 < int(changed.sum()) < grid.size or "one-window" in family.key


def test_windows_folded_into_the_heads_with_a_bias_of_nothing_but_zeros(make, picture):
    family = next(f for f in FAMILIES if f.key == "sam")
    model = make(family.architecture, family.size, **family.args)
    with torch.no_grad():
        for name, value in model.module.named_parameters():
            if "rel_pos" in name:
                value.zero_()
    traced = trace(model, picture)
    assert tuple(layer.kind for layer in traced.layers) == family.kinds
    _, seen = watch(model.module, model.preprocess(picture))
    index, _ = window_index(model.module, seen[0])
    values, pad = grid_order(seen[0].values, index, 24)
    output, _ = grid_order(seen[0].output, index, 24)
    share = traced.layers[0].padding(None, torch.arange(24)).unsqueeze(-1)
    ours = (1 - share) * (torch_of(traced, 0) @ values) + share * pad.unsqueeze(1)
    torch.testing.assert_close(ours, output, atol=1e-4, rtol=0)


def gentle(block):
    """A copy in float64 whose attention is near uniform, so that only masks and windows make a weight vanish."""
    block = copy.deepcopy(block).double()
    for name, value in block.named_parameters():
        if name.endswith("qkv.weight"):
            value.mul_(0.01)
        elif name.endswith("logit_scale"):
            value.zero_()
    return block


class TestMultiheadAttention:
    """torch's own attention modules: what need_weights=True and average_attn_weights=False say."""

    def expected(self, module, view):
        found = []

        def with_weights(child, args, kwargs):
            with torch.no_grad():
                _, weights = F.multi_head_attention_forward(
                    *(a.transpose(0, 1) if child.batch_first else a for a in args[:3]),
                    child.embed_dim, child.num_heads, child.in_proj_weight, child.in_proj_bias, None, None, False,
                    0.0, child.out_proj.weight, child.out_proj.bias, training=False, need_weights=True,
                    average_attn_weights=False, attn_mask=kwargs.get("attn_mask"),
                )  # fmt: skip
            found.append(weights)

        handles = [
            child.register_forward_pre_hook(with_weights, with_kwargs=True)
            for child in module.modules()
            if isinstance(child, nn.MultiheadAttention)
        ]
        with torch.no_grad():
            module(view)
        for handle in handles:
            handle.remove()
        return found

    def test_torchvision_vit_equals_need_weights(self, wrap, sharp, picture):
        net = torchvision.models.VisionTransformer(
            image_size=32, patch_size=8, num_layers=2, num_heads=4, hidden_dim=32, mlp_dim=64
        )
        model = wrap(sharp(net), (32, 32))
        traced = trace(model, picture)
        assert [layer.kind for layer in traced.layers] == ["global"] * 2
        assert traced.prefix_tokens == ("cls",)
        for layer, weights in zip(traced.layers, self.expected(net, model.preprocess(picture)), strict=True):
            torch.testing.assert_close(torch_of(traced, layer.index), weights[0], atol=1e-5, rtol=0)
            assert weights.max() > 0.3

    @pytest.mark.parametrize("norm_first", [False, True])
    @pytest.mark.parametrize("batch_first", [False, True])
    def test_transformer_encoder_equals_need_weights(self, norm_first, batch_first, wrap, sharp, picture):
        net = sharp(Encoded(norm_first, batch_first))
        model = wrap(net, (32, 48), prefix=("cls",))
        traced = trace(model, picture)
        assert len(traced.layers) == 2
        net.encoder.enable_nested_tensor = False
        with_grad = {p: p.requires_grad for p in net.parameters()}  # gradients keep torch off its fast path
        assert all(with_grad.values())
        for layer, weights in zip(traced.layers, self.expected(net, model.preprocess(picture)), strict=True):
            torch.testing.assert_close(torch_of(traced, layer.index), weights[0], atol=1e-5, rtol=0)

    def test_padding_masks_hide_their_keys(self, wrap, sharp, picture):
        hidden = torch.zeros(1, 25, dtype=torch.bool)
        hidden[0, [3, 24]] = True
        ahead = torch.ones(25, 25).triu(20).bool()
        for padding, mask in ((hidden, ahead), (hidden * -50.0, ahead * -200.0)):
            net = sharp(Masked(mask, padding))
            traced = trace(wrap(net, (32, 48), prefix=("cls",)), picture)
            weights = traced.weights(0)
            assert weights[..., [3, 24]].max() < 1e-12
            assert weights[:, 0, 20:].max() < 1e-12
            assert weights[:, 0, :3].max() > 0.1
            assert traced.error < 1e-5

    def test_masks_are_taken_over(self, wrap, sharp, picture):
        for mask in (torch.ones(25, 25).triu(1).bool(), torch.ones(25, 25).triu(1) * -3.0):
            net = sharp(Masked(mask))
            model = wrap(net, (32, 48), prefix=("cls",))
            traced = trace(model, picture)
            weights = self.expected(net, model.preprocess(picture))[0]
            torch.testing.assert_close(torch_of(traced, 0), weights[0], atol=1e-5, rtol=0)


class Encoded(nn.Module):
    """Patches, a class token and an nn.TransformerEncoder of two layers."""

    def __init__(self, norm_first=False, batch_first=True):
        super().__init__()
        self.batch_first = batch_first
        self.patch = nn.Conv2d(3, 32, 8, 8)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, norm_first=norm_first, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 5)

    def forward(self, x):
        x = torch.cat([self.cls_token, self.patch(x).flatten(2).mT], 1)
        x = self.encoder(x if self.batch_first else x.transpose(0, 1))
        return self.head(x[:, 0] if self.batch_first else x[0])


class Masked(nn.Module):
    """Patches, a class token and one nn.MultiheadAttention with a mask."""

    def __init__(self, mask, padding=None):
        super().__init__()
        self.patch = nn.Conv2d(3, 32, 8, 8)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 32))
        self.attn = nn.MultiheadAttention(32, 4, batch_first=True)
        self.mask, self.padding = mask, padding

    def forward(self, x):
        x = torch.cat([self.cls_token, self.patch(x).flatten(2).mT], 1)
        return self.attn(x, x, x, need_weights=False, attn_mask=self.mask, key_padding_mask=self.padding)[0][:, 0]


@pytest.mark.parametrize("size", [(32, 48), (36, 44), (20, 60)], ids=str)
@pytest.mark.parametrize("version", [1, 2])
def test_torchvision_swin_is_placed_as_its_own_operations_place_it(version, size, wrap, sharp, picture):
    swin = torchvision.models.swin_transformer
    block = {} if version == 1 else {"block": swin.SwinTransformerBlockV2, "downsample_layer": swin.PatchMergingV2}
    net = sharp(swin.SwinTransformer([2, 2], 32, [2, 2], [2, 4], [4, 4], num_classes=5, **block))
    model = wrap(net, size)
    traced = trace(model, picture)
    _, seen = watch(net, model.preprocess(picture))
    assert len(traced.layers) == len(seen) == 4
    for layer, theirs in zip(traced.layers, seen, strict=True):
        index, grid = window_index(net, theirs)
        assert layer.grid.shape == tuple(grid)
        matrix, padding = dense(theirs.weights, index, layer.grid.size)
        expected = matrix / matrix.sum(-1, keepdim=True).clamp_min(1e-30)
        torch.testing.assert_close(torch_of(traced, layer.index), expected, atol=1e-5, rtol=0)
        share = layer.padding(None, torch.arange(layer.grid.size))
        torch.testing.assert_close(share, padding, atol=1e-5, rtol=0)


class TestNothingIsLeftBehind:
    def test_after_success(self, tiny_vit, picture):
        capture(tiny_vit.module, tiny_vit.preprocess(picture))
        assert modes() == []
        assert hooks(tiny_vit.module) == 0

    def test_the_users_own_hooks_stay(self, tiny_vit, picture):
        handle = tiny_vit.module.blocks[0].register_forward_hook(lambda *a: None)
        try:
            capture(tiny_vit.module, tiny_vit.preprocess(picture))
            assert hooks(tiny_vit.module) == 1
        finally:
            handle.remove()

    def test_after_an_error_in_the_model(self, tiny_vit, picture):
        def fail(child, args):
            raise RuntimeError("this block breaks")

        handle = tiny_vit.module.blocks[1].register_forward_pre_hook(fail)
        try:
            with pytest.raises(ModelError, match="this block breaks"):
                trace(tiny_vit, picture)
        finally:
            handle.remove()
        assert modes() == []
        assert hooks(tiny_vit.module) == 0
        assert len(trace(tiny_vit, picture).layers) == 3

    def test_after_an_error_inside_the_attention_call(self, tiny_vit, picture):
        attention = tiny_vit.module.blocks[1].attn
        norm, attention.q_norm = attention.q_norm, nn.Flatten()  # q of two dimensions fits no k
        try:
            with pytest.raises(ModelError):
                trace(tiny_vit, picture)
        finally:
            attention.q_norm = norm
        assert modes() == []
        assert hooks(tiny_vit.module) == 0

    @pytest.mark.parametrize("layer", [0, 1, 2])
    def test_after_cancellation_at_a_layer(self, layer, tiny_vit, picture):
        reached, asked = [], []

        def progress(fraction, text):
            reached.append(text)

        def cancel():
            asked.append(len(reached))
            return any(f"layer {layer}" in text for text in reached)

        with pytest.raises(Cancelled):
            trace(tiny_vit, picture, progress=progress, cancel=cancel)
        seen = [text for text in reached if "layer" in text]
        assert len(seen) == layer + 1, "the pass went on after it was cancelled"
        assert modes() == []
        assert hooks(tiny_vit.module) == 0

    def test_after_an_error_in_progress(self, tiny_vit, picture):
        def progress(fraction, name):
            raise KeyError("the listener broke")

        with pytest.raises(KeyError):
            capture(tiny_vit.module, tiny_vit.preprocess(picture), progress=progress)
        assert modes() == []
        assert hooks(tiny_vit.module) == 0

    def test_gradients_are_not_left_off(self, tiny_vit, picture):
        trace(tiny_vit, picture)
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


class TestProgress:
    def test_fractions_rise_from_zero_to_at_most_one(self, tiny_vit, picture):
        seen = []
        trace(tiny_vit, picture, progress=lambda fraction, text: seen.append((fraction, text)))
        fractions = [fraction for fraction, _ in seen]
        assert all(0 <= f <= 1 for f in fractions)
        assert fractions == sorted(fractions)
        assert fractions[0] < 0.2 and fractions[-1] > 0.6
        assert [text for _, text in seen if "layer" in text] == [f"Computing layer {i}" for i in range(3)]

    def test_a_pass_cancelled_at_once_runs_no_layer(self, tiny_vit, picture):
        seen = []
        with pytest.raises(Cancelled):
            trace(tiny_vit, picture, progress=lambda f, text: seen.append(text), cancel=lambda: True)
        assert not any("layer" in text for text in seen)


class TestMemory:
    def test_exactly_q_and_k_of_every_layer_and_the_tokens_after_it_are_kept(self, tiny_vit, picture):
        tokens, width, count = 4 * 6 + 1, 32, 3
        assert trace(tiny_vit, picture, features=False).bytes == count * 2 * tokens * width * 4
        assert trace(tiny_vit, picture).bytes == count * 3 * tokens * width * 4

    def test_no_storage_is_larger_than_its_tensor_so_v_is_let_go(self, tiny_vit, picture):
        for layer in trace(tiny_vit, picture).layers:
            for kept in (layer.call.q, layer.call.k, layer.call.tokens):
                assert kept.untyped_storage().nbytes() == kept.numel() * kept.element_size()
            assert layer.call.q.untyped_storage().data_ptr() != layer.call.k.untyped_storage().data_ptr()
            assert layer.call.bias is None and layer.call.probabilities is None

    def test_nothing_of_size_n_by_n_lives_on_in_a_multihead_attention(self, wrap, picture):
        net = torchvision.models.VisionTransformer(
            image_size=64, patch_size=4, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=16
        )
        traced = trace(wrap(net, (64, 64)), picture)
        assert traced.bytes == 3 * 257 * 16 * 4

    def test_looking_at_rows_does_not_make_the_trace_grow(self, tiny_vit, picture):
        traced = trace(tiny_vit, picture)
        before = traced.bytes
        traced.weights(0)
        traced.layers[1].mean_row()
        assert traced.bytes == before


def moved_places(module, size, box):
    """For each layer but pools: the token whose query moves most when the view changes inside a box, and its grid."""
    view = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    changed, (top, left, bottom, right) = view.clone(), box
    noise = torch.randn(3, bottom - top, right - left, generator=torch.Generator().manual_seed(1))
    changed[..., top:bottom, left:right] += 2 * noise
    prefix = prefix_tokens_of(module)
    known = isinstance(getattr(module, "num_prefix_tokens", None), int)
    (before, gaps), (after, _) = (place(capture(module, v), size, prefix, known) for v in (view, changed))
    found = []
    for one, other in zip(before, after, strict=True):
        kept = [c.probabilities if c.q is None else c.q for c in (one.call, other.call)]
        moves = (kept[0] - kept[1]).abs().sum((1, 3))
        if one.windows is None:
            moves = moves[0, one.num_prefix_tokens :]
        else:
            index = torch.tensor(one.windows.index())
            moves = torch.zeros(one.grid.size).scatter_(0, index[index >= 0], moves[index >= 0])
        if one.kind != "pool":
            found.append((one, divmod(int(moves.argmax()), one.query_grid.cols)))
    return found, gaps


def near(grid, cell, box):
    """Whether a cell of a grid lies within a cell of a box of the view."""
    u0, v0, u1, v1 = grid.box(*cell)
    down, right = grid.stride
    return v0 - down < box[2] and v1 + down > box[0] and u0 - right < box[3] and u1 + right > box[1]


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_what_changes_in_the_picture_moves_most_the_token_at_its_place(family):
    torch.manual_seed(0)
    module = timm.create_model(family.architecture, **family.args).eval()
    height, width = family.size
    for box in ((0, width * 3 // 4, height // 4, width), (height * 3 // 4, 0, height, width // 4)):
        found, _ = moved_places(module, family.size, box)
        assert found
        for layer, cell in found:
            assert near(layer.query_grid, cell, box), (layer.name, cell, layer.query_grid)


def test_hieras_reordered_tokens_are_a_gap_and_the_rest_lie_right():
    torch.manual_seed(0)
    module = timm.create_model("hiera_tiny_224", embed_dim=32).eval()
    box = (0, 168, 56, 224)
    found, gaps = moved_places(module, (224, 224), box)
    assert [layer.name for layer, _ in found] == ["blocks.11.attn"]
    assert near(found[0][0].query_grid, found[0][1], box)
    assert any("order of mask units" in gap for gap in gaps) and len(gaps) == 11


class TestWhatIsNoTokenAttention:
    def test_a_resnet_is_refused_with_the_reason(self, make, picture):
        with pytest.raises(AttentionError, match=r"no attention call.*no transformer"):
            trace(make("test_resnet", (64, 96)), picture)

    def test_xcit_is_refused_as_attention_between_channels(self, make, picture):
        with pytest.raises(AttentionError, match="channels, not between tokens"):
            trace(
                make("xcit_nano_12_p16_224", (64, 96), img_size=(64, 96), embed_dim=32, depth=2, num_heads=2), picture
            )

    def test_cait_is_refused_as_mixed_after_the_softmax(self, make, picture):
        with pytest.raises(AttentionError, match="mixed"):
            trace(make("cait_xxs24_224", (64, 96), img_size=(64, 96), embed_dim=32, depth=2, num_heads=2), picture)

    def test_the_twins_of_these_tests_are_not_left_in_place(self):
        with attention_by_hand():
            assert not timm.create_model("test_vit").blocks[0].attn.fused_attn
        assert timm.create_model("test_vit").blocks[0].attn.fused_attn
