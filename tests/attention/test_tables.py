"""Statistics as columns, as CSV and as a mean over pictures, through the API and the command."""

import csv
import io

import numpy as np
import PIL.Image
import pytest

import vitviz
from vitviz.attention.statistics import head_statistics
from vitviz.attention.tables import Mean, csv_text, quantities, statistics_over, table
from vitviz.cli import main
from vitviz.errors import AttentionError, Cancelled, ImageError
from vitviz.images import Image
from vitviz.picture_files import picture_files


@pytest.fixture(scope="module")
def several(tiny_vit):
    """Statistics of three different pictures."""
    pictures = [
        Image.from_array(np.random.default_rng(n).integers(0, 256, (50, 70, 3), dtype=np.uint8), name=f"{n}.png")
        for n in range(3)
    ]
    return pictures, [head_statistics(vitviz.trace(tiny_vit, picture)) for picture in pictures]


@pytest.fixture
def folder(tmp_path, several):
    """The same pictures as files, and a file that is none."""
    for picture in several[0]:
        PIL.Image.fromarray(picture.pixels).save(tmp_path / picture.name)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_csv_has_a_row_for_every_head_and_the_numbers_of_the_arrays(several):
    found = several[1][0]
    rows = list(csv.DictReader(io.StringIO(csv_text(found))))
    assert [(int(r["layer"]), int(r["head"])) for r in rows] == [(x, h) for x in range(3) for h in range(2)]
    for row in rows:
        at = int(row["layer"]), int(row["head"])
        for quantity in quantities(found):
            assert float(row[quantity.column]) == pytest.approx(float(quantity.values[at]), rel=1e-6)
        assert (int(row["sink_row"]), int(row["sink_column"])) == found.sink[at[0]][at[1]]
        assert row["pictures"] == "1"


def test_a_pool_without_distance_leaves_its_cells_empty(make, picture):
    model = make(
        "vit_base_patch16_siglip_224", (64, 96), img_size=(64, 96), embed_dim=32, depth=2, num_heads=2, num_classes=5
    )
    rows = list(csv.DictReader(io.StringIO(csv_text(head_statistics(vitviz.trace(model, picture))))))
    assert rows[-1]["distance_vit_px"] == "" and float(rows[-1]["entropy_nats"]) > 0
    assert "mass_cls" not in rows[0]


def test_registers_are_one_column_and_the_distillation_token_another(make, picture):
    size = {"img_size": (56, 84), "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 5}
    found = head_statistics(vitviz.trace(make("vit_small_patch14_reg4_dinov2", (56, 84), **size), picture))
    columns = {each.column: each.values for each in quantities(found)}
    total = sum(found.prefix_mass[f"reg{n}"] for n in range(4))
    assert columns["mass_registers"] == pytest.approx(total, rel=1e-6) and "mass_cls" in columns
    size["img_size"] = (64, 96)
    found = head_statistics(vitviz.trace(make("deit_tiny_distilled_patch16_224", (64, 96), **size), picture))
    columns = {each.column for each in quantities(found)}
    assert {"mass_cls", "mass_dist"} <= columns and "mass_registers" not in columns


def mean_of(several):
    total = Mean()
    for each in several:
        total.add(each)
    return total.result()


def test_the_mean_of_statistics_is_the_mean_of_each_number(several):
    mean = mean_of(several[1])
    for at, quantity in enumerate(quantities(mean)):
        wanted = np.mean([quantities(each)[at].values for each in several[1]], axis=0)
        assert quantity.values == pytest.approx(wanted, rel=1e-5)
    assert mean.pictures == ("0.png", "1.png", "2.png") and "sink_row" not in table(mean)[0]


def test_a_mean_of_means_weighs_every_picture_alike(several):
    nested = mean_of([mean_of(several[1][:2]), several[1][2]])
    assert nested.entropy == pytest.approx(mean_of(several[1]).entropy, rel=1e-5)


def test_statistics_of_different_models_have_no_mean(several, tiny_swin, picture):
    with pytest.raises(AttentionError, match="one model"):
        mean_of([several[1][0], head_statistics(vitviz.trace(tiny_swin, picture))])
    with pytest.raises(AttentionError, match="no pictures"):
        Mean().result()


def test_a_folder_is_the_mean_over_its_pictures(tiny_vit, several, folder):
    told = []
    found = statistics_over(tiny_vit, picture_files([folder]), progress=lambda f, text: told.append((f, text)))
    assert found.distance_vit == pytest.approx(mean_of(several[1]).distance_vit, rel=1e-5)
    assert told == [(0.0, "0.png (1 of 3)"), (1 / 3, "1.png (2 of 3)"), (2 / 3, "2.png (3 of 3)")]
    with pytest.raises(Cancelled):
        statistics_over(tiny_vit, picture_files([folder]), cancel=lambda: True)
    with pytest.raises(Cancelled):
        statistics_over(tiny_vit, picture_files([folder]), cancel=lambda: len(told) > 3, failed=lambda *_: None,
                        progress=lambda f, text: told.append((f, text)))  # fmt: skip


def test_what_is_no_picture_is_said(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(ImageError, match="no picture in the folder"):
        picture_files([tmp_path])
    with pytest.raises(ImageError, match="no picture or folder"):
        picture_files([tmp_path / "nothing"])


def test_the_command_writes_the_table(folder, capsys, tmp_path):
    out = tmp_path / "heads.csv"
    arguments = ["statistics", str(folder), "--model", "test_vit", "--random", "--device", "cpu", "--out", str(out)]
    assert main(arguments) == 0
    rows = list(csv.DictReader(out.open()))
    assert {row["pictures"] for row in rows} == {"3"} and len(rows) == 12
    assert all(float(row["distance_vit_px"]) > 0 for row in rows)
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"{out}\n", "")  # a short job says nothing meanwhile in a log


def test_the_command_refuses_in_one_line(capsys, tmp_path):
    assert main(["statistics", str(tmp_path / "nothing.png")]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert main(["statistics", str(tmp_path), "--out", str(tmp_path / "no" / "heads.csv")]) == 1
    assert "no folder" in capsys.readouterr().err


def test_a_damaged_picture_is_left_out_and_said_at_the_end(tiny_vit, several, folder, capsys, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = (tmp_path / "0.png").read_bytes()
    for name in ("1 damaged.png", "9 damaged.png"):
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    failed = []
    found = statistics_over(tiny_vit, picture_files([tmp_path]), failed=lambda path, error: failed.append(path.name))
    assert failed == ["1 damaged.png", "9 damaged.png"]
    assert found.entropy == pytest.approx(mean_of(several[1]).entropy, rel=1e-5)
    with pytest.raises(ImageError, match="damaged"):
        statistics_over(tiny_vit, picture_files([tmp_path]))
    out = tmp_path / "heads.csv"
    options = ["--model", "test_vit", "--random", "--device", "cpu", "--out", str(out)]
    assert main(["statistics", str(tmp_path), *options]) == 1
    assert {row["pictures"] for row in csv.DictReader(out.open())} == {"3"}
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("vitviz: ")]
    assert "go on" in said[0] and "1 damaged.png" in said[0]
    assert "1 damaged.png" in said[1] and "9 damaged.png" in said[2]
    assert said[3] == "vitviz: Mean over 3 pictures, 2 failed."


def test_where_every_picture_fails_nothing_is_written(capsys, tmp_path):
    out = tmp_path / "heads.csv"
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"nothing")
    assert main(["statistics", str(tmp_path), "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "a.png" in said and "b.png" in said and "No picture could be looked at" in said and not out.exists()
    assert main(["statistics", str(tmp_path / "a.png"), "--out", str(out)]) == 1
    assert [line.split()[:2] for line in capsys.readouterr().err.splitlines()][-1] == ["vitviz:", "a.png"]
