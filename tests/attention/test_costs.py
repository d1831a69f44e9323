"""What a model costs: counted operations against closed forms, memory against known tensors, growth against counts."""

import pytest
import timm
import torch
from torch import nn

import vitviz
from vitviz.attention.costs import Scaling, measure, measure_in_turns
from vitviz.errors import Cancelled
from vitviz.models.cost import flops_of
from vitviz.models.peak import watched


@pytest.mark.parametrize("side", [96, 224])
@pytest.mark.parametrize("patch", [8, 16, 32])
def test_operations_of_a_vit_are_those_of_the_closed_form(patch, side):
    width, depth, heads, classes = 192, 12, 3, 10
    module = timm.create_model("vit_tiny_patch16_224", patch_size=patch, img_size=side, num_classes=classes)
    counted = flops_of(module, (side, side))
    tokens = (side // patch) ** 2 + 1
    attention = depth * 2 * 2 * tokens**2 * width
    embedding = 2 * (side // patch) ** 2 * 3 * patch**2 * width
    linear = depth * 2 * tokens * (4 * width**2 + 2 * 4 * width**2)
    assert (heads, counted.attention, counted.pixels) == (3, attention, embedding)
    assert counted.head == 2 * width * classes
    assert counted.total == attention + embedding + linear + counted.head


@pytest.fixture
def cost(tiny_vit, picture):
    return measure(tiny_vit, picture, vitviz.trace(tiny_vit, picture), runs=3)


def test_cost_of_a_model_says_what_is_known_about_it(cost, tiny_vit, picture):
    assert (cost.tokens, cost.grid, cost.view, cost.patch) == (25, (4, 6), (64, 96), (16, 16))
    assert cost.parameters == tiny_vit.parameters
    assert 3 <= cost.runs <= 15 and cost.seconds > 0
    assert cost.flops == flops_of(tiny_vit.module, (64, 96)).total
    assert 0 < cost.attention < 1
    assert [p for _, p in cost.top] == sorted((p for _, p in cost.top), reverse=True)
    assert sum(p for _, p in cost.top) == pytest.approx(1.0)  # five classes


def test_passes_of_several_models_take_turns(tiny_vit, tiny_swin, picture, monkeypatch):
    from vitviz.attention import costs

    passed, real = [], costs._timed
    monkeypatch.setattr(costs, "_timed", lambda module, view: (passed.append(module), real(module, view))[1])
    every = [(model, picture, vitviz.trace(model, picture)) for model in (tiny_vit, tiny_swin)]
    found = measure_in_turns(every, runs=4)
    runs = found[0].runs
    assert runs == found[1].runs == len(found[0].times) >= 3
    assert passed[-2 * runs :] == [tiny_vit.module, tiny_swin.module] * runs
    for cost in found:
        low, high = cost.spread
        assert (low, high) == (min(cost.times), max(cost.times)) and low <= cost.seconds <= high


@pytest.mark.parametrize(("patch", "side"), [(8, 64), (32, 64), (16, 128), (8, 160)])
def test_growth_of_a_vit_is_what_counting_says(patch, side):
    def made(patch, side):
        return timm.create_model("vit_tiny_patch16_224", depth=2, patch_size=patch, img_size=side, num_classes=7)

    counted = flops_of(made(16, 64), (64, 64))
    rest = counted.total - counted.attention - counted.pixels - counted.head
    scaling = Scaling(counted.attention, rest, counted.pixels, counted.head, 16, 64 * 64, 1, True)
    wanted = flops_of(made(patch, side), (side, side)).total
    assert scaling.at((side // patch) ** 2, side * side) == pytest.approx(wanted, rel=1e-12)


def test_growth_of_a_swin_is_linear_in_its_tokens(make, picture):
    sizes = {"window_size": 4, "embed_dim": 16, "depths": (2, 2), "num_heads": (2, 4), "num_classes": 5}
    small = make("swin_tiny_patch4_window7_224", (64, 64), img_size=(64, 64), **sizes)
    large = make("swin_tiny_patch4_window7_224", (128, 192), img_size=(128, 192), **sizes)
    found = measure(small, picture, vitviz.trace(small, picture), runs=1)
    assert not found.scaling.quadratic
    wanted = flops_of(large.module, (128, 192)).total
    assert found.scaling.at(32 * 48, 128 * 192) == pytest.approx(wanted, rel=1e-3)


def test_measuring_stops_when_it_is_no_longer_wanted(tiny_vit, picture):
    seen = vitviz.trace(tiny_vit, picture)
    texts = []
    with pytest.raises(Cancelled):
        measure(tiny_vit, picture, seen, progress=lambda f, t: texts.append(t), cancel=lambda: len(texts) > 2)
    assert len(texts) == 3


class _Chain(nn.Module):
    """Ten tensors one after the other, of which two are alive at a time, then one four times as large."""

    def forward(self, x):
        for _ in range(10):
            x = x + 1
        return torch.cat([x, x, x, x])


def test_peak_counts_what_is_alive_at_once_and_not_what_was_freed():
    module, x = _Chain(), torch.zeros(1000)
    with torch.inference_mode(), watched(module, torch.device("cpu")) as peak:
        module(x)
    assert peak.bytes == (1 + 4) * 4000  # the last of the chain and what is made of it


def test_peak_leaves_weights_and_views_out():
    module, x = nn.Linear(64, 64, bias=False), torch.zeros(8, 64)
    with torch.inference_mode(), watched(module, torch.device("cpu")) as peak:
        module(x).view(-1).reshape(4, 128)
    assert peak.bytes == 8 * 64 * 4


@pytest.mark.parametrize("patch", [8, 16])
def test_memory_of_a_pass_grows_with_its_tokens(make, picture, patch):
    sizes = {"img_size": (64, 64), "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 5}
    model = make("vit_tiny_patch16_224", (64, 64), patch_size=patch, **sizes)
    found = measure(model, picture, vitviz.trace(model, picture), runs=1)
    tokens = (64 // patch) ** 2 + 1
    hidden = tokens * 4 * 32 * 4
    assert hidden < found.forward_bytes < 6 * hidden
    assert found.trace_bytes == vitviz.trace(model, picture).bytes
