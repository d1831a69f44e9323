"""Labels that are given for a model: another figure where they are other ones, and drawn again from a recipe alone."""

import json

import pytest
from cli_cases import ARCHITECTURE

from vitviz import cli
from vitviz.errors import FileError
from vitviz.render.labels import with_labels
from vitviz.render.reading import read_recipe

CLASSES = ("lynx", "cat", "dog", "owl", "fox")


@pytest.fixture
def labels(tmp_path):
    """Write names of the five classes to a file, in this order."""

    def write(name, *names):
        path = tmp_path / name
        path.write_text("\n".join(names), encoding="utf-8")
        return str(path)

    return write


def export(files, out, *options):
    out.mkdir(exist_ok=True)
    model = ["--model", str(files[1]), "--architecture", ARCHITECTURE, "--device", "cpu"]
    return cli.main(["export", str(files[0]), *model, "--out", str(out), *options])


def again(recipe, out, *options):
    out.mkdir(exist_ok=True)
    return cli.main(["export", "--recipe", str(recipe), "--out", str(out), "--device", "cpu", *options])


def figure_in(folder, kind):
    (found,) = (path for path in folder.glob(f"*.{kind}") if path.suffix != ".json")
    return found


def recipe_of(figure):
    return figure.with_name(figure.name + ".json")


@pytest.mark.parametrize("kind", ["svg", "png"])
@pytest.mark.parametrize("options", [["--over", "methods"], ["--method", "relevance", "--target", "owl"]], ids=str)
def test_figure_with_labels_is_made_again_without_their_file(files, tmp_path, labels, kind, options):
    assert export(files, tmp_path / "a", "--labels", labels("a.txt", *CLASSES), "--format", kind, *options) == 0
    figure = figure_in(tmp_path / "a", kind)
    told = json.loads(recipe_of(figure).read_text())["labels"]
    assert [(number, CLASSES[number]) for number, _ in told] == [tuple(pair) for pair in told] and len(told) == 1
    if kind == "svg" and "methods" in options:
        assert f"class {told[0][1]}" in figure.read_text()
    (tmp_path / "a.txt").unlink()
    assert again(recipe_of(figure), tmp_path / "b") == 0
    made = figure_in(tmp_path / "b", kind)
    assert made.read_bytes() == figure.read_bytes()
    assert json.loads(recipe_of(made).read_text())["labels"] == told


def test_recipe_of_a_model_with_its_own_labels_tells_none(files, tmp_path):
    assert export(files, tmp_path / "a", "--over", "methods") == 0
    figure = figure_in(tmp_path / "a", "png")
    assert "labels" not in json.loads(recipe_of(figure).read_text())
    assert again(recipe_of(figure), tmp_path / "b") == 0


def test_older_recipe_draws_labels_that_are_named_beside_it(files, tmp_path, labels, capsys):
    given = labels("a.txt", *CLASSES)
    assert export(files, tmp_path / "a", "--labels", given, "--format", "svg", "--over", "methods") == 0
    figure = figure_in(tmp_path / "a", "svg")
    content = json.loads(recipe_of(figure).read_text())
    del content["labels"]
    recipe_of(figure).write_text(json.dumps(content))
    assert again(recipe_of(figure), tmp_path / "b", "--labels", given) == 0
    assert figure_in(tmp_path / "b", "svg").read_bytes() == figure.read_bytes()
    assert again(recipe_of(figure), tmp_path / "c") == 1
    assert "labels that an older recipe does not hold" in capsys.readouterr().err


def test_labels_beside_a_recipe_are_drawn_in_place_of_its_own_and_said(files, tmp_path, labels, capsys):
    wish = ("--format", "svg", "--over", "methods")
    assert export(files, tmp_path / "a", "--labels", labels("a.txt", *CLASSES), *wish) == 0
    others = labels("b.txt", *(name.upper() for name in CLASSES))
    figure = figure_in(tmp_path / "a", "svg")
    assert again(recipe_of(figure), tmp_path / "b", "--labels", others) == 1
    assert "labels that are not those of the recipe" in capsys.readouterr().err
    name = json.loads(recipe_of(figure).read_text())["labels"][0][1]
    assert f"class {name.upper()}" in figure_in(tmp_path / "b", "svg").read_text()


def test_map_of_a_class_is_made_anew_once_its_name_is_that_of_another(files, tmp_path, labels, capsys):
    wish = ("--method", "relevance", "--target", "cat")
    first = labels("a.txt", *CLASSES)
    assert export(files, tmp_path / "a", "--labels", first, *wish) == 0
    figure = figure_in(tmp_path / "a", "png")
    before = figure.read_bytes()
    assert export(files, tmp_path / "a", "--labels", first, *wish) == 0
    assert "1 was done before" in capsys.readouterr().err and figure.read_bytes() == before
    second = labels("b.txt", "lynx", "dog", "cat", "owl", "fox")
    assert export(files, tmp_path / "a", "--labels", second, *wish) == 0
    assert "done before" not in capsys.readouterr().err
    content = json.loads(recipe_of(figure).read_text())
    assert content["selection"]["target"] == 2 and content["labels"] == [[2, "cat"]]
    assert figure.read_bytes() != before


@pytest.mark.parametrize(
    "value", [{}, "cat", [[1]], [["cat", 1]], [[1, 2]], [[1.5, "cat"]], [[1, "c" * 5000]], [[1, "c\0t"]]], ids=str
)
def test_damaged_labels_of_a_recipe_are_refused(files, tmp_path, labels, value):
    assert export(files, tmp_path / "a", "--labels", labels("a.txt", *CLASSES), "--over", "methods") == 0
    recipe = recipe_of(figure_in(tmp_path / "a", "png"))
    recipe.write_text(json.dumps(json.loads(recipe.read_text()) | {"labels": value}))
    with pytest.raises(FileError, match="is no recipe"):
        read_recipe(recipe)


def test_label_of_a_class_that_a_model_lacks_is_left_out(tiny_vit):
    named = with_labels(tiny_vit, ((1, "cat"), (10**12, "far"), (-1, "before")))
    assert named.labels == ("class 0", "cat", "class 2", "class 3", "class 4")
    assert with_labels(named, ((1, "dog"),)).labels == named.labels
