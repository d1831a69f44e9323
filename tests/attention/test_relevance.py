"""Gradient methods against whole matrices with torch's own graph, finite differences, and an independent package."""

import numpy as np
import pytest
import torch
from families import FAMILIES
from graded_oracle import attention_and_gradients, changed_logit
from torch import nn

import vitviz
from vitviz.attention.graded import frozen, graded_pass
from vitviz.attention.memory import needed_bytes, size_text
from vitviz.attention.relevance import GRADIENT_METHODS
from vitviz.errors import AttentionError, Cancelled, ModelError
from vitviz.models.peak import watched

BY_KEY = {family.key: family for family in FAMILIES}
GLOBAL = (
    "vit", "vit-qk-norm", "deit-distilled", "dinov2-registers", "dinov3", "eva02", "beit", "siglip", "flexivit",
    "naflex-registers", "naflex-pool", "relpos-cls", "relpos-mlp",
)  # fmt: skip
TARGET = 3


@pytest.fixture(params=GLOBAL)
def followed(request, built, picture):
    """A model, its trace, and the test's own A and dy/dA of every call."""
    model, traced = built(BY_KEY[request.param])
    calls, _ = attention_and_gradients(model, model.preprocess(picture), TARGET)
    return model, traced, calls


def begin(traced, size):
    """The row that the output is made from, over the tokens of the last layer between tokens."""
    layer = traced.layers[0]
    row = np.zeros(size)
    if traced.default_query == "cls":
        row[0] = 1
    else:
        row[layer.num_prefix_tokens :] = 1 / layer.grid.size
    return row


def relevance_by_matrices(traced, calls, per_layer, with_row):
    """R from the first layer on, then its row; `with_row(pool)` makes the row of an attention pool."""
    size = traced.layers[0].num_keys
    product = np.eye(size)
    pools = [layer.kind == "pool" for layer in traced.layers]
    for (a, g), pool in zip(calls, pools, strict=True):
        if not pool:
            product = per_layer(a.numpy(), g.numpy(), product)
    if pools[-1]:
        row = with_row(*(t.numpy() for t in calls[-1]))
        row = np.pad(row, (size - len(row), 0))
    else:
        row = begin(traced, size)
    return row @ product


def on_patches(traced, row):
    layer = traced.layers[0]
    return row[layer.num_prefix_tokens :].reshape(layer.grid.shape)


def test_relevance_is_the_row_of_the_product_from_the_first_layer_on(followed, picture):
    model, traced, calls = followed
    row = relevance_by_matrices(
        traced,
        calls,
        lambda a, g, r: r + np.maximum(g * a, 0).mean(0) @ r,
        lambda a, g: np.maximum(g * a, 0).mean(0)[0],
    )
    found = vitviz.relevance(model, picture, TARGET)
    np.testing.assert_allclose(found.values, on_patches(traced, row), atol=2e-5 * np.abs(row).max())
    prefix = row[: traced.layers[0].num_prefix_tokens]
    np.testing.assert_allclose(list(found.prefix_weights.values()), prefix, atol=2e-5 * np.abs(row).max())
    assert found.selection.target == TARGET and found.selection.method == "relevance"
    assert found.selection.query == ("pool" if traced.layers[-1].kind == "pool" else traced.default_query)


def test_gradient_rollout_normalises_the_clamped_mean_and_the_identity(followed, picture):
    model, traced, calls = followed

    def step(a, g, r):
        m = (np.maximum((g * a).mean(0), 0) + np.eye(a.shape[1])) / 2
        return m / m.sum(-1, keepdims=True) @ r

    def pool(a, g):
        m = np.maximum((g * a).mean(0), 0)[0]
        return m / m.sum()

    row = relevance_by_matrices(traced, calls, step, pool)
    found = vitviz.relevance(model, picture, TARGET, "gradient rollout")
    np.testing.assert_allclose(found.values, on_patches(traced, row), atol=1e-5)
    assert found.values.sum() + found.prefix_mass == pytest.approx(1, abs=1e-4)


def test_attention_grad_cam_weighs_the_heads_of_the_last_layer(followed, picture):
    model, traced, calls = followed
    a, g = (t.numpy() for t in calls[-1])
    layer = traced.layers[-1]
    count = layer.num_prefix_tokens
    if layer.kind == "pool" or traced.default_query == "cls":
        a, g = a[:, 0], g[:, 0]
    else:
        a, g = a[:, count:].mean(1), g[:, count:].mean(1)
    weight = g[:, count:].mean(-1, keepdims=True)
    expected = np.maximum((weight * a[:, count:]).mean(0), 0).reshape(layer.grid.shape)
    found = vitviz.relevance(model, picture, TARGET, "attention grad-cam")
    np.testing.assert_allclose(found.values, expected, atol=2e-5 * max(expected.max(), 1e-9))


@pytest.mark.parametrize("key", ["vit", "dinov2-registers", "siglip"])
def test_gradients_agree_with_finite_differences(key, built, picture):
    model, _ = built(BY_KEY[key])
    view, seen = model.preprocess(picture), {}

    def tap(call, rows, weights, gradient):
        if rows is not None:
            seen.setdefault(id(call), []).append(gradient[0])

    with frozen(model.module):
        graph = graded_pass(model.module, view, tap)
        torch.autograd.grad(graph.output[0, TARGET], graph.inputs[0])
    generator = np.random.default_rng(0)
    for number, call in enumerate(graph.captured.calls):
        gradient = torch.cat(seen[id(call)], 1)
        largest = float(gradient.abs().max())
        for _ in range(4):
            entry = tuple(int(generator.integers(n)) for n in gradient.shape)
            step = 1e-4
            up, down = (changed_logit(model, view, TARGET, number, entry, by) for by in (step, -step))
            assert float(gradient[entry]) == pytest.approx((up - down) / (2 * step), abs=1e-4 * largest + 1e-7)


@pytest.mark.parametrize("key", ["vit", "deit-distilled", "dinov2-registers", "beit"])
def test_in_the_last_block_only_the_row_that_is_read_has_a_gradient(key, built, picture):
    model, traced = built(BY_KEY[key])
    rows = {}

    def tap(call, queries, weights, gradient):
        if queries is not None:
            rows.setdefault(id(call), []).append(gradient[0].abs().amax((0, 2)))

    with frozen(model.module):
        graph = graded_pass(model.module, model.preprocess(picture), tap)
        torch.autograd.grad(graph.output[0, TARGET], graph.inputs[0])
    last = torch.cat(rows[id(graph.captured.calls[-1])])
    read = ["cls", "dist"] if key == "deit-distilled" else ["cls"] if traced.default_query == "cls" else None
    if read is None:
        assert (last[traced.layers[0].num_prefix_tokens :] > 0).all()
    else:
        assert [traced.layers[0].prefix_tokens[i] for i in last.nonzero()[:, 0]] == read
    before = torch.cat(rows[id(graph.captured.calls[0])])
    assert (before > 0).all()


@pytest.mark.parametrize(
    "key", ["vit", "dinov2-registers", "naflex-registers", "siglip", "swin", "swin-padded", "swinv2"]
)
@pytest.mark.parametrize("target", [0, 4])
def test_token_grad_cam_equals_the_grad_cam_package(key, target, built, picture):
    grad_cam = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model, traced = built(BY_KEY[key])
    layer = traced.layers[0] if key == "siglip" else traced.layers[-1]
    rows, cols = layer.grid.shape
    if key.startswith("swin"):
        where = model.module.layers[-1]
        shape = lambda t: t.permute(0, 3, 1, 2)  # noqa: E731
    else:
        where = model.module.blocks[-1].norm1
        shape = lambda t: t[:, layer.num_prefix_tokens :].reshape(1, rows, cols, -1).permute(0, 3, 1, 2)  # noqa: E731
    view = model.preprocess(picture)
    with torch.enable_grad(), grad_cam.GradCAM(model.module, [where], reshape_transform=shape) as theirs:
        wanted = theirs.activations_and_grads(view)  # fills its activations
        loss = ClassifierOutputTarget(target)(wanted[0])
        loss.backward()
        activations = theirs.activations_and_grads.activations[0].numpy()
        gradients = theirs.activations_and_grads.gradients[0].numpy()
        model.module.zero_grad(set_to_none=True)
        expected = theirs.get_cam_image(view, where, [ClassifierOutputTarget(target)], activations, gradients)[0]
    found = vitviz.relevance(model, picture, target, "token grad-cam").values
    expected = np.maximum(expected, 0)
    assert found.shape == (rows, cols)
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(expected.max(), 1e-9))


@pytest.mark.parametrize("method", GRADIENT_METHODS[:3])
def test_size_of_the_chunks_changes_nothing(method, built, picture, monkeypatch):
    model, _ = built(BY_KEY["dinov2-registers"])
    expected = vitviz.relevance(model, picture, 1, method).values
    monkeypatch.setattr("vitviz.attention.graded._CHUNK_BYTES", 1)
    found = vitviz.relevance(model, picture, 1, method).values
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max())


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_a_softmax_by_hand_gives_what_the_fused_call_gives(method, built, picture):
    model, _ = built(BY_KEY["vit"])
    expected = vitviz.relevance(model, picture, 2, method).values
    for block in model.module.blocks:
        block.attn.fused_attn = False
    try:
        found = vitviz.relevance(model, picture, 2, method).values
    finally:
        for block in model.module.blocks:
            block.attn.fused_attn = True
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max())


class Packed(nn.Module):
    """A ViT on torch's own encoder layers."""

    num_classes, num_prefix_tokens = 5, 1

    def __init__(self, by_hand=False):
        super().__init__()
        self.cut = nn.Conv2d(3, 16, 16, 16)
        self.cls_token = nn.Parameter(torch.randn(1, 1, 16))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True, norm_first=True) for _ in range(2)
        )
        self.head = nn.Linear(16, 5)

    def forward(self, view):
        tokens = torch.cat([self.cls_token, self.cut(view).flatten(2).mT], 1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens[:, 0])


def test_packed_attention_of_torch_is_followed(sharp, wrap, picture):
    torch.manual_seed(0)
    model = wrap(sharp(Packed()))

    # Its own weights, asked for per head, and dy/dA by differences of what it computes from them.
    found = vitviz.relevance(model, picture, 1)
    trace = vitviz.trace(model, picture)
    view = model.preprocess(picture)
    gradients = {}

    def tap(call, rows, weights, gradient):
        if rows is not None:
            gradients[id(call)] = weights[0], gradient[0]

    with frozen(model.module):
        graph = graded_pass(model.module, view, tap)
        torch.autograd.grad(graph.output[0, 1], graph.inputs[0])
    with torch.no_grad():
        np.testing.assert_allclose(graph.output.detach(), model.module(view), atol=1e-5)
    row = np.eye(trace.layers[0].num_keys)[0]
    for layer, call in zip(trace.layers[::-1], graph.captured.calls[::-1], strict=True):
        a, g = (t.numpy() for t in gradients[id(call)])
        np.testing.assert_allclose(a, trace.weights(layer.index), atol=1e-5)
        row = row + row @ np.maximum(a * g, 0).mean(0)
    np.testing.assert_allclose(found.values.ravel(), row[1:], atol=1e-5 * row[1:].max())


def test_the_model_is_as_before_and_its_parameters_want_gradients_as_before(built, picture):
    model, _ = built(BY_KEY["vit"])
    view = model.preprocess(picture)
    with torch.inference_mode():
        before = model.module(view)
    flags = [p.requires_grad for p in model.module.parameters()]
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.module.modules())
    vitviz.relevance(model, picture)
    with pytest.raises(Cancelled):
        vitviz.relevance(model, picture, cancel=lambda: True)
    assert [p.requires_grad for p in model.module.parameters()] == flags
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.module.modules()) == hooks
    assert all(p.grad is None for p in model.module.parameters())
    with torch.inference_mode():
        assert torch.equal(model.module(view), before)


def test_target_is_the_top_class_or_the_one_asked_for(built, picture):
    model, traced = built(BY_KEY["vit"])
    assert vitviz.relevance(model, picture).selection.target == int(np.argmax(traced.logits))
    for target in (5, -1):
        with pytest.raises(AttentionError, match=f"no class {target}.*has 5"):
            vitviz.relevance(model, picture, target)


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_heads_that_are_off_are_off_here_too(method, built, picture):
    model, traced = built(BY_KEY["vit"])
    off = vitviz.trace(model, picture, ablation=vitviz.Ablation({(0, 1), (1, 0)}), plain=traced)
    found = vitviz.relevance(model, picture, 1, method, seen=off)
    assert found.ablation == off.ablation
    kept = [module.attn.proj.weight.clone() for module in model.module.blocks]
    with torch.no_grad():  # the same by hand: the output projection takes nothing of these heads
        for layer, head in off.ablation.heads:
            model.module.blocks[layer].attn.proj.weight[:, head * 16 : head * 16 + 16] = 0
    try:
        expected = vitviz.relevance(model, picture, 1, method).values
    finally:
        with torch.no_grad():
            for module, weight in zip(model.module.blocks, kept, strict=True):
                module.attn.proj.weight.copy_(weight)
    np.testing.assert_allclose(found.values, expected, atol=1e-5 * max(expected.max(), 1e-9))


def test_two_classes_give_two_maps(built, picture):
    model, _ = built(BY_KEY["vit"])
    one, other = (vitviz.relevance(model, picture, target).values for target in (0, 1))
    assert np.abs(one - other).max() > 1e-3 * one.max()


def test_a_model_without_classes_is_refused(make, picture):
    model = make("vit_tiny_patch16_224", (64, 96), img_size=(64, 96), embed_dim=32, depth=1, num_heads=2, num_classes=0)
    with pytest.raises(AttentionError, match="no classes to explain"):
        vitviz.relevance(model, picture)
    with pytest.raises(AttentionError, match="no gradient method"):
        vitviz.relevance(model, picture, method="rollout")


@pytest.mark.parametrize(
    ("name", "size", "shape"),
    [
        ("vit_tiny_patch16_224", 512, {"depth": 3}),
        ("vit_base_patch16_siglip_224", 384, {"depth": 2, "embed_dim": 96, "num_heads": 6, "num_classes": 5}),
        ("swin_tiny_patch4_window7_224", 448, {"depths": (2, 2), "num_heads": (3, 6), "num_classes": 5}),
        ("swinv2_tiny_window8_256", 256, {"depths": (2, 2), "num_heads": (3, 6), "num_classes": 5}),
    ],
)
def test_memory_said_beforehand_is_what_is_alive_at_the_peak_and_what_a_heap_wastes_of_it(
    name, size, shape, make, picture, monkeypatch
):
    model = make(name, (size, size), img_size=size, **shape)
    monkeypatch.setattr("vitviz.attention.relevance.check_room", lambda model: "")  # what it stands for is not there
    with watched(model.module, torch.device("cpu")) as peak:
        vitviz.relevance(model, picture)
    assert 1.5 * peak.bytes < needed_bytes(model) - 2**24 < 1.7 * peak.bytes


def test_memory_said_beforehand_grows_as_the_tokens_do_and_not_as_their_matrices(make):
    few, many = (
        needed_bytes(make("vit_tiny_patch16_224", (size, size), img_size=size, depth=3)) for size in (512, 1024)
    )
    assert 1.8 * few < many < 5 * few  # four times the tokens, whose matrices are sixteen times as large


def test_what_would_not_fit_is_refused_in_numbers_before_it_runs(built, picture, monkeypatch):
    model, _ = built(BY_KEY["vit"])
    need = needed_bytes(model)
    monkeypatch.setattr("vitviz.attention.memory.free_bytes", lambda device: need)
    ran = []
    handle = model.module.register_forward_pre_hook(lambda child, given: ran.append(given[0].is_meta))
    try:
        with pytest.raises(ModelError, match=f"need up to {size_text(need)}.*has {size_text(need)} free.*smaller view"):
            vitviz.relevance(model, picture)
        assert ran == [True]  # on the meta device alone, where nothing is computed
    finally:
        handle.remove()


def test_progress_says_the_memory_first_and_goes_forth_and_back(built, picture):
    model, _ = built(BY_KEY["vit"])
    told = []
    vitviz.relevance(model, picture, progress=lambda fraction, text: told.append((fraction, text)))
    assert told[0][0] == 0.0 and size_text(needed_bytes(model)) in told[0][1]
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions) and any("Back through layer 0" in text for _, text in told)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_gradients_are_had_where_the_caller_wants_none_of_its_own(mode, method, built, picture):
    model, _ = built(BY_KEY["vit"])
    expected = vitviz.relevance(model, picture, 1, method).values
    with mode():
        np.testing.assert_array_equal(vitviz.relevance(model, picture, 1, method).values, expected)
