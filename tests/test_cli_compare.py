"""`vitviz compare`: the demo at three patch sizes, timm models of two sizes, and wrong calls."""

import csv
import json
from xml.etree import ElementTree

import pytest

from vitviz import resources
from vitviz.cli import main

PICTURE = str(resources.path("demo/pictures/star_and_ring.png"))


def numbers(path):
    return list(csv.DictReader(path.open()))


def table_of(figure):
    return figure.with_name(f"{figure.name}.csv")


def test_demo_at_three_patch_sizes_with_what_each_costs(tmp_path, capsys):
    out = tmp_path / "demo.png"
    assert main(["compare", PICTURE, "--patch-size", "8,16,32", "--runs", "3", "--out", str(out)]) == 0
    found = numbers(table_of(out))
    assert [int(row["tokens"]) for row in found] == [257, 65, 17]
    assert [row["approximation"] for row in found] == ["False"] * 3
    flops = [int(row["flops"]) for row in found]
    for tokens, counted in zip((257, 65, 17), flops, strict=True):
        attention = 6 * 4 * tokens**2 * 128
        linear = 6 * 2 * tokens * 12 * 128**2
        assert counted == attention + linear + 2 * 128 * 128 * 3 * 128 + 2 * 128 * 6
    classes = {row["class_1"] for row in found} | {row["class_2"] for row in found}
    assert classes == {"star", "ring"}
    said = capsys.readouterr().out
    assert main(["export", "--recipe", str(tmp_path / "demo.png.json"), "--out", str(tmp_path / "again")]) == 0
    again = tmp_path / "again" / "demo.png"
    assert again.read_bytes() == out.read_bytes()
    assert table_of(again).read_bytes() == table_of(out).read_bytes()
    assert capsys.readouterr().out.split() == [str(again), str(table_of(again))]
    assert f"×{flops[2] / flops[0]:.2g}" in said and "Tokens" in said


def test_models_of_two_sizes_at_two_resolutions(tmp_path):
    out = tmp_path / "sizes.svg"
    status = main([
        "compare", PICTURE, "--model", "test_vit", "--model", "vit_tiny_patch16_224", "--random",
        "--image-size", "96,128x160", "--runs", "1", "--head", "0", "--out", str(out),
    ])  # fmt: skip
    assert status == 0
    found = numbers(table_of(out))
    assert [(row["view_height"], row["view_width"]) for row in found] == [("96", "96"), ("128", "160")] * 2
    assert int(found[2]["parameters"]) > 10 * int(found[0]["parameters"])


def test_figure_has_the_style_that_was_asked_for(tmp_path):
    asked = ["--threshold", "0.6", "--marked", "mask", "--opacity", "0.5", "--colormap", "magma", "--smooth"]
    made = []
    for options in ([], asked):
        out = tmp_path / "styled.png"
        assert main(["compare", PICTURE, "--patch-size", "32", "--runs", "1", *options, "--out", str(out)]) == 0
        made.append((out.read_bytes(), json.loads(out.with_name("styled.png.json").read_text())["style"]))
    wanted = {"threshold": 0.6, "marked": "mask", "opacity": 0.5, "colormap": "magma", "interpolation": "smooth"}
    assert made[1][1].items() >= wanted.items() and made[0][0] != made[1][0]


def test_recipe_of_several_models_takes_no_other_model(tmp_path, capsys):
    out = tmp_path / "two.svg"
    assert main(["compare", PICTURE, "--patch-size", "16,32", "--runs", "1", "--out", str(out)]) == 0
    capsys.readouterr()
    assert main(["export", "--recipe", f"{out}.json", "--model", "demo", "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "2 models" in error and error.count("\n") == 1


@pytest.mark.parametrize(("kind", "told"), [("pdf", True), ("svg", False)])
def test_letters_that_the_font_lacks_are_said(tmp_path, capsys, kind, told):
    labels = tmp_path / "labels.txt"
    labels.write_text("猫\n犬\n鳥\n魚\n馬\n牛\n", encoding="utf-8")
    out = tmp_path / f"two.{kind}"
    assert main(["compare", PICTURE, "--labels", str(labels), "--runs", "1", "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert ("vitviz: The font lacks " in said and "SVG keeps such letters." in said) is told


def test_one_scale_for_all_maps_is_named(tmp_path, capsys):
    """Not called a fixed one, which would be one that somebody gave."""
    for limits, words in (("figure", "one scale for all maps"), ("0,0.1", "fixed scale"), ("map", "scale of this map")):
        out = tmp_path / f"{limits}.svg"
        options = ["--patch-size", "16,32", "--limits", limits, "--runs", "1", "--out", str(out)]
        assert main(["compare", PICTURE, *options]) == 0
        drawn = ElementTree.parse(out).iter("{http://www.w3.org/2000/svg}text")
        assert words in " ".join(text.text or "" for text in drawn)


def test_comparison_with_labels_is_made_again_without_their_file(tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("lynx\ncat\ndog\nowl\nfox\nbear\n", encoding="utf-8")
    out, again = tmp_path / "two.svg", tmp_path / "again"
    options = ["--patch-size", "16,32", "--method", "relevance", "--target", "owl", "--labels", str(labels)]
    assert main(["compare", PICTURE, *options, "--runs", "1", "--out", str(out)]) == 0
    labels.unlink()
    assert "for owl" in out.read_text()
    assert main(["export", "--recipe", f"{out}.json", "--out", str(again)]) == 0
    assert (again / "two.svg").read_bytes() == out.read_bytes()
