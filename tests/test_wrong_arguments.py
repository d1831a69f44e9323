"""Wrong arguments of the public calls: each is refused with what came and what to give, never accepted or raw."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import vitviz
from vitviz.errors import AttentionError, ImageError, ModelError, RenderError, SourceError


@pytest.fixture(scope="module")
def on(picture, tmp_path_factory):
    """The demo network with a picture, its trace and a map of it."""
    model = vitviz.load_model("demo")
    trace = vitviz.trace(model, picture)
    shown = vitviz.attention_map(trace, layer=-1)
    return SimpleNamespace(m=model, im=picture, t=trace, map=shown, out=tmp_path_factory.mktemp("out"))


WRONG = {
    "query 1.5": (lambda v: vitviz.attention_map(v.t, layer=0, query=(1.5, 2)), AttentionError, r"1\.5: give a whole"),
    "query True": (lambda v: vitviz.attention_map(v.t, layer=0, query=(True, 0)), AttentionError, "True: give a whole"),
    "query 5": (lambda v: vitviz.attention_map(v.t, layer=0, query=5), AttentionError, "query is 5: give the name"),
    "query of 3": (lambda v: vitviz.attention_map(v.t, layer=0, query=(1, 2, 3)), AttentionError, r"\(1, 2, 3\): give"),
    "query -1": (lambda v: vitviz.attention_map(v.t, layer=0, query=(-1, 0)), AttentionError, "no patch"),
    "queries of heads": (lambda v: vitviz.head_maps(v.t, 5), AttentionError, "query is 5"),
    "query of rollout": (lambda v: vitviz.rollout(v.t, query=(0, 1.0)), AttentionError, "1.0: give a whole"),
    "query of features": (lambda v: vitviz.feature_similarity(v.t, 0, (0.5, 1)), AttentionError, "0.5: give a whole"),
    "place": (lambda v: vitviz.Place(float("nan"), 1), AttentionError, "nan, 1.*in pixels"),
    "layer 1.5": (lambda v: vitviz.attention_map(v.t, layer=1.5), AttentionError, "layer is 1.5: give a whole"),
    "layer '3'": (lambda v: vitviz.attention_map(v.t, layer="3"), AttentionError, "layer is '3': give a whole"),
    "layer -7": (lambda v: vitviz.attention_map(v.t, layer=-7), AttentionError, "no layer -7.*0 to 5"),
    "head True": (lambda v: vitviz.attention_map(v.t, layer=0, head=True), AttentionError, "head is True"),
    "head None": (lambda v: vitviz.attention_map(v.t, layer=0, head=None), AttentionError, "head is None.*'mean'"),
    "head 'sum'": (lambda v: vitviz.attention_map(v.t, layer=0, head="sum"), AttentionError, "'sum' is unknown"),
    "head -1": (lambda v: vitviz.attention_map(v.t, layer=0, head=-1), AttentionError, "no head -1"),
    "heads 'mean'": (lambda v: v.t.weights(3, heads="mean"), AttentionError, "head is 'mean': give numbers"),
    "queries 1.5": (lambda v: v.t.weights(3, queries=[1.5]), AttentionError, r"query is 1\.5: give numbers"),
    "layer of weights": (lambda v: v.t.weights(True), AttentionError, "layer is True"),
    "top -1": (lambda v: v.t.top_k(-1), AttentionError, "-1 classes.*0 or more"),
    "discard 5": (lambda v: vitviz.RolloutOptions(discard=5), AttentionError, "discard is 5"),
    "discard 2": (lambda v: vitviz.rollout(v.t, discard=2), AttentionError, "discard is 2"),
    "residual": (lambda v: vitviz.rollout(v.t, residual="half"), AttentionError, "'half': give a number from 0 to 1"),
    "last layer": (lambda v: vitviz.rollout(v.t, last_layer=2.0), AttentionError, "last layer is 2.0"),
    "labels": (lambda v: vitviz.load_model("demo", labels=["a"]), ModelError, "1 labels.*6 classes"),
    "no labels": (lambda v: vitviz.load_model("demo", labels=[]), ModelError, "0 labels.*6 classes"),
    "labels 5": (lambda v: vitviz.load_model("demo", labels=5), SourceError, "labels are 5"),
    "tensor as model": (lambda v: vitviz.load_model(v.m.preprocess(v.im)), SourceError, "Tensor: .*a network"),
    "array as path": (lambda v: vitviz.read_image(v.im.pixels), ImageError, "ndarray: .*from_array"),
    "path as picture": (lambda v: vitviz.trace(v.m, "a.png"), ImageError, r"'a\.png': .*read_image"),
    "tensor as picture": (lambda v: vitviz.trace(v.m, v.m.preprocess(v.im)), ImageError, "Tensor: .*from_array"),
    "name as model": (lambda v: vitviz.trace("demo", v.im), ModelError, "'demo': .*load_model"),
    "picture explained": (lambda v: vitviz.relevance(v.m, "a.png"), ImageError, "read_image"),
    "picture ablated": (lambda v: vitviz.head_ablation(v.m, "a.png", seen=v.t), ImageError, "read_image"),
    "picture judged": (lambda v: vitviz.faithfulness(v.m, "a.png", v.map), ImageError, "read_image"),
    "picture drawn": (lambda v: vitviz.overlay(v.im.pixels, v.map), ImageError, "from_array"),
    "map drawn": (lambda v: vitviz.overlay(v.im, v.map.values), RenderError, "attention_map"),
    "class 'rong'": (lambda v: vitviz.relevance(v.m, v.im, "rong"), AttentionError, "no class 'rong': it knows ring"),
    "class 1.5": (
        lambda v: vitviz.relevance(v.m, v.im, 1.5),
        AttentionError,
        "1.5: give its number or name",
    ),
    "class 6": (lambda v: vitviz.relevance(v.m, v.im, 6), AttentionError, "no class 6.*has 6"),
    "class -1": (lambda v: vitviz.head_ablation(v.m, v.im, -1, seen=v.t), AttentionError, "no class -1"),
    "class True": (lambda v: vitviz.faithfulness(v.m, v.im, v.map, True), AttentionError, "class is True"),
    "steps 0": (lambda v: vitviz.faithfulness(v.m, v.im, v.map, steps=0), AttentionError, "0 steps.*give 1 or more"),
    "seeds -1": (lambda v: vitviz.faithfulness(v.m, v.im, v.map, seeds=-1), AttentionError, "give 0 or more"),
    "no maps": (lambda v: vitviz.faithfulness(v.m, v.im, {}), AttentionError, "no map.*at least one"),
    "list of maps": (lambda v: vitviz.faithfulness(v.m, v.im, [v.map]), AttentionError, "dictionary from names"),
    "over": (lambda v: vitviz.save_figure(v.out / "a.png", v.t, v.map, over="foo"), RenderError, "'foo' is unknown"),
    "figure of": (lambda v: vitviz.save_figure(v.out / "a.png", v.t, 3), RenderError, "figure of 3.*Selection"),
    "dpi": (lambda v: vitviz.Figure(dpi=-1), RenderError, "dpi of a figure is -1: give a number from 30"),
    "dpi None": (lambda v: vitviz.Figure(dpi=None), RenderError, "dpi of a figure is None"),
    "theme": (lambda v: vitviz.Figure(theme="blue"), RenderError, "'blue' is unknown.*'dark'"),
    "columns": (lambda v: vitviz.Figure.for_paper(3), RenderError, "columns 3 is unknown: give 1 or 2"),
    "opacity": (lambda v: vitviz.overlay(v.im, v.map, opacity=3), RenderError, "opacity is 3: give a number from 0"),
    "limits": (lambda v: vitviz.overlay(v.im, v.map, limits=(0, "x")), RenderError, "limits are"),
    "colormap": (lambda v: vitviz.overlay(v.im, v.map, colormap="nope"), RenderError, "'nope' is unknown.*viridis"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_refused_with_what_to_give(name, on):
    call, kind, says = WRONG[name]
    with pytest.raises(kind, match=says):
        call(on)
    assert not list(on.out.iterdir())


def test_what_means_the_same_gives_the_same(on):
    def values(**asked):
        return vitviz.attention_map(on.t, **asked).values

    assert np.array_equal(values(layer=np.int64(5), query="CLS"), values(layer=-1, query="cls"))
    assert np.array_equal(values(layer=2, head=np.int8(1), query=np.argwhere(np.ones((2, 2)))[3].tolist()),
                          values(layer=2, head=1, query=(1, 1)))  # fmt: skip
    assert np.array_equal(on.t.weights(-1, heads=0), on.t.weights(5, heads=[0]))
    named, numbered = (vitviz.relevance(on.m, on.im, target) for target in ("Ring", 0))
    assert named.selection == numbered.selection and np.array_equal(named.values, numbered.values)


def test_a_bug_in_the_explanation_is_not_told_as_the_models(on, monkeypatch):
    def broken(*_):
        raise TypeError("a bug")

    monkeypatch.setattr("vitviz.attention.relevance._layers", broken)
    with pytest.raises(TypeError, match="a bug"):
        vitviz.relevance(on.m, on.im)


def test_model_and_trace_are_a_line_each(on):
    assert repr(on.m).startswith("<Model demo: ") and "6 classes" in repr(on.m)
    assert repr(on.t) == f"<Trace of {on.im.name} through demo: 6 layers on cpu>"
    assert "\n" not in repr(on.m) and len(repr(on.m)) < 120
