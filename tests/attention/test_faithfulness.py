"""Deletion and insertion, on models whose curves are known exactly and on networks against passes of their own."""

import csv

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import vitviz
from vitviz.attention.curves import RANDOM
from vitviz.attention.faithfulness import faithfulness, removal_order
from vitviz.attention.values import Ablation, Map, Selection
from vitviz.errors import AttentionError, Cancelled
from vitviz.models.layout import Grid


class PatchMeans(nn.Module):
    """Logits that are a linear function of the means of 4 x 6 patches of 16 px: every patch has its own share."""

    def __init__(self, seed=0):
        super().__init__()
        self.head = nn.Linear(24, 3)
        with torch.no_grad():
            self.head.weight.copy_(torch.randn(3, 24, generator=torch.Generator().manual_seed(seed)))

    def forward(self, x):
        return self.head(nn.functional.avg_pool2d(x.mean(1, keepdim=True), 16).flatten(1))


@pytest.fixture(scope="module")
def linear(wrap):
    return wrap(PatchMeans(), (64, 96), prefix=())


def map_with(values, model, picture, stride=16):
    values = np.asarray(values, dtype=np.float32)
    grid = Grid(*values.shape, (float(stride), float(stride)))
    return Map(values, Selection(), grid, model.view(picture), "by hand", model.name, picture.name)


def contributions(model, picture, target):
    view = model.preprocess(picture)
    means = nn.functional.avg_pool2d(view.mean(1, keepdim=True), 16).flatten()
    return (model.module.head.weight[target] * means).detach().numpy()


class TestTheLinearModel:
    def test_curves_are_the_sums_of_what_the_patches_give(self, linear, picture):
        share = contributions(linear, picture, 1)
        bias = float(linear.module.head.bias[1].detach())
        values = np.random.default_rng(3).normal(size=(4, 6))
        shown = map_with(values, linear, picture)
        found = faithfulness(linear, picture, shown, 1, score="logit", steps=24, seeds=0).curves["map"]
        order = np.argsort(-values.ravel())
        left = bias + share.sum() - np.concatenate([[0], np.cumsum(share[order])])
        there = bias + np.concatenate([[0], np.cumsum(share[order])])
        np.testing.assert_allclose(found.deletion.scores, left, atol=1e-4)
        np.testing.assert_allclose(found.insertion.scores, there, atol=1e-4)
        np.testing.assert_allclose(found.deletion.shares, np.arange(25) / 24, atol=1e-6)
        np.testing.assert_allclose(found.insertion.shares, np.arange(25) / 24, atol=1e-6)
        assert found.deletion.area == pytest.approx(((left[1:] + left[:-1]) / 2).mean(), abs=1e-4)
        assert found.insertion.area == pytest.approx(((there[1:] + there[:-1]) / 2).mean(), abs=1e-4)

    @settings(max_examples=25)
    @given(seed=st.integers(0, 2**32 - 1))
    def test_no_order_is_better_than_that_of_the_true_contributions(self, linear, picture, seed):
        share = contributions(linear, picture, 2)
        other = np.random.default_rng(seed).permutation(share)
        maps = {
            "true": map_with(share.reshape(4, 6), linear, picture),
            "other": map_with(other.reshape(4, 6), linear, picture),
        }
        found = faithfulness(linear, picture, maps, 2, score="logit", seeds=0).curves
        assert found["true"].deletion.area <= found["other"].deletion.area + 1e-5
        assert found["true"].insertion.area >= found["other"].insertion.area - 1e-5
        assert found["true"].gain > 0

    def test_the_reverse_order_swaps_the_curves(self, linear, picture):
        share = contributions(linear, picture, 0).reshape(4, 6)
        maps = {"up": map_with(share, linear, picture), "down": map_with(-share, linear, picture)}
        found = faithfulness(linear, picture, maps, 0, seeds=0).curves
        np.testing.assert_allclose(found["up"].insertion.scores, found["down"].deletion.scores[::-1], atol=1e-6)
        assert found["up"].gain == pytest.approx(-found["down"].gain, abs=1e-5)

    def test_random_orders_gain_nothing_on_average_and_say_their_spread(self, linear, picture):
        shown = map_with(np.arange(24).reshape(4, 6), linear, picture)
        found = faithfulness(linear, picture, shown, score="logit", seeds=200).curves[RANDOM]
        straight = (
            found.deletion.scores[0] + (found.deletion.scores[-1] - found.deletion.scores[0]) * found.deletion.shares
        )
        assert abs(found.deletion.scores - straight).max() < 5 * found.deletion.spread.max() / 200**0.5
        assert found.deletion.spread[0] < 1e-5 and found.deletion.spread[12] > 0.05
        again = faithfulness(linear, picture, shown, score="logit", seeds=200).curves[RANDOM]
        np.testing.assert_array_equal(again.deletion.scores, found.deletion.scores)


@pytest.mark.parametrize("removal", ["grey", "blurred"])
@pytest.mark.parametrize("name", ["tiny_vit", "tiny_swin"])
class TestNetworks:
    def test_ends_and_a_step_between_are_the_models_own_outputs(self, name, removal, request, picture):
        model = request.getfixturevalue(name)
        seen = vitviz.trace(model, picture)
        shown = vitviz.attention_map(seen, layer=-1)
        found = faithfulness(model, picture, shown, 2, removal=removal, steps=4, seeds=2, seen=seen)
        view = model.preprocess(picture)
        empty = torch.zeros_like(view)
        if removal == "blurred":
            from torchvision.transforms.functional import gaussian_blur

            sigma = max(view.shape[-2:]) / 16
            reach = min(2 * round(2.5 * sigma) + 1, 2 * min(view.shape[-2:]) - 1)
            empty = gaussian_blur(view, [reach, reach], [sigma, sigma])

        def says(x):
            with torch.no_grad():
                return float(model.module(x).softmax(-1)[0, 2])

        for curves in found.curves.values():
            assert curves.deletion.scores[0] == pytest.approx(says(view), abs=1e-5)
            assert curves.deletion.scores[-1] == pytest.approx(says(empty), abs=1e-5)
            assert curves.insertion.scores[0] == pytest.approx(says(empty), abs=1e-5)
            assert curves.insertion.scores[-1] == pytest.approx(says(view), abs=1e-5)
            assert (curves.deletion.shares[0], curves.deletion.shares[-1]) == (0, 1)
        own = found.curves["map"].deletion
        gone = view.clone()
        count = round(own.shares[1] * shown.grid.size)
        for index in np.argsort(-shown.values.ravel(), kind="stable")[:count]:
            u0, v0, u1, v1 = (round(edge) for edge in shown.grid.box(*divmod(int(index), shown.grid.cols)))
            gone[..., v0:v1, u0:u1] = empty[..., v0:v1, u0:u1]
        assert own.scores[1] == pytest.approx(says(gone), abs=1e-5)
        assert own.scores[1] != pytest.approx(says(view), abs=1e-7)


def test_is_of_the_altered_model_where_the_trace_is(tiny_vit, picture):
    seen = vitviz.trace(tiny_vit, picture, ablation=Ablation([(0, 0), (1, 1)]))
    found = faithfulness(tiny_vit, picture, vitviz.attention_map(seen, layer=1), 1, seen=seen, seeds=0)
    assert found.curves["map"].deletion.scores[0] == pytest.approx(float(seen.probabilities[1]), abs=1e-5)


def test_random_orders_of_every_grid(tiny_swin, picture):
    seen = vitviz.trace(tiny_swin, picture)
    maps = {"fine": vitviz.attention_map(seen, layer=0), "coarse": vitviz.attention_map(seen, layer=3)}
    found = faithfulness(tiny_swin, picture, maps, steps=3, seeds=1, seen=seen)
    assert list(found.curves) == ["fine", "coarse", f"{RANDOM} 9 x 11", f"{RANDOM} 5 x 6"]
    assert [row[0] for row in found.rows()] == list(found.curves)


def test_order_is_the_largest_first_and_ties_by_row(linear, picture):
    assert removal_order(map_with([[1, 3, 1], [3, 0, 2]], linear, picture)).tolist() == [1, 3, 5, 0, 2, 4]


def test_csv_has_areas_and_curves(linear, picture):
    shown = map_with(np.arange(24).reshape(4, 6), linear, picture)
    found = faithfulness(linear, picture, {'a "map", of mine': shown}, 1, steps=3, seeds=2)
    lines = found.csv().splitlines()
    assert lines[0] == (
        f"# probability of class 1, patches grey, model by hand, picture {picture.name}, 3 steps, "
        "2 random orders (seeds 0 to 1)"
    )
    rows = list(csv.DictReader(lines[1:]))
    assert all(len(row) == 7 and None not in row.values() for row in rows)
    assert {row["grid"] for row in rows} == {"4 x 6"}
    for name, curves in found.curves.items():
        own = [row for row in rows if row["method"] == name]
        areas = [float(row["value"]) for row in own if row["quantity"] == "area"]
        np.testing.assert_allclose(areas, [curves.deletion.area, curves.insertion.area, curves.gain], atol=2e-6)
        for kind in ("deletion", "insertion"):
            scores = [float(row["value"]) for row in own if (row["curve"], row["quantity"]) == (kind, "score")]
            np.testing.assert_allclose(scores, getattr(curves, kind).scores, atol=1e-6)
        assert all(bool(row["spread"]) == (name == RANDOM) for row in own)
    assert "-0.000000" not in found.csv()


def test_random_orders_have_the_mean_and_the_spread_of_their_areas(linear, picture):
    shown = map_with(np.arange(24).reshape(4, 6), linear, picture)
    found = faithfulness(linear, picture, shown, 1, steps=6, seeds=3).curves[RANDOM]
    each = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(24)
        values = np.empty(24)
        values[order] = -np.arange(24)
        one = faithfulness(
            linear, picture, map_with(values.reshape(4, 6), linear, picture), 1, steps=6, seeds=0
        ).curves["map"]
        each.append((one.deletion.area, one.insertion.area, one.gain))
    np.testing.assert_allclose((found.deletion.area, found.insertion.area, found.gain), np.mean(each, 0), atol=1e-6)
    np.testing.assert_allclose(found.spreads, np.std(each, 0), atol=1e-6)
    assert found.spreads[2] > 1e-4


def test_cancel_progress_and_refusals(tiny_vit, linear, picture):
    shown = vitviz.attention_map(vitviz.trace(tiny_vit, picture), layer=0)
    told, asked = [], []

    def cancel():
        asked.append(1)
        return len(asked) > 60

    with pytest.raises(Cancelled):
        faithfulness(tiny_vit, picture, shown, cancel=cancel)
    assert len(asked) == 61
    faithfulness(tiny_vit, picture, shown, steps=2, progress=lambda fraction, text: told.append(fraction))
    assert told == sorted(told) and told[-1] == 1
    for arguments in ({"target": 9}, {"removal": "noise"}, {"score": "rank"}, {"steps": 0}, {"maps": {}}):
        with pytest.raises(AttentionError):
            faithfulness(tiny_vit, picture, **({"maps": shown} | arguments))
