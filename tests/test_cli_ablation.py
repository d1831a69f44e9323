"""Heads switched off from the command line: figures of the altered model say so, and the table of logit changes."""

import json

import numpy as np
import pytest
from cli_cases import call

import vitviz
from vitviz import Ablation, cli
from vitviz.render.reading import read_recipe


class TestExport:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (("--without", "0.1"), Ablation({(0, 1)})),
            (("--without", "0.1,4", "--without-to", "mean"), Ablation({(0, 1), (4, 0), (4, 1)}, "mean")),
        ],
    )
    def test_figure_is_of_the_altered_model_and_its_recipe_says_so(self, files, opened, tmp_path, words, expected):
        assert call("export", files, "--layer", "5", "--format", "npz", "--out", str(tmp_path), *words) == 0
        (path,) = tmp_path.glob("*.npz")
        assert "without" in path.name
        image, model, _ = opened
        seen = vitviz.trace(model, image, ablation=expected)
        map_ = vitviz.attention_map(seen, layer=5)
        found = next(v for v in np.load(path).values() if v.shape[-2:] == map_.values.shape)
        np.testing.assert_allclose(np.squeeze(found), map_.values, atol=1e-6)
        recipe = read_recipe(path.with_name(path.name + ".json"))
        assert recipe.ablation == expected

    def test_made_again_from_the_recipe_has_the_same_bytes(self, files, tmp_path):
        first, again = tmp_path / "first", tmp_path / "again"
        assert call("export", files, "--without", "1.0,3.1", "--out", str(first)) == 0
        (path,) = first.glob("*.png")
        assert cli.main(["export", "--recipe", f"{path}.json", "--device", "cpu", "--out", str(again)]) == 0
        assert (again / path.name).read_bytes() == path.read_bytes()
        assert call("export", files, "--out", str(first)) == 0
        assert len({p.read_bytes() for p in first.glob("*.png")}) == 2

    @pytest.mark.parametrize(
        "ablation",
        [
            {"heads": [[0]]},
            {"heads": [[0, "1"]]},
            {"heads": {}},
            {"heads": [], "to": "noise"},
            [],
        ],
    )
    def test_a_recipe_with_another_ablation_is_refused(self, files, tmp_path, ablation):
        assert call("export", files, "--without", "1.0", "--out", str(tmp_path)) == 0
        (path,) = tmp_path.glob("*.json")
        path.write_text(json.dumps(json.loads(path.read_text()) | {"ablation": ablation}))
        with pytest.raises(vitviz.VitvizError, match="no recipe"):
            read_recipe(path)

    def test_a_head_that_is_not_there_is_one_line(self, files, tmp_path, capsys):
        assert call("export", files, "--without", "0.7", "--out", str(tmp_path)) == 1
        assert "no head 7 to ablate" in capsys.readouterr().err


class TestTable:
    def test_prints_what_head_ablation_gives(self, files, opened, capsys):
        image, model, _ = opened
        assert call("ablation", files, "--target", "3") == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("# change of the logit of class 3")
        assert lines[1] == "layer,head 0,head 1"
        table = np.array([[float(v) for v in line.split(",")[1:]] for line in lines[2:]])
        np.testing.assert_allclose(table, vitviz.head_ablation(model, image, 3), atol=1e-5)

    def test_a_class_by_name(self, capsys):
        from vitviz.ui.samples import pictures

        assert cli.main(["ablation", str(pictures()[0]), "--target", "rin", "--device", "cpu"]) == 0
        assert "logit of ring" in capsys.readouterr().out
        assert cli.main(["ablation", str(pictures()[0]), "--target", "r", "--device", "cpu"]) == 1
        assert "give a whole one" in capsys.readouterr().err

    def test_says_how_heads_were_removed_and_writes_a_file(self, files, tmp_path, capsys):
        for to, words in (("zero", "is set to zero"), ("mean", "is set to its mean over the tokens")):
            assert call("ablation", files, "--to", to) == 0
            printed = capsys.readouterr().out
            assert words in printed.splitlines()[0]
            path = tmp_path / f"{to}.csv"
            assert call("ablation", files, "--to", to, "--out", str(path)) == 0
            assert path.read_text() == printed and capsys.readouterr().out.strip() == str(path)
        assert call("ablation", files, "--out", str(tmp_path / "none" / "a.csv")) == 1
