"""`vitviz export --method`: files of every method, and recipes that make them again."""

import json

import numpy as np
import PIL.Image
import pytest
from cli_cases import call

import vitviz
from vitviz import cli
from vitviz.attention.values import RolloutOptions, Selection
from vitviz.render.codec import from_json, to_json


@pytest.fixture(autouse=True)
def settings_of_its_own(config_dir):
    """No command sees the settings of whoever runs the tests."""


def export(files, out, *options):
    return call("export", files, "--out", str(out), *options)


def the_map(method, options, opened):
    image, model, trace = opened
    if method == "rollout":
        return vitviz.rollout(trace, query="cls", **options)
    return vitviz.relevance(model, image, options.get("target"), method)


CASES = [
    ("rollout", [], {}),
    ("rollout", ["--fusion", "max", "--discard", "0.8", "--residual", "0.3"],
     {"fusion": "max", "discard": 0.8, "residual": 0.3}),
    ("rollout", ["--first-layer", "1", "--last-layer", "3", "--variant", "vit-explain"],
     {"first_layer": 1, "last_layer": 3, "variant": "vit-explain"}),
    ("relevance", ["--target", "3"], {"target": 3}),
    ("gradient rollout", ["--target", "2"], {"target": 2}),
    ("attention grad-cam", [], {}),
    ("token grad-cam", ["--target", "1"], {"target": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "flags", "options"), CASES, ids=str)
def test_figure_of_a_method_is_that_map_and_its_recipe_makes_it_again(tmp_path, files, opened, method, flags, options):
    out, second = tmp_path / "one", tmp_path / "two"
    assert export(files, out, "--method", method.replace(" ", "-"), *flags) == 0
    (path,) = out.glob("*.png")
    wanted = the_map(method, options, opened)
    assert np.array_equal(np.asarray(PIL.Image.open(path)), vitviz.overlay(opened[0], wanted))
    recipe = json.loads(path.with_name(path.name + ".json").read_text())
    assert recipe["selection"]["method"] == method
    assert from_json(Selection, recipe["selection"]) == wanted.selection
    again = cli.main(
        ["export", "--recipe", str(path), "--model", str(files[1]), "--device", "cpu", "--out", str(second)]
    )
    assert again == 0
    assert (second / path.name).read_bytes() == path.read_bytes()


def test_options_that_differ_give_names_that_differ(tmp_path, files):
    for flags in ([], ["--fusion", "max"], ["--discard", "0.5"], ["--last-layer", "2"], ["--residual", "0.1"]):
        assert export(files, tmp_path, "--method", "rollout", *flags) == 0
    for target in ("0", "1"):
        assert export(files, tmp_path, "--method", "relevance", "--target", target) == 0
    assert len(list(tmp_path.glob("*.png"))) == 7


def test_a_sheet_over_all_methods_is_written(tmp_path, files):
    assert export(files, tmp_path, "--over", "methods", "--width", "150") == 0
    (path,) = tmp_path.glob("*.png")
    assert PIL.Image.open(path).width > 400


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--method", "rollout", "--last-layer", "9"], "no layer 9"),
        (["--method", "rollout", "--discard", "1"], "share to discard is 1"),
        (["--method", "relevance", "--target", "77"], "no class 77"),
        (["--method", "relevance", "--target", "fish"], "no class 'fish'"),
    ],
)
def test_what_can_not_be_made_is_refused_in_one_line(tmp_path, files, capsys, flags, says):
    assert export(files, tmp_path, *flags) == 1
    assert says in capsys.readouterr().err


def test_selection_with_its_options_survives_json():
    chosen = Selection(
        3, "max", "cls", method="rollout", options=RolloutOptions("min", 0.25, 1, 4, 0.75, "vit-explain")
    )
    assert from_json(Selection, json.loads(json.dumps(to_json(chosen)))) == chosen
    with pytest.raises(ValueError, match="fusion"):
        from_json(Selection, {**to_json(chosen), "options": {"fusion": "sum"}})
