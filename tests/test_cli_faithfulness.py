"""The command that prints deletion and insertion of every method."""

import csv
from pathlib import Path

import pytest

import vitviz
from vitviz import cli
from vitviz.attention.contenders import contenders, name_of
from vitviz.attention.curves import RANDOM

PICTURE = Path(__file__).parents[1] / "resources" / "demo" / "pictures" / "star_and_ring.png"


@pytest.mark.parametrize("source", ["demo", "demo-swin"])
def test_prints_every_method_beside_random_orders(source, capsys):
    arguments = ["faithfulness", str(PICTURE), "--model", source, "--target", "star", "--steps", "4", "--seeds", "2"]
    assert cli.main([*arguments, "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == (
        f"# probability of star, patches grey, model {source}, picture star_and_ring.png, 4 steps, "
        "2 random orders (seeds 0 to 1)"
    )
    names = [line.split(",")[0] for line in lines[2:]]
    assert (
        any(name.startswith("Rollout from ") for name in names)
        and "Token Grad-CAM" in names
        and any(name.startswith(RANDOM) for name in names)
    )
    # What a model can't have is said, not left out in silence.
    assert ("Relevance" in names) != ("Relevance" in err)


def test_writes_one_tidy_table_to_a_file(tmp_path, capsys):
    arguments = ["faithfulness", str(PICTURE), "--steps", "3", "--seeds", "1", "--device", "cpu", "--without", "3.0,5"]
    path = tmp_path / "curves.csv"
    assert cli.main([*arguments, "--out", str(path)]) == 0
    assert capsys.readouterr().out.strip() == str(path)
    lines = path.read_text().splitlines()
    assert "model demo without L3 H0, L5" in lines[0]
    rows = list(csv.DictReader(lines[1:]))
    assert {row["curve"] for row in rows} == {"deletion", "insertion", "gain"}
    assert list(tmp_path.iterdir()) == [path]
    assert cli.main([*arguments, "--out", str(tmp_path / "none" / "a.csv")]) == 1
    assert "There is no folder" in capsys.readouterr().err


def test_a_wrong_class_is_one_line(capsys):
    assert cli.main(["faithfulness", str(PICTURE), "--target", "cat", "--device", "cpu"]) == 1
    assert "no class 'cat'" in capsys.readouterr().err


def test_contenders_hold_the_shown_map_and_every_other_method_once():
    image, model = vitviz.read_image(PICTURE), vitviz.load_model("demo", device="cpu")
    seen = vitviz.trace(model, image)
    shown = vitviz.attention_map(seen, layer=2, head=1)
    maps, gaps = contenders(model, image, seen, 4, shown)
    assert not gaps
    assert (
        next(iter(maps)) == "Attention from CLS: layer 2 head 1" and maps["Attention from CLS: layer 2 head 1"] is shown
    )
    assert "Attention from CLS: layer 5 mean of heads" in maps
    assert {m.selection.target for m in maps.values() if m.selection.method not in ("attention", "rollout")} == {4}
    assert all(name_of(m) == name for name, m in maps.items())
    again, _ = contenders(model, image, seen, 4, maps["Relevance"])
    assert set(again) == set(maps) - {"Attention from CLS: layer 2 head 1"}
