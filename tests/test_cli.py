"""The command line: exit codes, one line for an error, and the files that export writes."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from cli_cases import ARCHITECTURE, call, write_picture

import vitviz
from vitviz import cli


@pytest.fixture(autouse=True)
def settings_of_its_own(config_dir):
    """No command sees the settings of whoever runs the tests."""


def export(files, out, *options):
    out.mkdir(exist_ok=True)
    return call("export", files, "--out", str(out), *options)


def pixels_of(path):
    return np.asarray(PIL.Image.open(path))


def test_export_writes_the_overlay_at_the_size_of_the_picture_and_prints_its_path(tmp_path, files, opened, capsys):
    assert export(files, tmp_path, "--layer", "3", "--head", "1") == 0
    (path,) = tmp_path.glob("*.png")
    assert capsys.readouterr().out.strip() == str(path)
    image, _, trace = opened
    wanted = vitviz.overlay(image, vitviz.attention_map(trace, layer=3, head=1))
    assert np.array_equal(pixels_of(path), wanted)
    assert path.with_name(path.name + ".json").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--title", "猫"), True),
        (("--title", "猫", "--format", "pdf"), True),
        (("--title", "猫", "--format", "svg"), False),
        (("--title", "猫", "--format", "npz"), False),
        (("--title", "кот"), False),
        (("--label", "重み", "--color-bar"), True),
    ],
)
def test_letters_that_the_font_lacks_are_said_once(tmp_path, files, capsys, options, told):
    assert export(files, tmp_path, *options) == 0
    said = capsys.readouterr().err
    assert said.count("vitviz: The font lacks ") == told and ("SVG keeps such letters." in said) is told


def test_folder_of_the_figures_is_made(tmp_path, files):
    assert export(files, tmp_path, "--out", str(tmp_path / "a" / "b")) == 0
    assert len(list((tmp_path / "a" / "b").glob("*.png"))) == 1


def test_export_of_all_layers_and_heads_writes_each_once(tmp_path, files, opened):
    assert export(files, tmp_path, "--layer", "all", "--head", "all") == 0
    paths = sorted(tmp_path.glob("*.png"))
    assert len(paths) == 12
    image, _, trace = opened
    made = [json.loads(path.with_name(path.name + ".json").read_text())["selection"] for path in paths]
    assert {(m["layer"], m["head"]) for m in made} == {(i, h) for i in range(6) for h in range(2)}
    for path, chosen in zip(paths, made, strict=True):
        m = vitviz.attention_map(trace, layer=chosen["layer"], head=chosen["head"])
        assert np.array_equal(pixels_of(path), vitviz.overlay(image, m))


def test_export_of_all_layers_without_a_head_writes_means(tmp_path, files):
    assert export(files, tmp_path, "--layer", "all") == 0
    made = [json.loads(path.read_text())["selection"] for path in tmp_path.glob("*.json")]
    assert sorted((m["layer"], m["head"]) for m in made) == [(i, "mean") for i in range(6)]


def test_negative_layer_counts_from_the_last(tmp_path, files):
    assert export(files, tmp_path, "--layer", "-2") == 0
    (path,) = tmp_path.glob("*.json")
    assert json.loads(path.read_text())["selection"]["layer"] == 4


@pytest.mark.parametrize(
    ("text", "query", "kept"),
    [
        ("cls", "cls", "cls"),
        ("mean", "mean", "mean"),
        ("3,4", (3, 4), [3, 4]),
        ("@60.5,40", vitviz.Place(60.5, 40.0), {"x": 60.5, "y": 40.0}),
    ],
)
@pytest.mark.parametrize("direction", ["from", "to"])
def test_query_is_a_token_a_patch_or_a_pixel(tmp_path, files, opened, text, query, kept, direction):
    assert export(files, tmp_path, "--layer", "2", "--head", "0", "--query", text, "--direction", direction) == 0
    (path,) = tmp_path.glob("*.png")
    image, _, trace = opened
    m = vitviz.attention_map(trace, layer=2, head=0, query=query, direction=direction)
    assert np.array_equal(pixels_of(path), vitviz.overlay(image, m))
    chosen = json.loads(path.with_name(path.name + ".json").read_text())["selection"]
    assert (chosen["query"], chosen["direction"]) == (kept, direction)


def test_limits_of_a_layer_and_of_all_are_shared_and_given_ones_are_taken(tmp_path, files, opened):
    _, _, trace = opened
    heads = vitviz.head_maps(trace)
    wanted = {
        "map": (heads.values[1][0].min(), heads.values[1][0].max()),
        "layer": (0.0, heads.values[1].max()),
        "all": (0.0, max(v.max() for v in heads.values)),
        "0.001,0.5": (0.001, 0.5),
    }
    for i, (text, ends) in enumerate(wanted.items()):
        out = tmp_path / str(i)
        assert export(files, out, "--layer", "1", "--head", "0", "--limits", text) == 0
        (path,) = out.glob("*.json")
        assert json.loads(path.read_text())["style"]["limits"] == pytest.approx(ends, rel=1e-6)


def test_several_pictures_are_exported_in_one_call(tmp_path, files):
    other = write_picture(tmp_path / "dog.png", size=(40, 60), seed=9)
    assert export(files, tmp_path / "out", str(other)) == 0
    assert sorted(pixels_of(path).shape for path in (tmp_path / "out").glob("*.png")) == [(40, 60, 3), (90, 130, 3)]


WRONG = {
    "missing picture": ["export", "no-such.png"],
    "missing recipe": ["export", "--recipe", "no-such.json"],
    "layer too high": ["export", "PICTURE", "MODEL", "--layer", "99"],
    "head too high": ["export", "PICTURE", "MODEL", "--head", "99"],
    "no such token": ["export", "PICTURE", "MODEL", "--query", "reg7"],
    "no such patch": ["export", "PICTURE", "MODEL", "--query", "99,0"],
    "file instead of a folder": ["export", "PICTURE", "MODEL", "--out", "PICTURE"],
    "folder inside a file": ["export", "PICTURE", "MODEL", "--out", "/dev/null/figures"],
    "no such device": ["export", "PICTURE", "MODEL", "--device", "cuda:99"],
    "picture as model": ["info", "PICTURE"],
    "other architecture": ["info", "WEIGHTS", "--architecture", "vit_base_patch16_224"],
    "no such architecture": ["info", "WEIGHTS", "--architecture", "no_such_net"],
    "no such model": ["info", "no_such_net_at_all"],
    "pattern without a model": ["models", "zzzzzz"],
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_error_of_ours_is_exit_1_and_one_line_on_stderr(tmp_path, monkeypatch, files, capsys, call):
    monkeypatch.chdir(tmp_path)
    words = []
    for word in call:
        model = ["--model", str(files[1]), "--architecture", ARCHITECTURE]
        words += {"PICTURE": [str(files[0])], "WEIGHTS": [str(files[1])], "MODEL": model}.get(word, [word])
    assert cli.main(words) == 1
    said = capsys.readouterr()
    assert said.err.startswith("vitviz: ") and said.err.count("\n") == 1
    assert len(said.err.split()) >= 6
    assert "Traceback" not in said.err and said.out == ""
    assert list(tmp_path.rglob("*")) == []


def test_info_prints_the_report(files, capsys):
    assert cli.main(["info", str(files[1]), "--architecture", ARCHITECTURE, "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    for words in ("weights.safetensors", "test_vit", "160 x 160 px", "patches of 16 x 16 px", "cls", "parameters"):
        assert words in said


def test_models_lists_names_by_pattern(capsys):
    assert cli.main(["models", "deit3_small*"]) == 0
    names = capsys.readouterr().out.split()
    assert names and all(name.startswith("deit3_small") for name in names)
    assert cli.main(["models", "swin_tiny"]) == 0
    assert any("ms_swin_tiny" in name or "swin_tiny" in name for name in capsys.readouterr().out.split())
    assert cli.main(["models"]) == 0
    assert {"demo", "demo-swin"} <= set(capsys.readouterr().out.split())


def test_info_option_names_versions_devices_and_paths(capsys, config_dir):
    assert cli.main(["--info"]) == 0
    said = capsys.readouterr().out
    for words in (f"vitviz {vitviz.__version__}", "torch ", "timm ", "PySide6-Essentials ", "device cpu", "python "):
        assert words in said
    assert str(config_dir) in said and "missing" not in said


def test_reset_forgets_the_settings(capsys, config_dir):
    path = config_dir / "settings.json"
    path.write_text('{"colormap": "magma"}')
    assert cli.main(["--reset"]) == 0
    assert not path.exists()
    assert "forgotten" in capsys.readouterr().out


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.strip() == f"vitviz {vitviz.__version__}"


def test_help_mentions_every_command(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    for command in cli._COMMANDS:
        assert f"vitviz {command}" in said
    usage = said.partition("\n\n")[0]
    assert ",".join(cli._COMMANDS) in usage and "[PICTURE]" in usage


@pytest.mark.parametrize("command", cli._COMMANDS)
def test_every_command_has_its_own_help(capsys, command):
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: vitviz {command}")


def test_version_as_a_module_imports_no_torch_and_no_qt():
    code = (
        "import runpy, sys\n"
        "sys.argv = ['vitviz', '--version']\n"
        "try:\n    runpy.run_module('vitviz', run_name='__main__')\n"
        "except SystemExit as stopped:\n    print('exit', stopped.code)\n"
        "print([name for name in ('torch', 'timm', 'PySide6', 'PIL', 'numpy') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == [f"vitviz {vitviz.__version__}", "exit 0", "[]"]


def test_closed_pipe_ends_quietly():
    code = "import sys; from vitviz.cli import main; sys.exit(main(['--help']))"
    end, start = os.pipe()
    os.close(end)
    done = subprocess.run([sys.executable, "-c", code], stdout=start, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(start)
    assert b"Traceback" not in done.stderr


def test_output_that_nobody_reads_ends_the_command_as_a_closed_pipe_does():
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        command = [sys.executable, "-m", "vitviz", "models", "test_vit"]
        done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, timeout=120, check=False)
    finally:
        os.close(theirs)
    assert (done.returncode, done.stderr) == (141, b"")


def test_name_that_the_output_has_no_letters_for_is_written_as_code_points(files, tmp_path, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert call("ablation", files, "--out", str(tmp_path / "ü猫.csv")) == 0
    assert written.getvalue().decode().strip().endswith(r"\xfc\u732b.csv")


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are Unicode there")
def test_picture_whose_name_is_no_unicode_is_exported_and_made_again(files, tmp_path):
    picture = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xe4.png"))
    picture.write_bytes(files[0].read_bytes())
    assert export((picture, files[1]), tmp_path / "out") == 0
    (path,) = (tmp_path / "out").glob("*.png")
    assert json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))["picture"]["path"] == str(
        picture
    )
    assert cli.main(["export", "--recipe", f"{path}.json", "--device", "cpu", "--out", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
