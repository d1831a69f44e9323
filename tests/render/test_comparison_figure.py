"""A comparison as a figure: the maps as the window draws them, the table under them, numbers and record beside it."""

import copy
import csv
import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pages import words_that_are_cut, words_that_touch

import vitviz
from vitviz.attention.comparison import difference
from vitviz.attention.costs import measure
from vitviz.attention.values import Place, Selection
from vitviz.errors import FileError, VitvizError
from vitviz.render.comparison import FIGURE, Compared, csv_of, page_for_models, table_of
from vitviz.render.comparison_recipe import product_of, write_comparison
from vitviz.render.figure import Figure
from vitviz.render.letters import text_width
from vitviz.render.making import limits_for, map_for
from vitviz.render.page import Picture, Text
from vitviz.render.plan import Seen
from vitviz.render.png import text_in
from vitviz.render.product import published
from vitviz.render.reading import read_recipe
from vitviz.render.scale import signed
from vitviz.render.style import Style


@pytest.fixture(scope="module")
def models(tiny_vit, tiny_swin, picture):
    made = []
    for model in (tiny_vit, tiny_swin):
        seen = Seen(picture, model, vitviz.trace(model, picture))
        shown = map_for(seen, Selection(layer=-1, head="mean", query="mean"))
        cost = measure(model, picture, seen.trace, runs=1)
        made.append(Compared(seen, shown, limits_for(seen, shown, "map"), cost))
    return made


def test_figure_holds_every_map_and_every_row_of_the_table(models):
    page = page_for_models(models, Style(), Figure(title="Two models"))
    pictures = [mark for mark in page.marks if isinstance(mark, Picture)]
    assert len(pictures) == 2 and pictures[0].x + pictures[0].width < pictures[1].x
    texts = [mark.text for mark in page.marks if isinstance(mark, Text)]
    assert "Two models" in texts
    assert texts.count("attention weight") == 2 and texts.count("attention weight, scale of this map") == 2
    for row in table_of(models):
        assert row.name in texts
    bottom = max(mark.y for mark in page.marks if isinstance(mark, Text) and not mark.turned)
    assert bottom < page.height
    for mark in page.marks:
        if isinstance(mark, Picture):
            assert mark.x >= 0 and mark.x + mark.width <= page.width


def test_pictures_are_equally_large_beside_bars_with_other_numbers(models):
    one = models[0]
    scales = ((0.0, 0.2), (0.0, 0.0002), (0.019431, 0.019432))  # a power of ten above, and many digits
    page = page_for_models([replace(one, limits=each) for each in scales], Style(), Figure())
    pictures = [mark for mark in page.marks if isinstance(mark, Picture)]
    assert len(pictures) == 3 and {mark.y for mark in pictures} == {pictures[0].y}
    assert [mark.width for mark in pictures] == pytest.approx([pictures[0].width] * 3, abs=0.5)
    step = pictures[1].x - pictures[0].x
    assert pictures[2].x - pictures[1].x == pytest.approx(step) and pictures[0].width > step / 3
    titles = [mark.y for mark in page.marks if isinstance(mark, Text) and mark.text.startswith(one.name[:8])]
    above = [y for y in titles if y < pictures[0].y]
    assert len(above) == 3 and len(set(above)) == 1


@pytest.mark.parametrize("width", [85.0, 174.0])
@pytest.mark.parametrize("count", [2, 3, 4, 5, 8])
def test_however_many_models_nothing_is_cut_or_touches_and_maps_are_large_enough_to_be_read(models, count, width):
    several = [replace(models[i % 2], limits=(0.0, 0.00021 * 3**i)) for i in range(count)]
    page = page_for_models(several, Style(), replace(FIGURE, width=width))
    pictures = [mark for mark in page.marks if isinstance(mark, Picture)]
    assert len(pictures) == count and min(mark.width for mark in pictures) > 6 * FIGURE.font_size
    texts = [mark for mark in page.marks if isinstance(mark, Text)]
    assert words_that_are_cut(page) == [] and words_that_touch(page) == []
    assert not any(mark.text.endswith("…") for mark in texts)
    low = max(mark.y + mark.height for mark in pictures)
    table = [mark for mark in texts if mark.y > low and not mark.turned]
    # All numbers of all models, in one part or in several that name their rows again.
    tokens = [mark for mark in table if mark.text.split(" ")[0] in ("25", "99")]
    assert len(tokens) >= count and sum(mark.text == "Tokens" for mark in table) == len({mark.y for mark in tokens})
    ends = (mark.x + text_width(mark.text, mark.size) for mark in table)
    assert page.width * 0.6 < max(ends) and min(mark.x for mark in table) < page.width / 20
    # Where the columns of the table stand elsewhere than the maps, they say themselves whose they are.
    under = {round(mark.x) for mark in tokens} >= {round(mark.x - FIGURE.font_size / 4) for mark in pictures}
    assert ("Model" in [mark.text for mark in table]) is not under


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_one_scale_for_all_maps_is_called_so_in_the_figure_and_made_again_from_its_recipe(
    models, tmp_path, kind, picture
):
    limits = min(each.limits[0] for each in models), max(each.limits[1] for each in models)
    shared = [replace(each, limits=limits) for each in models]
    path, _, recipe = write_comparison(tmp_path / f"a.{kind}", shared, Style(limits=limits), FIGURE, "figure")
    for scale, told in (("figure", True), (None, False)):
        words = [m.text for m in page_for_models(shared, Style(limits=limits), FIGURE, scale).marks if type(m) is Text]
        text = " ".join(words)
        assert ("one scale for all maps" in text) is told and ("fixed scale" in text) is not told
    assert json.loads(recipe.read_text())["scale"] == "figure"
    assert read_recipe(recipe).produce(picture, [each.seen.model for each in models]).data == path.read_bytes()


def test_a_query_that_was_pinned_is_pinned_again_and_the_figure_has_the_same_bytes(models, tmp_path, picture):
    pinned = [replace(models[0], pinned="mean"), replace(models[1], pinned=Place(40.5, 30.0))]
    path, table, recipe = write_comparison(tmp_path / "a.png", pinned, Style(), FIGURE)
    again = read_recipe(recipe)
    assert [each.pinned for each in again.shown] == ["mean", Place(40.5, 30.0)]
    made = again.produce(picture, [each.seen.model for each in models])
    assert made.data == path.read_bytes() and made.beside[".csv"] == table.read_bytes()
    assert made.recipe == json.loads(recipe.read_text())
    free = write_comparison(tmp_path / "free.png", models, Style(), FIGURE)[2]
    assert "pinned" not in json.loads(free.read_text())["models"][0]  # so that the assertion above can fail


@pytest.mark.parametrize(("trained", "marked"), [(16, False), (8, True)])
def test_approximation_is_explained_in_the_figure(models, trained, marked):
    one = models[0]
    model = replace(one.seen.model, random=False, patch_size=(16, 16), trained_patch_size=(trained,) * 2)
    page = page_for_models([replace(one, seen=replace(one.seen, model=model))], Style(), Figure())
    texts = [mark.text for mark in page.marks if isinstance(mark, Text)]
    assert any("not trained for" in text for text in texts) is marked
    lowest = max(mark.y for mark in page.marks if isinstance(mark, Text))
    assert lowest < page.height


def test_figure_names_method_query_and_direction_of_every_map(models):
    titles = []
    one, wishes = models[0], (("cls", "from", "attention"), ((1, 2), "to", "attention"), ("cls", "from", "rollout"))
    for query, direction, method in wishes:
        shown = map_for(one.seen, Selection(layer=-1, head=0, query=query, direction=direction, method=method))
        page = page_for_models([replace(one, shown=shown)], Style(), Figure())
        titles.append(" ".join(mark.text for mark in page.marks if isinstance(mark, Text)))
    assert "attention from CLS" in titles[0] and "head 0" in titles[0]
    assert "attention to patch (1, 2)" in titles[1]
    assert "Rollout from CLS" in titles[2]


def test_sizes_of_one_network_are_called_one_network(models):
    one = models[0]
    sizes = [replace(one.seen.model, random=False, sha256="ab", patch_size=(side, side)) for side in (8, 16)]
    pair = [replace(one, seen=replace(one.seen, model=model)) for model in sizes]
    for compared, told in ((pair, True), (pair[:1] * 2, False), (models, False)):
        page = page_for_models(compared, Style(), Figure())
        lines = [mark.text.lower() for mark in page.marks if isinstance(mark, Text)]
        assert any("one network, its patch embedding resampled" in line for line in lines) is told
        rows = list(csv.DictReader(io.StringIO(csv_of(compared))))
        assert all(row["network"].startswith("one network") is told for row in rows)


def test_a_model_with_a_style_of_its_own_is_drawn_in_it(models, tmp_path, picture):
    grey = [models[0], replace(models[1], style=Style("gray", 1.0))]
    plain, own = (
        [mark.pixels for mark in page_for_models(each, Style(), Figure()).marks if isinstance(mark, Picture)]
        for each in (models, grey)
    )
    assert (plain[0] == own[0]).all() and not (plain[1] == own[1]).all()
    path, _, recipe = write_comparison(tmp_path / "a.png", grey, Style(), Figure(width=120.0))
    again = read_recipe(recipe).produce(picture, [each.seen.model for each in models])
    assert again.data == path.read_bytes()


def test_table_says_how_the_maps_go_together(models):
    rows = {row.name: [cell.words for cell in row.cells] for row in table_of(models)}
    found = difference(models[1].shown, models[0].shown)
    assert rows["Spearman ρ to the first"] == ["", signed(f"{found.correlation:.3f}")]
    assert rows["Overlap with the first"] == ["", f"{found.overlap:.3f}"]


def test_numbers_of_how_maps_go_together_are_read_by_programs(models):
    first = models[0]
    against = replace(first.shown, values=-first.shown.values)
    uniform = replace(first.shown, values=np.full_like(first.shown.values, 0.04))
    elsewhere = replace(first.shown, view=replace(first.shown.view, box=(-900.0, -900.0, -800.0, -800.0)))
    several = [first, *(replace(first, shown=shown) for shown in (against, uniform, elsewhere))]
    rows = list(csv.DictReader(io.StringIO(csv_of(several))))
    assert [row["spearman"] for row in rows] == ["1.000", "-1.000", "", ""]
    assert float(rows[2]["overlap"]) > 0 and rows[3]["overlap"] == ""
    words = {row.name: [cell.words for cell in row.cells] for row in table_of(several)}
    assert words["Spearman ρ to the first"] == ["", "\u22121.000", "nan", "no common part"]


def test_numbers_are_plain_and_complete(models):
    found = list(csv.DictReader(io.StringIO(csv_of(models))))
    assert [int(row["tokens"]) for row in found] == [25, 99]
    assert [int(row["parameters"]) for row in found] == [m.seen.model.parameters for m in models]
    assert float(found[0]["seconds"]) == models[0].cost.seconds
    assert found[0]["class_1"] == models[0].cost.top[0][0]
    assert (found[0]["spearman"], found[0]["approximation"]) == ("1.000", "False")


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_files_lie_beside_each_other(models, tmp_path, kind, picture):
    paths = write_comparison(tmp_path / f"two.{kind}", models, Style(), Figure(width=120.0, dpi=100))
    assert [path.name for path in paths] == [f"two.{kind}", f"two.{kind}.csv", f"two.{kind}.json"]
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind]
    assert paths[0].read_bytes().startswith(start) or paths[0].read_bytes().startswith(b"<svg")
    record = json.loads(paths[2].read_text())
    assert record["picture"]["sha256"] == picture.sha256
    assert [m["cost"]["tokens"] for m in record["models"]] == [25, 99]
    assert record["made"]["sha256"] == hashlib.sha256(paths[0].read_bytes()).hexdigest()
    if kind == "png":
        assert json.loads(text_in(paths[0].read_bytes(), 2**20)) == published(record)


def test_tables_keep_clear_of_other_files(models, tmp_path):
    (tmp_path / "own.csv").write_text("mine")
    figures = [tmp_path / f"own.{kind}" for kind in ("png", "svg")]
    tables = [write_comparison(path, models, Style(), Figure(width=120.0))[1] for path in figures]
    assert tables[0] != tables[1] and all(path.is_file() for path in tables)
    assert (tmp_path / "own.csv").read_text() == "mine"


def test_other_endings_are_refused(models, tmp_path):
    with pytest.raises(VitvizError, match="svg or"):
        write_comparison(tmp_path / "two.docx", models, Style(), Figure())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_recipe_makes_the_same_bytes_without_measuring(models, tmp_path, kind, picture, monkeypatch):
    path, table, recipe = write_comparison(tmp_path / f"a.{kind}", models, Style(limits="layer"), Figure(width=120.0))
    monkeypatch.setattr("vitviz.attention.costs.measure", lambda *a, **k: pytest.fail("measured again"))
    again = read_recipe(recipe).produce(picture, [each.seen.model for each in models])
    assert again.name.endswith(f"comparison.{kind}")
    assert again.data == path.read_bytes() and again.beside[".csv"] == table.read_bytes()
    assert again.recipe == json.loads(recipe.read_text())


def test_heads_that_are_off_come_again(tiny_vit, picture):
    plain = vitviz.trace(tiny_vit, picture)
    seen = Seen(picture, tiny_vit, vitviz.trace(tiny_vit, picture, ablation=vitviz.Ablation([(0, 1)]), plain=plain))
    shown = map_for(seen, Selection(layer=-1, head="mean", query="mean"))
    one = Compared(seen, shown, (0.0, 0.2), measure(tiny_vit, picture, seen.trace, runs=1))
    made = product_of([one], Style(), Figure(), "png")
    from vitviz.render.comparison_recipe import read

    assert read(Path("a.json"), made.recipe).produce(picture, [tiny_vit]).data == made.data
    assert "without L0 H1" in made.recipe["models"][0]["name"]


def changed(content, where, value):
    found = copy.deepcopy(content)
    part = found
    for key in where[:-1]:
        part = part[key]
    part[where[-1]] = value
    return found


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("models",), []),
        (("models",), {}),
        (("models",), None),
        (("models", 0, "model"), None),
        (("models", 0, "model", "source"), 3),
        (("models", 0, "model", "options"), {"labels": "/etc/passwd"}),
        (("models", 0, "model", "options"), {"device": "cuda"}),
        (("models", 0, "cost"), None),
        (("models", 0, "limits"), [0.0]),
        (("models", 0, "cost", "tokens"), "many"),
        (("models", 0, "cost", "top"), [["a"]]),
        (("models", 0, "selection", "head"), []),
        (("style", "colormap"), "no such colours"),
        (("figure", "width"), 1e9),
        (("file",), {"format": "exe"}),
        (("file",), None),
        (("picture", "sha256"), 5),
        (("version",), 1),
        (("scale",), "no such scale"),
        (("scale",), []),
    ],
    ids=str,
)
def test_damaged_recipe_is_refused_by_name(models, tmp_path, where, value):
    recipe = write_comparison(tmp_path / "a.svg", models, Style(), Figure())[-1]
    recipe.write_text(json.dumps(changed(json.loads(recipe.read_text()), where, value)))
    with pytest.raises(FileError, match=r"a\.svg\.json is no recipe"):
        read_recipe(recipe)
