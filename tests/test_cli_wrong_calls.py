"""A wrong call is one sentence with the nearest spelling and exit status 2, before any model is loaded."""

import re
import shlex
from pathlib import Path

import pytest
from cli_cases import write_picture

from vitviz import cli
from vitviz.models import loading

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")

WRONG = {
    "--modle demo": "there is no option --modle: did you mean --model?",
    "--verison": "did you mean --version?",
    "--zzzzzz": "there is no option --zzzzzz. See",
    "a.png b.png": "'b.png' is one argument too many: give one PICTURE.",
    "exprt a.png --layer all": "there is no command and no picture 'exprt': did you mean export?",
    "--random export a.png": "the command comes first: vitviz export --random",
    "export": "PICTURE is missing",
    "export a.png --m demo": "--m may be one of --model, --mean",
    "export a.png --model": "--model has no value",
    "export a.png --smooth=1": "--smooth takes no value, and 1 was given",
    "export a.png --num_heads 3": "did you mean --num-heads?",
    "export a.png -format=png": "did you mean --format?",
    "export a.png --format exe": "--format 'exe' is unknown: give png, svg",
    "export a.png --format pgn": "--format 'pgn' is unknown: did you mean png? Give png, svg",
    "export a.png --over head": "did you mean heads? Give map, heads, layers, queries or methods.",
    "export a.png --method atention": "did you mean attention? Give attention, rollout",
    "export a.png --layer first": "--layer 'first' is unknown: give a number or all.",
    "export a.png --head maen": "did you mean mean? Give a number, mean, max, min or all.",
    "export a.png --query 1,2,3": "--query '1,2,3' is unknown: give a patch ROW,COL, a pixel @X,Y, cls",
    "export a.png --query clss": "did you mean cls?",
    "export a.png --query -1,0": "--query '-1,0' is unknown",
    "export a.png --query @left": "a pixel @X,Y",
    "export a.png --query @nan,1": "a pixel @X,Y",
    "export a.png --limits low,high": "give LOW,HIGH such as 0,0.5, map, figure",
    "export a.png --limits 2,1": "LOW,HIGH",
    "export a.png --limits nan,1": "LOW,HIGH",
    "export a.png --limits 0,inf": "LOW,HIGH",
    "export a.png --limits fig": "did you mean figure?",
    "export a.png --opacity much": "--opacity is 'much': give a number from 0 to 1.",
    "export a.png --opacity nan": "a number from 0 to 1",
    "export a.png --opacity 2": "a number from 0 to 1",
    "export a.png --colormap virids": "did you mean viridis?",
    "export a.png --device abacus": "--device 'abacus' is unknown: give auto, cpu, cuda, cuda:1 or mps.",
    "export a.png --precision float23": "did you mean float32?",
    "export a.png --image-size 0": "a size such as 384 or 224x320",
    "export a.png --image-size 1x2x3": "a size such as 384 or 224x320",
    "export a.png --patch-size 0": "--patch-size is '0': give a whole number of 1 or more.",
    "export a.png --num-heads many": "a whole number of 1 or more",
    "export a.png --norm-eps 0": "a number above 0",
    "export a.png --mean 1,2": "one number or three",
    "export a.png --std 0": "--std is '0': give numbers above 0",
    "export a.png --columns 3": "a whole number from 1 to 2",
    "export a.png --batch 0": "a whole number from 1 to 1024",
    "export a.png --without first": "--without is 'first': give heads as LAYER.HEAD, such as 3.0,3.5, or whole",
    "export a.png --without 5.": "such as 3.0,3.5",
    "export a.png --without 5.-1": "such as 3.0,3.5",
    "export a.png --without 3,,4": "such as 3.0,3.5",
    "export a.png --target 3": "--target explains a class, which attention does not: choose --method relevance",
    "export a.png --residual 0.3": "--residual belongs to rollout",
    "export a.png --method relevance --query 3,2": "--query chooses a token that looks, and relevance is of the token",
    "export a.png --method token-grad-cam --query cls": "leave it out, or choose --method attention or rollout.",
    "export a.png --method rollout --layer 2 --head max": "--layer, --head belong to attention, and rollout is one map",
    "export a.png --method rollout --direction to": "--direction belongs to attention, and rollout",
    "export a.png --method relevance --layer all": "one map for all layers and heads: leave it out.",
    "compare a.png --method relevance --query 3,2": "--query chooses a token that looks",
    "export a.png b.png --recipe c.json": "--recipe makes one file again, from one PICTURE",
    "export --recipe a.json b.json": "make a call for each recipe",
    "compare a.png --fusion max --first-layer 1": "--fusion, --first-layer belong to rollout",
    "compare a.png --patch-size 8,x": "8,16,32",
    "compare a.png --runs 0": "a whole number of 1 or more",
    "compare a.png --layer all": "--layer 'all' is unknown: give a number.",
    "compare a.png --out figure.docx": "give .png, .svg or .pdf",
    "compare a.png --patch-size 4,8,16,32 --image-size 128,160,192": "12 models, and 8 fit",
    "faithfulness a.png --steps 0": "a whole number of 1 or more",
    "faithfulness a.png --seeds -1": "a whole number of 0 or more",
    "dataset a.png": "--out is missing",
    "dataset a.png --out heads.csv": "--out heads.csv would be Parquet: give a name such as heads.parquet",
    "save demo --random --out a": "leave it out",
    "info": "SOURCE is missing",
    "models a b": "'b' is one argument too many: give one PATTERN.",
    "statistics": "PICTURE|FOLDER is missing",
    "--model a --model b --model c --model d --model e": "5 models were named, and 4 fit",
}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch, config_dir):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("line", "words"), WRONG.items(), ids=WRONG)
def test_wrong_call_is_one_sentence_and_exit_2(line, words, capsys, monkeypatch):
    monkeypatch.setattr(loading, "resolve", None)  # no model is looked for
    assert cli.main(line.split()) == 2
    said = capsys.readouterr()
    command = line.split()[0] if line.split()[0] in cli._COMMANDS else ""
    name = f"vitviz {command}".strip()
    assert said.out == "" and said.err.count("\n") == 1
    assert re.fullmatch(rf"{name}: .+[.?…] See `{name} --help`\.\n", said.err)
    assert words in said.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ablation a.png --out none/a.csv", "There is no folder"),
        ("statistics a.png --out sub", "a folder has that name"),
        ("faithfulness a.png --out /dev/null", "not an ordinary file"),
        ("compare a.png --out none/a.png", "There is no folder"),
        ("dataset a.png --out none/a.parquet", "There is no folder"),
        ("save demo --out a.png", "a.png is a file"),
        ("save demo --out a.png/new", "a.png is a file"),
        ("export a.png --out a.png/new", "a.png is a file"),
        ("export none.png", "There is no picture or folder 'none.png'"),
        ("export sub", "no picture in the folder sub"),
        ("statistics sub", "no picture in the folder sub"),
    ],
)
def test_what_can_not_be_read_or_written_is_said_before_a_model_is_looked_for(line, words, capsys, monkeypatch):
    monkeypatch.setattr(loading, "resolve", None)
    Path("sub").mkdir()
    write_picture(Path("a.png"))
    assert cli.main(line.split()) == 1
    said = capsys.readouterr()
    assert re.fullmatch(rf"vitviz: .*{words}.*\.\n", said.err) and said.out == ""


def test_picture_may_be_called_as_a_command_nearly_is(tmp_path):
    for name in ("exprt", "export"):
        (tmp_path / name).touch()
        cli._check_command([name])
    cli._check_command(["--model", "export"])
    with pytest.raises(cli.WrongCall):
        cli._check_command(["infos"])


def test_values_and_names_may_begin_with_a_minus():
    parse = cli.export.parser().parse
    found = parse(["a.png", "--limits", "-1.5,2", "--layer", "-1", "--", "-b.png", "c.png"])
    assert (found.limits, found.layer) == ((-1.5, 2.0), -1)
    assert found.pictures == [Path("a.png"), Path("-b.png"), Path("c.png")]
    assert parse(["a.png", "--without", "-1, 3.0"]).without == [(-1, None), (3, 0)]


def test_examples_of_readme_and_help_are_calls_that_the_commands_take():
    block = README.split("## Command line")[1].split("```")[1]
    helps = "".join(command.parser().epilog or "" for command in (cli.opening, *cli._COMMANDS.values()))
    lines = [line.strip() for line in (block + helps).splitlines() if line.strip().startswith("vitviz ")]
    assert len(lines) > 30
    for line in lines:
        words = shlex.split(re.split(r"  +", line)[0], comments=True)[1:]
        command = cli._COMMANDS.get(words[0]) if words else None
        (command or cli.opening).parser().parse(words[1:] if command else words)


def test_every_option_says_what_it_does():
    for command in (cli.opening, *cli._COMMANDS.values()):
        for action in command.parser()._actions:
            assert action.help, f"{command.__name__} {action.dest}"
