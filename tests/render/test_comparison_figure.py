"""A comparison as a figure: the maps as the window draws them, the table under them, numbers and record beside it."""

import csv
import io
import json
from dataclasses import asdict, replace

import pytest

import vitviz
from vitviz.attention.comparison import difference
from vitviz.attention.costs import Cost, measure
from vitviz.attention.values import Ablation, Selection
from vitviz.errors import VitvizError
from vitviz.render.codec import from_json
from vitviz.render.comparison import Compared, csv_of, page_for_models, record_of, table_of, write_comparison
from vitviz.render.figure import Figure
from vitviz.render.making import limits_for, map_for
from vitviz.render.page import Picture, Text
from vitviz.render.plan import Seen
from vitviz.render.png import text_in
from vitviz.render.recipe import published
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
    assert texts.count("attention weight") == 2 and texts.count("scale of this map") == 2
    for row in table_of(models):
        assert row.name in texts
    bottom = max(mark.y for mark in page.marks if isinstance(mark, Text) and not mark.turned)
    assert bottom < page.height
    for mark in page.marks:
        if isinstance(mark, Picture):
            assert mark.x >= 0 and mark.x + mark.width <= page.width


def test_table_says_how_the_maps_go_together(models):
    rows = {row.name: [cell.words for cell in row.cells] for row in table_of(models)}
    found = difference(models[1].shown, models[0].shown)
    assert rows["Spearman ρ to the first"] == ["", f"{found.correlation:.3f}"]
    assert rows["Overlap with the first"] == ["", f"{found.overlap:.3f}"]


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
    assert [path.name for path in paths] == [f"two.{kind}", "two.csv", f"two.{kind}.json"]
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind]
    assert paths[0].read_bytes().startswith(start) or paths[0].read_bytes().startswith(b"<svg")
    record = json.loads(paths[2].read_text())
    assert record["picture"]["sha256"] == picture.sha256
    assert [m["cost"]["tokens"] for m in record["models"]] == [25, 99]
    if kind == "png":
        assert json.loads(text_in(paths[0].read_bytes(), 2**20)) == published(record)


def test_recipe_says_all_that_the_figure_was_made_of(models):
    style, figure = Style("magma", opacity=0.3), Figure(width=120.0, dpi=100)
    record = json.loads(json.dumps(record_of(models, style, figure)))
    assert from_json(Style, record["style"]) == style and from_json(Figure, record["figure"]) == figure
    for model, told in zip(models, record["models"], strict=True):
        assert from_json(Selection, told["selection"]) == model.shown.selection
        assert from_json(Ablation, told["ablation"]) == model.seen.trace.ablation
        assert tuple(told["limits"]) == model.limits
        assert asdict(from_json(Cost, told["cost"])) == asdict(replace(model.cost, scaling=None))
        assert told["run"] == {"device": "cpu", "precision": "float32"}


def test_recipe_in_a_png_names_files_without_their_folders(models, tmp_path):
    weights = tmp_path / "weights.safetensors"
    weights.touch()
    seen = replace(models[0].seen, model=replace(models[0].seen.model, source=str(weights)))
    record = record_of([replace(models[0], seen=seen)], Style(), Figure())
    assert record["models"][0]["model"]["source"] == str(weights)
    assert published(record)["models"][0]["model"]["source"] == weights.name
    assert str(tmp_path) not in json.dumps(published(record))


def test_other_endings_are_refused(models, tmp_path):
    with pytest.raises(VitvizError, match="svg or"):
        write_comparison(tmp_path / "two.docx", models, Style(), Figure())
    assert list(tmp_path.iterdir()) == []
