"""Figures that are no maps: every one is made again from its recipe, byte for byte, and only from a whole recipe."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pages import words_that_are_cut, words_that_touch
from PIL import Image as Pillow

import vitviz
from vitviz import cli, resources
from vitviz.attention.values import Place
from vitviz.errors import FileError, VitvizError
from vitviz.render.reading import read_recipe
from vitviz.render.studies import STUDIES
from vitviz.render.studies.bias import BiasStudy
from vitviz.render.studies.cut import CutStudy
from vitviz.render.studies.filters import FilterStudy
from vitviz.render.studies.making import produce_study
from vitviz.render.studies.positions import PositionStudy
from vitviz.render.studies.reach import ReachStudy
from vitviz.render.studies.study import Subject, plan_of
from vitviz.render.studies.transfer import TransferStudy

LAYER = "layers.1.blocks.1.attn"
CASES = {
    "bias": ("demo-swin", BiasStudy(LAYER)),
    "components": ("demo", FilterStudy("components")),
    "filters": ("demo-swin", FilterStudy("filters")),
    "positions": ("demo", PositionStudy("learned", (-0.5, 1.0), "magma")),
    "another size": ("demo", TransferStudy((64, 96), (0.3, 0.8))),
    "cut": ("demo", CutStudy()),
    "reach, a step": ("demo-swin", ReachStudy(Place(70.5, 60.0), "down", 2)),
    "reach, all steps": ("demo-swin", ReachStudy(Place(70, 60), "up")),
}


@pytest.fixture(scope="module")
def subjects():
    """The picture through both demo models."""
    image = vitviz.read_image(resources.path("demo/pictures/star_and_ring.png"))
    models = {name: vitviz.load_model(name, device="cpu") for name in ("demo", "demo-swin")}
    return {name: Subject(model, image, vitviz.trace(model, image)) for name, model in models.items()}


def write(folder, plan, subject):
    product = produce_study(plan, subject)
    product.write(folder / product.name)
    return folder / product.name


def again(recipe, out, *pictures):
    return cli.main(["export", *map(str, pictures), "--recipe", str(recipe), "--out", str(out), "--device", "cpu"])


def test_every_kind_of_study_is_tried_here():
    assert {type(study) for _, study in CASES.values()} == set(STUDIES.values())


@pytest.mark.parametrize("case", CASES)
def test_made_again_from_its_recipe_it_has_the_same_bytes(case, subjects, tmp_path):
    name, study = CASES[case]
    for kind in study.formats():
        path = write(tmp_path, plan_of(study, kind), subjects[name])
        out = tmp_path / kind
        out.mkdir()
        assert again(path if kind in ("png", "pdf") else path.with_name(path.name + ".json"), out) == 0
        assert (out / path.name).read_bytes() == path.read_bytes()
        assert (out / f"{path.name}.json").read_bytes() == path.with_name(path.name + ".json").read_bytes()


@pytest.mark.parametrize("case", CASES)
def test_recipe_read_back_is_the_plan(case, subjects, tmp_path):
    name, study = CASES[case]
    plan = plan_of(study, "png")
    path = write(tmp_path, plan, subjects[name])
    for carrier in (path, path.with_name(path.name + ".json")):
        found = read_recipe(carrier)
        assert found.plan == plan and (found.picture is None) == (study.needs == "model")
    path.with_name(path.name + ".json").unlink()
    assert read_recipe(path).plan == plan  # what the PNG itself carries


def test_numbers_are_those_of_the_model_and_say_what_they_are(subjects, tmp_path):
    study = BiasStudy(LAYER)
    path = write(tmp_path, plan_of(study, "npz"), subjects["demo-swin"])
    with np.load(path, allow_pickle=False) as file:
        expected = vitviz.relative_position_bias(subjects["demo-swin"].model)[LAYER]
        np.testing.assert_array_equal(file["bias"], expected)
        about = json.loads(str(file["about"]))
    assert about["unit"].startswith("bias added to the score") and about["recipe"]["study"]["layer_name"] == LAYER
    recipe = json.loads(path.with_name(path.name + ".json").read_text())
    assert recipe["values"]["arrays"] == {"bias": list(expected.shape)} and recipe["picture"] is None


def test_the_published_recipe_names_no_folder(subjects, tmp_path):
    study = CutStudy()
    path = write(tmp_path, plan_of(study, "png"), subjects["demo"])
    assert json.loads(Pillow.open(path).text["vitviz"])["picture"]["path"] is None
    assert json.loads(path.with_name(path.name + ".json").read_text())["picture"]["path"]


def test_heads_that_are_off_are_off_again(subjects, tmp_path):
    subject, study = subjects["demo"], CutStudy()
    ablation = vitviz.Ablation(frozenset({(1, 0)}))
    altered = vitviz.trace(subject.model, subject.image, ablation=ablation)
    path = write(tmp_path, plan_of(study, "png"), Subject(subject.model, subject.image, altered))
    assert read_recipe(path).ablation == ablation
    (tmp_path / "out").mkdir()
    assert again(path, tmp_path / "out") == 0


def test_a_layer_without_a_table_is_refused_in_a_sentence(subjects):
    with pytest.raises(VitvizError, match="no relative position bias in a layer 'nowhere'"):
        BiasStudy("nowhere").found(subjects["demo-swin"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"study": {"name": "tea leaves"}}, "'tea leaves' is unknown"),
        ({"study": {"name": "relative position bias"}}, "lacks the field 'layer_name'"),
        ({"study": {"name": "relative position bias", "layer_name": 3}}, "expected str"),
        ({"study": []}, "is no dict"),
        ({"file": {"format": "exe", "seconds": 1}}, "can't be written as exe"),
        ({"file": {"format": "gif", "seconds": 1}}, "can't be written as gif"),
        ({"file": {"format": "png"}}, "lacks 'seconds'"),
        ({"file": {"format": "png", "seconds": 1e9}}, "0.02 to 60"),
        ({"picture": {"path": None, "name": "a", "sha256": "b"}}, "does not need"),
        ({"figure": {"dpi": 10**9}}, "dpi"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_recipes_are_refused_with_the_reason(change, says, subjects, tmp_path):
    study = BiasStudy(LAYER)
    path = write(tmp_path, plan_of(study, "svg"), subjects["demo-swin"])
    recipe = path.with_name(path.name + ".json")
    recipe.write_text(json.dumps(json.loads(recipe.read_text()) | change))
    with pytest.raises(FileError, match=says):
        read_recipe(recipe)


@pytest.mark.parametrize("case", CASES)
def test_no_words_touch_or_are_cut_in_one_column_whatever_the_names(case, subjects):
    source, study = CASES[case]
    plain = subjects[source]
    names = {"model": "swinv2_cr_base_ns_224.a_run_with_a_very_long_name/epoch_300", "image": "IMG_2026_" * 9 + ".png"}
    subject = replace(
        plain, model=replace(plain.model, name=names["model"]), image=replace(plain.image, name=names["image"])
    )
    page = study.page(study.found(subject), subject, replace(study.figure, width=85.0))
    assert words_that_touch(page) == [] and words_that_are_cut(page) == []
