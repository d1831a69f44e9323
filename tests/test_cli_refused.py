"""What the system won't say or take: paths that can't be asked, streams that are not there or can't be written."""

import io
import json
import sys
from types import SimpleNamespace

import pytest
from cli_cases import call, write_picture

from vitviz import cli
from vitviz.errors import FileError
from vitviz.render.reading import read_recipe

TOO_LONG = "x" * 300


@pytest.fixture(autouse=True)
def settings_of_its_own(config_dir):
    """No command sees the settings of whoever runs the tests."""


@pytest.fixture
def shut(tmp_path, bound_by_modes):
    """A folder as another user's home, with a file in it."""
    folder = tmp_path / "home"
    folder.mkdir()
    write_picture(folder / "cat.png", size=(40, 60))
    folder.chmod(0)
    yield folder
    folder.chmod(0o700)


@pytest.mark.parametrize("command", [[], ["statistics"], ["dataset", "--out", "a.parquet"], ["export"]])
def test_name_that_is_too_long_is_no_picture(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main([*command, TOO_LONG]) == 1
    said = capsys.readouterr().err
    assert said.startswith("vitviz: There is no picture ") and TOO_LONG in said and said.count("\n") == 1


def test_picture_in_a_folder_that_is_shut_is_not_there(shut, capsys):
    for command in ([], ["export"], ["statistics"]):
        assert cli.main([*command, str(shut / "cat.png")]) == 1
        assert capsys.readouterr().err.startswith("vitviz: There is no picture ")


@pytest.mark.parametrize("out", ["shut", "too long"])
def test_folder_of_figures_that_can_not_be_made_is_named(out, shut, files, capsys):
    folder = shut / "figures" if out == "shut" else shut.parent / TOO_LONG
    assert call("export", files, "--out", str(folder)) == 1
    assert f"vitviz: The folder {folder} can't be made: " in capsys.readouterr().err


def test_picture_whose_name_leaves_no_room_for_that_of_a_recipe_is_exported_with_the_others(files, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a" * 251, "b"):
        write_picture(photos / f"{name}.png", size=(40, 60))
    assert call("export", (photos, files[1]), "--out", str(tmp_path / "out")) == 0
    assert len(list((tmp_path / "out").glob("*.png.json"))) == 2
    assert "2 pictures exported." in capsys.readouterr().err


def test_recipe_says_where_its_picture_was_though_that_can_not_be_asked(shut, files, tmp_path, capsys):
    assert call("export", files, "--out", str(tmp_path / "out")) == 0
    (recipe,) = (tmp_path / "out").glob("*.json")
    content = json.loads(recipe.read_text())
    content["picture"]["path"] = str(shut / "cat.png")
    recipe.write_text(json.dumps(content))
    capsys.readouterr()
    assert cli.main(["export", "--recipe", str(recipe), "--device", "cpu", "--out", str(tmp_path / "again")]) == 1
    assert f"The picture of the recipe is no longer at {shut / 'cat.png'}: name it" in capsys.readouterr().err


def test_recipe_of_a_model_whose_name_is_too_long_is_read(files, tmp_path):
    assert call("export", files, "--out", str(tmp_path / "out")) == 0
    (recipe,) = (tmp_path / "out").glob("*.json")
    content = json.loads(recipe.read_text())
    content["model"]["source"] = TOO_LONG
    recipe.write_text(json.dumps(content))
    assert read_recipe(recipe).models[0].wish.source == TOO_LONG
    recipe.with_name(f"{'y' * 251}.png").write_bytes(b"no figure")
    with pytest.raises(FileError, match="no recipe of vitviz"):
        read_recipe(recipe.with_name(f"{'y' * 251}.png"))


def refusing(error):
    def run(arguments):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied", "cat.txt"), "vitviz: cat.txt can't be read or written: Permission"),
        (OSError(5, "Input/output error"), "vitviz: Something can't be read or written: Input/output error."),
    ],
    ids=["a file", "no name"],
)
def test_what_is_refused_elsewhere_is_not_blamed_on_the_output(error, words, monkeypatch, capsys):
    monkeypatch.setattr(cli.models, "run", refusing(error))
    assert cli.main(["models"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(words) and said.count("\n") == 1


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, text):
        raise OSError(28, "No space left on device")


def test_output_that_can_not_be_written_is_said(monkeypatch, capsys):
    closed = []
    monkeypatch.setattr(cli, "_close_output", lambda: closed.append(True))
    monkeypatch.setattr(sys, "stdout", Full())
    assert cli.main(["models", "test_vit"]) == 1
    said = capsys.readouterr().err
    assert said == "vitviz: The output can't be written: No space left on device; send it elsewhere.\n" and closed


def test_command_without_streams_runs_to_its_end(monkeypatch):
    """As vitviz-gui does under pythonw."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert cli.main(["models", "test_vit"]) == 0
    assert cli.main(["models", "zzzzzz"]) == 1
    assert cli.main(["models", "a", "b"]) == 2
    assert sys.stdout is None and sys.stderr is None


def test_window_that_leaves_a_job_behind_ends_without_streams(monkeypatch, qapp):
    from vitviz.ui import app

    ended = []
    monkeypatch.setattr(app, "create", lambda wish: SimpleNamespace(show=lambda: None, stopped=False))
    monkeypatch.setattr(app, "application", lambda: SimpleNamespace(exec=lambda: 0))
    monkeypatch.setattr(app, "take_down", lambda window: None)
    monkeypatch.setattr(app.os, "_exit", ended.append)
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert app.run() == 0 and ended == [0]
