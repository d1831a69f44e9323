"""`vitviz dataset`: one row for each picture, layer and head, here and on Ray alike."""

import io

import numpy as np
import pyarrow.parquet
import pytest
from cli_cases import ARCHITECTURE, write_checkpoint, write_picture

import vitviz
from vitviz import cli


@pytest.fixture(scope="module")
def album(tmp_path_factory, sharp):
    folder = tmp_path_factory.mktemp("album")
    for i in range(3):
        write_picture(folder / f"{i} ü.png", seed=i)
    (folder / "broken.png").write_bytes(b"\x89PNG nothing")
    return folder, write_checkpoint(folder / "weights.safetensors", sharp)


def dataset(album, out, *options):
    named = ["--model", str(album[1]), "--architecture", ARCHITECTURE, "--device", "cpu", "--out", str(out)]
    return cli.main(["dataset", str(album[0]), *named, *options])


def table(path):
    return pyarrow.parquet.read_table(io.BytesIO(path.read_bytes())).to_pylist()


@pytest.fixture(scope="module")
def local(album, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "heads.parquet"
    assert dataset(album, out, "--ablation") == 1  # one picture is broken
    return table(out)


def test_rows_are_those_of_the_api(album, local, capsys):
    assert len(local) == 3 * 6 * 2
    model = vitviz.load_model(album[1], architecture=ARCHITECTURE, device="cpu")
    for i in range(3):
        trace = vitviz.trace(model, vitviz.read_image(album[0] / f"{i} ü.png"))
        distance, entropy = vitviz.attention_distance(trace), vitviz.attention_entropy(trace)
        change = vitviz.head_ablation(model, trace.image)
        rows = [row for row in local if row["picture"] == f"{i} ü.png"]
        assert [(r["layer"], r["head"]) for r in rows] == [(la, h) for la in range(6) for h in range(2)]
        for row in rows:
            at = row["layer"], row["head"]
            assert row["distance_vit_px"] == pytest.approx(float(distance[at]), rel=1e-4)
            assert row["entropy_nats"] == pytest.approx(float(entropy[at]), rel=1e-4)
            assert row["ablation_logit"] == pytest.approx(float(change[at]), abs=1e-4)
            assert row["sha256"] == trace.image.sha256 and row["target"] == int(trace.logits.argmax())


def test_broken_picture_is_said_and_has_no_row(album, tmp_path, capsys):
    assert dataset(album, tmp_path / "t.parquet") == 1
    said = capsys.readouterr()
    assert "broken.png" in said.err and said.err.count("\n") == 1
    assert {row["picture"] for row in table(tmp_path / "t.parquet")} == {"0 ü.png", "1 ü.png", "2 ü.png"}


def test_ray_run_equals_the_local_one(album, local, tmp_path):
    pytest.importorskip("ray.data", reason="ray is an extra of its own")
    assert dataset(album, tmp_path / "ray.parquet", "--ablation", "--engine", "ray", "--workers", "2") == 1
    found = table(tmp_path / "ray.parquet")
    assert [list(row) for row in found] == [list(row) for row in local]
    for one, other in zip(found, local, strict=True):
        for name, value in one.items():
            if isinstance(value, float):
                assert np.isclose(value, other[name], rtol=1e-5, atol=1e-6, equal_nan=True), name
            else:
                assert value == other[name], name


def test_nothing_readable_writes_nothing(tmp_path, capsys):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    assert cli.main(["dataset", str(tmp_path / "broken.png"), "--out", str(tmp_path / "t.parquet")]) == 1
    assert not (tmp_path / "t.parquet").exists()
