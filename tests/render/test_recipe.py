"""A recipe makes the same figure again, and nothing but a recipe is taken for one."""

import copy
import hashlib
import json
import shutil

import pytest
import torch
from cli_cases import ARCHITECTURE, write_checkpoint, write_picture
from hypothesis import given, settings
from hypothesis import strategies as st

from vitviz import cli
from vitviz.attention.threads import with_threads
from vitviz.attention.values import Place, Selection
from vitviz.cli.again import name_again
from vitviz.errors import FileError
from vitviz.render import reading
from vitviz.render.reading import MAX_BYTES, read_recipe


@pytest.fixture(scope="module")
def made(tmp_path_factory, sharp):
    """Picture, checkpoint, and a figure with its recipe, all on the disk."""
    folder = tmp_path_factory.mktemp("recipe")
    picture = write_picture(folder / "cat.png")
    weights = write_checkpoint(folder / "weights.safetensors", sharp)
    assert run(picture, weights, folder / "out", "--layer", "2", "--head", "1", "--query", "@60.5,40") == 0
    (figure,) = (folder / "out").glob("*.png")
    return picture, weights, figure, figure.with_name(figure.name + ".json")


def run(picture, weights, out, *options):
    out.mkdir(exist_ok=True)
    model = ["--model", str(weights), "--architecture", ARCHITECTURE, "--device", "cpu"]
    return cli.main(["export", str(picture), *model, "--out", str(out), *options])


def again(recipe, out, *pictures):
    out.mkdir(exist_ok=True)
    return cli.main(["export", *map(str, pictures), "--recipe", str(recipe), "--out", str(out), "--device", "cpu"])


@pytest.mark.parametrize(
    "options",
    [
        ["--layer", "2", "--head", "1", "--query", "3,4"],
        ["--head", "max", "--direction", "to", "--query", "@100,12.25", "--smooth"],
        ["--limits", "all", "--colormap", "magma", "--opacity", "0.35", "--query", "mean", "--no-outline"],
        ["--limits", "0.001,0.02", "--query", "cls", "--layer", "0", "--image-size", "96x128", "--crop", "squash"],
    ],
    ids=lambda options: options[0] + options[1],
)
def test_figure_made_again_from_its_recipe_has_the_same_bytes(tmp_path, made, options):
    assert run(*made[:2], tmp_path / "a", *options) == 0
    (figure,) = (tmp_path / "a").glob("*.png")
    assert again(figure.with_name(figure.name + ".json"), tmp_path / "b") == 0
    (second,) = (tmp_path / "b").glob("*.png")
    assert second.read_bytes() == figure.read_bytes()
    recipes = [json.loads(path.with_name(path.name + ".json").read_text()) for path in (figure, second)]
    for content in recipes:
        content["made"] = content["made"]["sha256"]  # the first also says that it was one of several asked for
    assert recipes[0] == recipes[1]


def test_figure_is_made_again_with_as_many_threads_as_then(tmp_path, made, monkeypatch):
    with with_threads(3):
        assert run(*made[:2], tmp_path / "a", "--format", "npz") == 0
    (figure,) = (tmp_path / "a").glob("*.npz")
    recipe = figure.with_name(figure.name + ".json")
    assert json.loads(recipe.read_text())["run"]["threads"] == 3
    threads = []
    real = reading.traces
    monkeypatch.setattr(reading, "traces", lambda *given: (threads.append(torch.get_num_threads()), real(*given))[1])
    for now in (1, 2):
        with with_threads(now):
            assert again(recipe, tmp_path / "b") == 0
            assert torch.get_num_threads() == now
    assert threads == [3, 3]
    assert (tmp_path / "b" / figure.name).read_bytes() == figure.read_bytes()


def test_sidecar_says_picture_model_selection_style_limits_values_and_versions(made):
    picture, weights, figure, recipe = made
    content = json.loads(recipe.read_text())
    assert content["picture"]["sha256"] == hashlib.sha256(picture.read_bytes()).hexdigest()
    assert content["picture"]["path"] == str(picture)
    assert content["picture"]["size"] == [90, 130]
    assert content["model"]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert content["model"]["source"] == str(weights)
    assert content["model"]["options"]["architecture"] == ARCHITECTURE
    assert content["selection"]["layer"] == 2 and content["selection"]["head"] == 1
    assert content["selection"]["query"] == {"x": 60.5, "y": 40.0}
    assert content["selection"]["direction"] == "from"
    assert content["style"]["colormap"] == "viridis" and content["style"]["opacity"] == 0.6
    low, high = content["style"]["limits"]
    assert (low, high) == (content["values"]["smallest"], content["values"]["largest"]) and low < high
    assert content["file"]["scale"] == "map"
    assert content["values"]["sum"] + content["values"]["prefix"]["cls"] == pytest.approx(1, abs=1e-5)
    assert set(content["versions"]) >= {"vitviz", "torch", "timm", "numpy", "pillow"}
    assert figure.with_name(figure.name + ".json") == recipe


def test_recipe_read_back_is_the_selection_and_style_that_were_written(made):
    found = read_recipe(made[3])
    content, selection, style = found.content, found.plan.selection, found.plan.style
    assert (selection.layer, selection.head, selection.query, selection.direction) == (2, 1, Place(60.5, 40.0), "from")
    assert (style.colormap, style.opacity, style.interpolation, style.show_query) == ("viridis", 0.6, "nearest", True)
    assert style.limits == tuple(content["style"]["limits"])


def test_moved_picture_may_be_named_and_another_is_refused(tmp_path, made, capsys):
    moved, other = tmp_path / "moved.png", write_picture(tmp_path / "other.png", seed=4)
    shutil.copy(made[0], moved)
    assert again(made[3], tmp_path / "a", moved) == 0
    (second,) = (tmp_path / "a").glob("*.png")
    assert second.read_bytes() == made[2].read_bytes()
    capsys.readouterr()
    assert again(made[3], tmp_path / "b", other) == 1
    assert "is not the picture of the recipe" in one_line(capsys)
    assert not list((tmp_path / "b").iterdir())


def test_other_weights_under_the_same_name_are_refused(tmp_path, made, capsys, sharp):
    weights = tmp_path / "weights.safetensors"
    changed = json.loads(made[3].read_text())
    changed["model"]["source"] = str(weights)
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(changed))
    write_checkpoint(weights, lambda module: sharp(module, seed=5))
    assert again(recipe, tmp_path / "a") == 1
    assert "hashes differ" in one_line(capsys)


def one_line(capsys):
    """What was said on stderr, which is one line."""
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("vitviz: ") and "Traceback" not in said
    return said


FOREIGN = {
    "empty": b"",
    "no JSON": b"\x89PNG\r\n",
    "not UTF-8": b'{"format": "\xff\xfe"}',
    "null": b"null",
    "a list": b"[1, 2]",
    "an empty object": b"{}",
    "another format": b'{"format": "vitviz session", "selection": {}, "style": {}}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
def test_foreign_file_is_a_file_error_that_names_it(tmp_path, data):
    path = tmp_path / "foreign.json"
    path.write_bytes(data)
    with pytest.raises(FileError, match=r"foreign\.json"):
        read_recipe(path)


def test_huge_recipe_is_refused_unread(tmp_path, made):
    path = tmp_path / "huge.json"
    path.write_bytes(made[3].read_bytes() + b" " * MAX_BYTES)
    with pytest.raises(FileError, match="larger than"):
        read_recipe(path)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_missing_file_and_folder_are_file_errors(tmp_path, name):
    with pytest.raises(FileError, match="can't be read"):
        read_recipe(tmp_path / name)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_recipe_cut_short_is_a_file_error(tmp_path_factory, made, data):
    whole = made[3].read_bytes()
    path = tmp_path_factory.mktemp("cut") / "cut.json"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(FileError):
        read_recipe(path)


READ = [("selection", k) for k in ("layer", "head", "query", "direction")] + [
    ("style", k) for k in ("colormap", "opacity", "limits", "interpolation", "show_query")
]
WRONG = [
    *((where, None) for where in READ if where != ("selection", "query")),
    *((where, {"a": 1}) for where in READ),
    *((where, []) for where in READ),
    (("selection", "layer"), "two"),
    (("selection", "layer"), 1e400),
    (("selection", "head"), "most"),
    (("selection", "query"), {"x": "left", "y": 1}),
    (("selection", "query"), {"x": float("nan"), "y": 1}),
    (("selection", "query"), [1]),
    (("style", "opacity"), float("nan")),
    (("style", "opacity"), "much"),
    (("style", "limits"), [0, 1, 2]),
    (("style", "limits"), [float("nan"), 1]),
    (("style", "colormap"), "no-such-colours"),
    (("style", "colormap"), "x" * 5000),
    (("picture", "sha256"), None),
    (("picture", "path"), 7),
    (("picture", "name"), None),
    (("model", "source"), None),
    (("model", "source"), 3),
    (("model", "options"), [1]),
    (("model", "options"), "precision"),
    (("model", "options"), {"architecture": 5}),
    (("model", "options"), {"image_size": 2.5}),
    (("model", "sha256"), 3),
    *((("run", key), value) for key in ("batch", "threads") for value in (0, -1, 2.0, "many", True, None, 10**6)),
]


@pytest.mark.parametrize(("where", "value"), WRONG, ids=[f"{'-'.join(w)}-{str(v)[:12]}" for w, v in WRONG])
def test_wrong_field_is_a_file_error(tmp_path, made, where, value):
    content = copy.deepcopy(json.loads(made[3].read_text()))
    content[where[0]][where[1]] = value
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(content))
    with pytest.raises(FileError, match=r"wrong\.json"):
        read_recipe(path)


@pytest.mark.parametrize("part", ["format", "version", "picture", "model", "selection", "style", "figure", "file"])
def test_missing_part_is_a_file_error(tmp_path, made, part):
    content = json.loads(made[3].read_text())
    del content[part]
    path = tmp_path / "partial.json"
    path.write_text(json.dumps(content))
    with pytest.raises(FileError, match=r"partial\.json"):
        read_recipe(path)


def test_names_have_the_label_and_the_patch(tiny_vit, tiny_swin, picture):
    from dataclasses import replace

    import vitviz
    from vitviz.render.plan import Plan, Seen
    from vitviz.render.recipe import prepare

    def name(model, labels=(), over="map", **chosen):
        trace = replace(vitviz.trace(model, picture), labels=labels)
        return prepare(Plan(Selection(-1, "mean", **chosen), over=over), Seen(picture, model, trace)).name

    of_star = {"method": "relevance", "target": 4}
    assert name(tiny_vit, ("a", "b", "c", "d", "Star fish"), **of_star).endswith("relevance-star-fish-cls.png")
    # Two classes of one name are told apart, and classes without names have numbers.
    assert "relevance-star-class-4" in name(tiny_vit, ("a", "b", "c", "star", "Star"), **of_star)
    assert "relevance-class-4" in name(tiny_vit, **of_star)
    cell = vitviz.attention_map(vitviz.trace(tiny_vit, picture), layer=-1, query=Place(60.0, 40.0)).query_cell
    assert name(tiny_vit, query=Place(60.0, 40.0)) == name(tiny_vit, query=cell)
    assert f"-r{cell[0]}-c{cell[1]}.png" in name(tiny_vit, query=Place(60.0, 40.0))
    # A sheet of layers with patches of several sizes looks from a place, not from a patch.
    assert name(tiny_swin, query=Place(60.0, 40.0), over="layers").endswith("x60-y40.png")


@pytest.mark.parametrize("options", [["--title", "A"], ["--theme", "dark", "--columns", "1"]], ids=str)
def test_remade_file_has_the_name_of_its_recipe(tmp_path, made, options):
    """Two figures of one selection, told apart by the names that the user gave them."""
    assert run(*made[:2], tmp_path / "a", *options) == 0
    (figure,) = (tmp_path / "a").glob("*.png")
    recipe = figure.with_name(f"{figure.name}.json").rename(tmp_path / "mine.png.json")
    figure.rename(tmp_path / "mine.png")
    for named in (recipe, tmp_path / "mine.png"):
        assert again(named, tmp_path / "b") == 0
    assert sorted(each.name for each in (tmp_path / "b").iterdir()) == ["mine.png", "mine.png.json"]
    assert (tmp_path / "b" / "mine.png").read_bytes() == (tmp_path / "mine.png").read_bytes()


def test_remade_file_does_not_replace_another_one_unasked(tmp_path, made, capsys):
    out = tmp_path / "b"
    out.mkdir()
    target = out / made[2].name
    target.write_bytes(b"another")
    assert again(made[3], out) == 1
    error = capsys.readouterr().err
    assert f"{target} is there and another file than this" in error and "--again" in error
    assert target.read_bytes() == b"another" and list(out.iterdir()) == [target]
    assert cli.main(["export", "--recipe", str(made[3]), "--out", str(out), "--device", "cpu", "--again"]) == 0
    assert target.read_bytes() == made[2].read_bytes()


def in_place(recipe, *options):
    """Make the figure of a recipe again beside it; the exit status."""
    return cli.main(["export", "--recipe", str(recipe), "--out", str(recipe.parent), "--device", "cpu", *options])


@pytest.mark.parametrize("lost", [False, True], ids=["figure there", "figure lost"])
def test_recipe_that_a_figure_is_made_again_beside_stays_as_it_is(tmp_path, made, capsys, lost):
    assert run(*made[:2], tmp_path / "a") == 0
    (figure,) = (tmp_path / "a").glob("*.png")
    recipe = figure.with_name(f"{figure.name}.json")
    before = figure.read_bytes(), recipe.read_bytes()
    if lost:
        figure.unlink()
    for options in ([], ["--again"]):
        assert in_place(recipe, *options) == 0
        assert (figure.read_bytes(), recipe.read_bytes()) == before
    capsys.readouterr()
    # The export that wrote it knows it as its own.
    assert run(*made[:2], tmp_path / "a") == 0
    assert "1 was done before" in capsys.readouterr().err


def test_recipe_of_a_lost_figure_of_other_bytes_is_not_replaced_unasked(tmp_path, made, capsys):
    recipe = tmp_path / made[3].name
    content = json.loads(made[3].read_text())
    content["made"]["sha256"] = "0" * 64
    content["versions"]["torch"] = "1.0"
    recipe.write_text(json.dumps(content))
    before, target = recipe.read_bytes(), tmp_path / made[2].name
    capsys.readouterr()
    for _ in range(2):
        assert in_place(recipe) == 1
        said = capsys.readouterr()
        assert "are not those of then: torch 1.0 then" in said.err and "--again" in said.err and said.out == ""
        assert f"{recipe} is there and not the recipe of these bytes" in said.err and said.err.count("\n") == 1
        assert recipe.read_bytes() == before and not target.exists()
    for _ in range(2):  # elsewhere it is made, and told from that of then each time
        assert again(recipe, tmp_path / "b") == 1
        assert "are not those of then" in capsys.readouterr().err
    assert (tmp_path / "b" / target.name).read_bytes() == made[2].read_bytes() and recipe.read_bytes() == before
    assert in_place(recipe, "--again") == 1
    assert json.loads(recipe.read_text())["made"]["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()


def test_json_of_another_program_and_a_folder_are_not_written_over_by_a_remade_file(tmp_path, made, capsys):
    foreign = tmp_path / made[3].name
    foreign.write_text('{"title": "IMG_1"}')
    assert again(made[3], tmp_path) == 1
    assert f"{foreign} is there and not the recipe of these bytes" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [foreign] and foreign.read_text() == '{"title": "IMG_1"}'
    foreign.unlink()
    (tmp_path / made[2].name).mkdir()
    assert again(made[3], tmp_path) == 1
    assert "is there and another file than this" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("recipe", "usual", "name"),
    [
        ("a.png.json", "cat.png", "a.png"),
        ("a.png", "cat.png", "a.png"),
        ("A.PNG", "cat.png", "A.PNG"),
        ("recipe.json", "cat.mask.png", "recipe.png"),
        ("v1.2.json", "cat.pdf", "v1.2.pdf"),
    ],
)
def test_name_of_a_remade_file(recipe, usual, name):
    assert name_again(recipe, usual) == name
