"""A folder of pictures to files: each once, failures aside, gone on with after a kill, names apart."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from cli_cases import write_picture

from vitviz import cli, resources
from vitviz.errors import ImageError
from vitviz.render import many, reading
from vitviz.render.folders import Item, items_of

DEMO = ["--model", "demo", "--device", "cpu"]


def export(*arguments):
    return cli.main(["export", *map(str, arguments), *DEMO])


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """200 pictures in folders, the demo's own among them, of which 5 are broken."""
    folder = tmp_path_factory.mktemp("album")
    demo = sorted(resources.path("demo/pictures").glob("*.png"))
    for i in range(195):
        place = folder / f"part {i % 3}"
        place.mkdir(exist_ok=True)
        if i < len(demo):
            shutil.copy(demo[i], place / demo[i].name)
        else:
            write_picture(place / f"picture {i:03d} ü.png", size=(40, 60), seed=i)
    (folder / "part 0" / "cut.png").write_bytes(demo[0].read_bytes()[:900])
    (folder / "part 0" / "empty.jpg").write_bytes(b"")
    (folder / "part 1" / "page.png").write_bytes(b"<html>not found</html>")
    (folder / "part 1" / "noise.webp").write_bytes(np.random.default_rng(0).bytes(4000))
    (folder / "part 2" / "film.gif").write_bytes(b"GIF89a" + b"\0" * 20)
    return folder


def test_folder_killed_half_way_and_resumed_ends_with_every_figure_once(album, tmp_path, capsys):
    out = tmp_path / "figures"
    command = [sys.executable, "-m", "vitviz", "export", str(album), *DEMO, "--out", str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 240
    while len(list(out.rglob("*.json"))) < 60 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    assert 60 <= len(before) < 195
    assert export(album, "--out", out) == 1
    said = capsys.readouterr()
    lines = said.err.splitlines()
    failed = [line for line in lines if ": " in line and "pictures exported" not in line and "go on" not in line]
    assert len(failed) == 5 and [line for line in lines if "the others go on: cut.png" in line] == lines[:1]
    for name in ("cut.png", "empty.jpg", "page.png", "noise.webp", "film.gif"):
        assert sum(name in line for line in failed) == 1
    figures = sorted(out.rglob("*.png"))
    assert len(figures) == 195
    for path in figures:
        with PIL.Image.open(path) as picture:
            picture.load()
    # What was whole before was not written again; at most what was being written when the kill came was.
    again = [path for path, written in before.items() if path.stat().st_mtime_ns != written]
    assert len(again) <= 2
    summary = said.err.splitlines()[-1]
    assert f"{195 - len(before) + len(again)} pictures exported" in summary and "5 failed" in summary
    assert {path.parent.name for path in figures} == {"part 0", "part 1", "part 2"}
    # A third run has nothing to do, and still says what is broken.
    assert export(album, "--out", out) == 1
    said = capsys.readouterr()
    assert said.out == "" and "0 pictures exported, 195 were done before, 5 failed" in said.err


@pytest.fixture
def three(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, name in enumerate(("a b.png", "a-b.png", "ü/猫.png")):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        write_picture(path, size=(40, 60), seed=i)
    return folder


def test_names_that_would_be_the_same_are_kept_apart(three, tmp_path):
    write_picture(three / "a b.bmp", size=(40, 60), seed=9)
    write_picture(three / "A B.png", size=(40, 60), seed=8)
    items = items_of([three], tmp_path / "out")
    names = [(item.folder, item.stem) for item in items]
    assert len(items) == 5 and len(set(names)) == 5
    assert len({(str(f), s.casefold()) for f, s in names}) == 5
    assert export(three, "--out", tmp_path / "out") == 0
    assert len(list((tmp_path / "out").rglob("*.png"))) == 5


def test_exported_figures_are_no_pictures_to_export(three):
    assert export(three, "--out", three) == 0
    assert len(list(three.rglob("*.json"))) == 3
    assert export(three, "--layer", "0", "--out", three / "figures") == 0
    assert export(three, "--layer", "0", "--out", three / "figures") == 0
    assert len(list((three / "figures").rglob("*.json"))) == 3
    # Nor is a link to a figure, which has no recipe beside it.
    (three / "newest.png").symlink_to(next((three / "figures").glob("*.png")))
    assert len(items_of([three], three / "figures")) == 3


def test_pictures_with_json_of_another_program_are_exported_and_that_is_counted(three, tmp_path, capsys):
    for path in sorted(three.rglob("*.png")):
        path.with_name(f"{path.name}.json").write_text('{"title": "IMG_1", "format": ["vitviz figure"]}')
    (three / "a b.png.json").write_text("[1, ")
    out = tmp_path / "out"
    assert export(three, "--out", out) == 0
    assert "3 pictures exported; 3 other files were passed over (3 .json)." in capsys.readouterr().err
    assert export(three / "*.png", "--out", out / "by pattern") == 0
    assert len(list((out / "by pattern").glob("*.png"))) == 2
    # The figures of any program of ours are still none, be they pictures or not.
    assert export(three, "--format", "svg", "--out", three) == 0
    assert export(three, "--out", three) == 0
    assert "3 pictures exported; 3 other files were passed over (3 .json)." in capsys.readouterr().err.splitlines()[-1]
    assert len(items_of([three], out)) == 3
    with pytest.raises(ImageError, match=r"no picture in the folder .* but exported figures"):
        items_of([out], tmp_path / "elsewhere")


def test_only_files_beside_json_are_asked_whether_they_are_figures(three, monkeypatch):
    (three / "a b.png.json").write_text("{}")
    read, real = [], reading.read_ordinary
    monkeypatch.setattr(reading, "read_ordinary", lambda path, *args: read.append(path) or real(path, *args))
    assert len(items_of([three], three / "out")) == 3
    assert read == [three / "a b.png.json"]


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [("**.png", "**/*.png"), ("photos/**.png", "photos/**/*.png"), ("photos/**/a**b.png", "photos/**/**/a*b.png")],
)
def test_stars_beside_other_letters_are_one_sentence_that_says_what_to_write(
    three, tmp_path, capsys, monkeypatch, pattern, meant
):
    monkeypatch.chdir(tmp_path)
    assert export(pattern, "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"write '{meant}'" in said
    assert items_of([Path(meant)], tmp_path / "out")


@pytest.mark.skipif(sys.platform == "win32", reason="no such links there")
def test_folder_that_can_not_be_asked_leaves_the_others(three, tmp_path, bound_by_modes):
    home = tmp_path / "home"
    (home / "inner").mkdir(parents=True)
    (three / "0").symlink_to(home / "inner")
    home.chmod(0)
    try:
        assert len(items_of([three], tmp_path / "out")) == 3
    finally:
        home.chmod(0o700)


def test_pattern_is_taken_as_one(three, tmp_path):
    assert export(three / "**" / "*.png", "--out", tmp_path / "out") == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 3


def test_other_wish_replaces_and_damaged_figure_is_made_again(three, tmp_path, capsys):
    out = tmp_path / "out"
    assert export(three, "--out", out) == 0
    figures = sorted(out.rglob("*.png"))
    figures[0].write_bytes(b"damaged")
    times = [path.stat().st_mtime_ns for path in figures]
    assert export(three, "--out", out) == 0
    assert [path.stat().st_mtime_ns != before for path, before in zip(figures, times, strict=True)] == [
        True, False, False,
    ]  # fmt: skip
    assert export(three, "--out", out, "--opacity", "0.3") == 0
    drawn = [json.loads(path.read_text())["style"]["opacity"] for path in out.rglob("*.json")]
    assert drawn == [0.3] * 3
    assert "older figures of 3 replaced" in capsys.readouterr().err
    times = [path.stat().st_mtime_ns for path in figures]
    assert export(three, "--out", out, "--opacity", "0.3", "--again") == 0
    assert all(path.stat().st_mtime_ns != before for path, before in zip(figures, times, strict=True))


def test_all_layers_of_a_long_name_are_apart(tmp_path):
    picture = write_picture(tmp_path / f"{'long name ' * 20}.png", size=(40, 60))
    assert export(picture, "--layer", "all", "--head", "all", "--out", tmp_path / "out") == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 24


@pytest.mark.parametrize("kind", ["png", "npz", "svg"])
def test_figure_of_a_batch_is_made_again_with_the_same_bytes(three, tmp_path, kind):
    assert export(three, "--batch", "3", "--format", kind, "--out", tmp_path / "a") == 0
    recipes = sorted((tmp_path / "a").rglob("*.json"))
    assert [json.loads(path.read_text())["run"]["batch"] for path in recipes] == [3, 3, 3]
    for path in recipes:
        assert cli.main(["export", "--recipe", str(path), "--device", "cpu", "--out", str(tmp_path / "b")]) == 0


def test_batch_with_a_broken_picture_exports_the_others(three, tmp_path, capsys):
    (three / "broken.png").write_bytes(b"\x89PNG nothing")
    assert export(three, "--batch", "2", "--out", tmp_path / "out") == 1
    assert len(list((tmp_path / "out").rglob("*.png"))) == 3
    assert "3 pictures exported, 1 failed" in capsys.readouterr().err


def test_pictures_that_all_fail_alike_are_told_once(three, tmp_path, capsys):
    assert export(three, "--layer", "99", "--out", tmp_path) == 1
    said = capsys.readouterr().err
    assert said.splitlines() == [
        "vitviz: One failed, the others go on: a b.png: There is no layer 99: demo has layers 0 to 5.",
        "vitviz: All 3 pictures failed alike, the first a b.png: There is no layer 99: demo has layers 0 to 5.",
        "vitviz: 0 pictures exported, 3 failed.",
    ]


def outcomes(folder, names, problem):
    """What becomes of pictures until the user stops it: all of these fail."""

    def interrupted(model, items, job):
        for name in names:
            path = folder / name
            yield many.Outcome(Item(path, Path(), path.stem), problem=problem.format(name=path.name, path=path))
        raise KeyboardInterrupt

    return interrupted


@pytest.mark.parametrize(
    ("problem", "first"),
    [
        ("{name}: There is no layer 99: none.", "the first a.png: There is no layer 99: none."),
        ("{name} is empty; expected: more.", "the first: a.png is empty; expected: more."),
        ("Could not read {path}: no.", "the first: Could not read PATH: no."),
        ("{name} failed: KeyError: 'a'", "the first: a.png failed: KeyError: 'a'"),
        ("There is no layer 99.", "the first a.png: There is no layer 99."),
    ],
)
def test_pictures_that_failed_alike_until_the_export_was_stopped_are_one_sentence(
    three, capsys, monkeypatch, problem, first
):
    monkeypatch.setattr(many, "export_many", outcomes(three, ["a.png", "inner/b.png"], problem))
    for _ in range(5):
        write_picture(three / f"{_}.png", size=(40, 60))
    assert export(three, "--out", three / "out") == 130
    assert len(capsys.readouterr().err.splitlines()) == 4  # two are named one by one
    monkeypatch.setattr(many, "export_many", outcomes(three, ["a.png", "inner/b.png", "c.png"], problem))
    assert export(three, "--out", three / "out") == 130
    early, said, stopped = capsys.readouterr().err.replace(str(three / "a.png"), "PATH").splitlines()
    assert early.startswith("vitviz: One failed, the others go on: ") and "a" in early
    assert said == f"vitviz: 3 pictures failed alike, {first}"
    assert stopped == "vitviz: Interrupted after 3 of 8 pictures: run it again to go on."


def test_pictures_that_failed_for_different_reasons_are_all_named(tmp_path, capsys):
    for name, data in (("a", b"%PDF-1.7 and so on"), ("b", b"<!DOCTYPE html><html>"), ("c", b"PK\3\4" + bytes(40))):
        (tmp_path / f"{name}.png").write_bytes(data)
    assert export(tmp_path, "--out", tmp_path / "out") == 1
    first, *lines, summary = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["a.png", "b.png", "c.png"] and "a.png is a PDF" in first
    assert "PDF" in lines[0] and "web page" in lines[1] and "zip" in lines[2].lower()
    assert summary == "vitviz: 0 pictures exported, 3 failed."


def test_first_failure_is_said_before_the_next_picture_is_made(three, capsys, monkeypatch):
    def outcomes(model, items, job):
        yield many.Outcome(items[0], written=(three / "one.png",))
        yield many.Outcome(items[1], problem="a-b.png: broken")
        assert capsys.readouterr().err == "vitviz: One failed, the others go on: a-b.png: broken\n"
        yield many.Outcome(items[2], problem="猫.png: broken")
        assert capsys.readouterr().err == ""

    monkeypatch.setattr(many, "export_many", outcomes)
    assert export(three, "--out", three / "out") == 1
    said = ["vitviz: a-b.png: broken", "vitviz: 猫.png: broken", "vitviz: 1 picture exported, 2 failed."]
    assert capsys.readouterr().err.splitlines() == said


def test_interrupted_export_says_what_failed_until_then(three, tmp_path, capsys, monkeypatch):
    def interrupted(model, items, job):
        yield many.Outcome(items[0], problem="a b.png: broken")
        yield many.Outcome(items[1], written=(tmp_path / "a.png",))
        raise KeyboardInterrupt

    monkeypatch.setattr(many, "export_many", interrupted)
    assert export(three, "--out", tmp_path) == 130
    assert capsys.readouterr().err.splitlines() == [
        "vitviz: One failed, the others go on: a b.png: broken",
        "vitviz: a b.png: broken",
        "vitviz: Interrupted after 2 of 3 pictures: run it again to go on.",
    ]


@pytest.mark.parametrize("name", ["nothing here", "none*.png"])
def test_empty_folder_and_pattern_of_nothing_are_one_sentence(tmp_path, capsys, name):
    (tmp_path / "nothing here").mkdir()
    assert export(tmp_path / name, "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert said.startswith("vitviz: ") and said.count("\n") == 1 and "picture" in said.lower()
    with pytest.raises(ImageError):
        items_of([tmp_path / name], tmp_path)


def test_folder_that_can_not_be_written_fails_for_each_picture(three, tmp_path, capsys, bound_by_modes):
    out = tmp_path / "out"
    out.mkdir(mode=0o500)
    assert export(three, "--out", out) == 1
    _, said = capsys.readouterr().err.split("\n", 1)
    assert said.count("may not write") == 2 and said.count("can't be made") == 1  # the folder within
    assert "0 pictures exported, 3 failed" in said and list(out.iterdir()) == []


def test_copy_of_a_picture_that_is_done_has_its_own_figure(three, tmp_path):
    assert export(three, "--out", tmp_path / "out") == 0
    shutil.copy(three / "a b.png", three / "copy.png")
    assert export(three, "--out", tmp_path / "out") == 0
    assert len(list((tmp_path / "out").glob("copy-*.png"))) == 1
    assert len(list((tmp_path / "out").rglob("*.png"))) == 4


def test_figure_of_another_picture_of_the_same_name_is_never_written_over(tmp_path):
    out = tmp_path / "out"
    for seed, folder in enumerate(("first", "second", "third")):
        (tmp_path / folder).mkdir()
        write_picture(tmp_path / folder / "same.png", size=(40, 60), seed=seed)
        assert export(tmp_path / folder / "same.png", "--out", out) == 0
    recipes = {path: json.loads(path.read_text()) for path in out.glob("*.json")}
    assert len({recipe["picture"]["sha256"] for recipe in recipes.values()}) == 3
    times = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    for folder in ("third", "first", "second"):
        assert export(tmp_path / folder / "same.png", "--out", out) == 0
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == times
    assert export(tmp_path / "second" / "same.png", "--opacity", "0.3", "--out", out) == 0
    drawn = sorted(json.loads(path.read_text())["style"]["opacity"] for path in out.glob("*.json"))
    assert drawn == [0.3, 0.6, 0.6]


def test_picture_that_breaks_the_model_costs_the_others_of_its_batch_nothing(three, tmp_path, capsys, monkeypatch):
    real = many.traces

    def breaking(model, images, **options):
        if any(image.name == "a-b.png" for image in images):
            raise RuntimeError("a kernel that is not there")
        return real(model, images, **options)

    monkeypatch.setattr(many, "traces", breaking)
    assert export(three, "--batch", "3", "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "a-b.png failed: RuntimeError: a kernel that is not there" in said
    assert "2 pictures exported, 1 failed" in said


def test_map_of_zeros_is_said(three, tmp_path, capsys):
    assert export(three / "a-b.png", "--without", "5", "--out", tmp_path / "out") == 0
    assert "a-b.png: All zero: all heads of layer 5 are off" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "told"), [("png", True), ("pdf", True), ("svg", False), ("npz", False)])
def test_letters_of_classes_that_the_font_lacks_are_said_where_they_are_drawn(three, tmp_path, capsys, kind, told):
    labels = tmp_path / "labels.txt"
    labels.write_text("猫\n犬\n鳥\n魚\n馬\n牛\n", encoding="utf-8")
    wish = ("--labels", labels, "--over", "methods", "--format", kind, "--out", tmp_path / "out")
    assert export(three / "a-b.png", *wish) == 0
    said = capsys.readouterr().err
    assert ("a-b.png: the font lacks " in said and "SVG keeps such letters" in said) is told


def test_other_files_of_a_folder_are_counted_by_kind(three, tmp_path, capsys):
    for name in ("a.avif", "b.AVIF", "ü/c.heic", "notes", ".hidden.avif"):
        (three / name).write_bytes(b"nothing")
    assert export(three, "--out", three / "figures") == 0
    words = "4 other files were passed over (2 .avif, 1 no ending, 1 .heic)"
    assert f"3 pictures exported; {words}." in capsys.readouterr().err
    assert export(three, "--out", three / "figures") == 0
    assert f"0 pictures exported, 3 were done before; {words}." in capsys.readouterr().err


def test_full_disk_is_said_for_each_picture_and_leaves_nothing_half_written(three, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vitviz.atomic.os.write", full)
    assert export(three, "--out", tmp_path / "out") == 1
    _, said = capsys.readouterr().err.split("\n", 1)
    assert said.count("disk is full") == 3 and "3 failed" in said
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_out_that_is_a_device_is_one_sentence(three, capsys):
    assert export(three, "--out", "/dev/full") == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_full_pipe_of_paths_is_no_traceback(three, tmp_path):
    command = [sys.executable, "-m", "vitviz", "export", str(three), *DEMO, "--out", str(tmp_path / "out")]
    with open("/dev/full", "w") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=200, check=False)
    assert "Traceback" not in result.stderr and result.returncode != 0
    assert len(result.stderr.splitlines()) <= 2
