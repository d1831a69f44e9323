"""`vitviz info` says whether and where a model attends; `vitviz save` writes what leaves nothing to guess."""

import io
import re
import sys

import pytest
from cli_cases import ARCHITECTURE

from vitviz import cli


def test_info_says_layers_heads_tokens_cost_and_hash(files, capsys):
    assert cli.main(["info", str(files[1]), "--architecture", ARCHITECTURE, "--norm-eps", "1e-5"]) == 0
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines()[1:] if " " in line)
    assert lines["layers"].strip() == "6, heads 2" and lines["tokens"].strip() == "10 x 10 patches + 1 prefix = 101"
    assert "FLOPs" in lines["cost"] and "parameters" in lines["architecture"] and len(lines["hash"].split()[1]) == 64
    assert "max |A v - output|" in lines["proof"] and "1e-05, said by you" in " ".join(lines.values())


@pytest.mark.parametrize("name", ["resnet18", "xcit_nano_12_p16_224"])
def test_info_of_a_model_without_attention_between_tokens_is_its_report_and_an_error(name, capsys):
    assert cli.main(["info", name, "--random", "--device", "cpu"]) == 1
    said = capsys.readouterr()
    assert "parameters" in said.out and re.search(r"^layers +none that can be shown$", said.out, re.MULTILINE)
    assert len(said.err.splitlines()) == 1 and "no attention" in said.err
    assert said.err.startswith("vitviz: This model can't be looked into. ")
    assert "over the patches" not in said.out


def test_info_of_a_model_that_can_not_be_looked_into_says_this_first(monkeypatch):
    both = io.StringIO()
    monkeypatch.setattr(sys, "stdout", both)
    monkeypatch.setattr(sys, "stderr", both)
    assert cli.main(["info", "resnet18", "--random", "--device", "cpu"]) == 1
    first, second, *rest = [line for line in both.getvalue().splitlines() if "%" not in line]
    assert "can't be looked into" in first and second == "resnet18" and rest


def test_save_writes_a_folder_that_info_reads_without_assumptions(files, tmp_path, capsys):
    out = tmp_path / "saved"
    given = [str(files[1]), "--architecture", ARCHITECTURE, "--mean", "0.1,0.2,0.3", "--std", "0.5"]
    assert cli.main(["save", *given, "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert cli.main(["info", str(out)]) == 0
    said = capsys.readouterr().out
    assert "mean 0.1, 0.2, 0.3, std 0.5, 0.5, 0.5" in said and "assumed" not in said
    assert cli.main(["save", *given, "--out", str(out)]) == 1
    assert "not empty" in capsys.readouterr().err


def test_save_says_what_was_guessed_and_the_folder_still_does(tmp_path, capsys):
    import timm
    from safetensors.torch import save_file

    net = timm.create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, depth=2, embed_dim=40, num_heads=2)
    save_file(net.state_dict(), tmp_path / "weights.safetensors")
    assert cli.main(["save", str(tmp_path / "weights.safetensors"), "--out", str(tmp_path / "saved")]) == 0
    warned = capsys.readouterr().err
    assert warned.startswith("vitviz: ") and "heads" in warned and "(assumed)" in warned
    assert cli.main(["info", str(tmp_path / "saved")]) == 0
    lines = [line.split(None, 1) for line in capsys.readouterr().out.splitlines()[1:]]
    (heads,) = [line[1] for line in lines if line[0] == "heads"]
    assert "assumed when saved from weights.safetensors" in heads
    assert len([line for line in lines if line[0] == "view"]) == 1
