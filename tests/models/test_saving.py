"""A saved folder opens without any assumption and gives the same logits, from whatever naming the weights came."""

import json
import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from vitviz.errors import FileError, ModelError, SourceError
from vitviz.models.loading import load_model
from vitviz.models.saving import save_model
from vitviz.models.unknown.plain_vit import PlainViT

sys.path.insert(0, str(Path(__file__).parent / "unknown"))
import references


def logits(model):
    height, width = model.preprocessing.input_size
    view = torch.randn(2, model.preprocessing.channels, height, width, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model.module(view)


def assumed(model):
    return [finding for finding in model.report if finding.certainty == "assumed"]


def guessed(model):
    """What is not certain, with the source that it was not certain of."""
    found = [finding for finding in model.report if finding.certainty in ("assumed", "inferred")]
    return {(f.topic, f.text, f.certainty, f.since or model.name) for f in found}


def same_again(first, folder):
    """Save, open again, compare; the second model."""
    assert save_model(first, folder) == folder
    again = load_model(folder)
    torch.testing.assert_close(logits(again), logits(first), atol=0, rtol=0)
    # Nothing is guessed anew, and what was a guess is still called one.
    assert guessed(again) == guessed(first)
    assert all(finding.since for finding in again.report if finding.certainty in ("assumed", "inferred"))
    assert again.preprocessing == first.preprocessing
    assert (again.labels, again.norm_eps, again.prefix_tokens) == (first.labels, first.norm_eps, first.prefix_tokens)
    assert again.default_query == first.default_query and again.patch_size == first.patch_size
    # Another round from there is the same file.
    twice = folder.parent / "twice"
    save_model(again, twice)
    assert findings_in(twice) == findings_in(folder)
    assert (twice / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    return again


def findings_in(folder):
    return json.loads((folder / "config.json").read_text())["vitviz"]["findings"]


@pytest.fixture
def written(tmp_path):
    """Writes a module's weights and opens them, with options."""

    def write(module, **options):
        path = tmp_path / "weights.safetensors"
        save_file({k: v.clone().contiguous() for k, v in module.state_dict().items()}, path)
        return load_model(path, **options)

    return write


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("vit_tiny_patch16_224", {"img_size": 64, "depth": 2, "embed_dim": 48, "num_heads": 3, "num_classes": 5}),
        ("test_vit", {}),
        ("deit3_small_patch16_224", {}),
        ("vit_small_patch14_reg4_dinov2", {}),
        ("swin_tiny_patch4_window7_224", {"embed_dim": 24, "depths": (1, 1), "num_heads": (1, 2), "img_size": 56}),
        ("eva02_tiny_patch14_224", {}),
    ],
)
def test_networks_of_timm(written, sharp, tmp_path, name, args):
    first = written(sharp(timm.create_model(name, **args), 2))
    same_again(first, tmp_path / "saved")


def test_timm_itself_opens_the_folder(written, sharp, tmp_path):
    first = written(sharp(timm.create_model("test_vit", num_classes=6), 2), labels=list("abcdef"))
    save_model(first, tmp_path / "saved")
    theirs = timm.create_model(f"local-dir:{tmp_path / 'saved'}", pretrained=True).eval()
    view = torch.randn(1, 3, 160, 160)
    with torch.no_grad():
        torch.testing.assert_close(theirs(view), first.module(view), atol=0, rtol=0)


def test_corrections_by_hand_are_kept(written, sharp, tmp_path):
    options = {"num_heads": 4, "mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6), "norm_eps": 1e-3, "image_size": 96}
    first = written(sharp(timm.create_model("test_vit", num_classes=3), 2), labels=["a", "b", "c"], **options)
    again = same_again(first, tmp_path / "saved")
    assert again.module.blocks[0].attn.num_heads == 4 and again.norm_eps == 1e-3
    assert again.preprocessing.mean == (0.1, 0.2, 0.3) and again.preprocessing.input_size == (96, 96)
    assert again.labels == ("a", "b", "c")


def test_guesses_stay_guesses_until_somebody_says_better(written, sharp, tmp_path):
    net = timm.create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, depth=2, embed_dim=40, num_heads=2)
    first = written(sharp(net, 2))
    topics = {finding.topic for finding in assumed(first)}
    assert "mean and std" in first.report.guess_words or "preprocessing" in topics
    save_model(first, tmp_path / "saved")
    again = load_model(tmp_path / "saved")
    lines = [str(finding) for finding in assumed(again)]
    assert lines and all("[assumed when saved from weights.safetensors" in line for line in lines)
    assert again.report.guess_words == first.report.guess_words
    better = load_model(tmp_path / "saved", num_heads=4, mean=(0.5,) * 3, std=(0.5,) * 3, norm_eps=1e-5)
    said = [finding for finding in better.report if "said by you" in finding.text]
    assert {"heads", "mean and std", "norm epsilon"} <= {finding.topic for finding in said}
    assert not {f.topic for f in better.report.guesses} & {"heads", "mean and std", "preprocessing", "norm epsilon"}


def test_real_files_of_many_formats(shared, tmp_path):
    twins = shared / "checkpoints" / "twins_cifar10"
    if not twins.is_dir():
        pytest.skip("no real files beside the repository")
    expected = torch.load(twins / "expected.pt", weights_only=True)
    for name in ("torchvision_vit.pth", "hf_disk_names.bin", "google_flax.npz", "hf_vit_dir", "timm_plain.pth"):
        again = same_again(load_model(twins / name, norm_eps=1e-5), tmp_path / name / "saved")
        with torch.no_grad():
            assert float((again.module(expected["input"]) - expected["logits"]).abs().max()) < 1e-4


def test_real_swins(shared, tmp_path):
    for name in ("swin_shapes64.pth", "swinv2_shapes64.pth"):
        path = shared / "checkpoints" / "own_shapes" / name
        if not path.is_file():
            pytest.skip("no real files beside the repository")
        same_again(load_model(path), tmp_path / name / "saved")


@pytest.mark.parametrize(
    ("module", "own"),
    [
        (lambda: references.Encoder(False, "relu", False), True), (lambda: references.Lucidrains(0), True),
        (lambda: references.Lucidrains(2), True), (references.Notes, False),
    ],
)  # fmt: skip
def test_networks_matched_by_structure(tmp_path, written, module, own):
    torch.manual_seed(0)
    first = written(module(), labels=list("abcde"))
    assert isinstance(first.module, PlainViT) == own and assumed(first)
    again = same_again(first, tmp_path / "saved")
    assert isinstance(again.module, PlainViT) == own


def test_random_weights_are_worth_no_file(tmp_path):
    model = load_model("test_vit", pretrained=False)
    with pytest.raises(ModelError, match="random weights"):
        save_model(model, tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def demo():
    return load_model("demo")


class TestFolders:
    def test_a_folder_with_files_is_left_as_it_is(self, demo, tmp_path):
        (tmp_path / "mine.txt").write_text("mine")
        with pytest.raises(FileError, match="not empty"):
            save_model(demo, tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]

    def test_a_file_of_that_name_is_left_as_it_is(self, demo, tmp_path):
        (tmp_path / "mine").write_text("mine")
        with pytest.raises(FileError, match="is a file"):
            save_model(demo, tmp_path / "mine")
        with pytest.raises(FileError, match=r"can't be made: .*mine is a file"):
            save_model(demo, tmp_path / "mine" / "new")

    def test_an_empty_folder_and_a_new_one_are_filled(self, demo, tmp_path):
        (tmp_path / "empty").mkdir()
        for folder in (tmp_path / "empty", tmp_path / "new" / "deep"):
            save_model(demo, folder)
            assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]

    def test_a_failure_on_the_way_leaves_nothing(self, demo, tmp_path, monkeypatch):
        from vitviz.models import saving

        def full(path, data):
            if path.name == "config.json":
                raise FileError("Could not write: the disk is full.")
            path.write_bytes(data)

        monkeypatch.setattr(saving, "write_bytes", full)
        with pytest.raises(FileError, match="full"):
            save_model(demo, tmp_path / "saved")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"findings": "none"}, {"findings": [{"topic": "heads"}]},
        {"findings": [{"topic": "heads", "text": "6", "certainty": "found", "since": "x"}]},
        {"norm_eps": 3.0}, {"norm_eps": {"norm": "x"}}, {"norm_eps": {"no such norm": 1e-5}}, {"mlp_layer": "os.open"},
    ],
)  # fmt: skip
def test_configs_that_were_changed_are_refused(tmp_path, change):
    save_model(load_model("demo"), tmp_path / "saved")
    config = json.loads((tmp_path / "saved" / "config.json").read_text())
    config["vitviz"] |= change
    (tmp_path / "saved" / "config.json").write_text(json.dumps(config))
    with pytest.raises((SourceError, ModelError)):
        load_model(tmp_path / "saved")


@pytest.mark.parametrize(
    "change",
    [
        {"depth": 10**9}, {"heads": 7}, {"width": "x"}, {"activation": "os"}, {"unknown": 1}, {"patch_size": [0, 8]},
        {"eps": float("1e300")}, {"head_hidden": ["x"]}, {"pre_norm": 1}, {"width": 8},
    ],
)  # fmt: skip
def test_plain_configs_that_were_changed_are_refused(tmp_path, written, change):
    save_model(written(references.Encoder(False, "relu", False)), tmp_path / "saved")
    config = json.loads((tmp_path / "saved" / "config.json").read_text())
    config["vitviz"]["plain_vit"] |= change
    (tmp_path / "saved" / "config.json").write_text(json.dumps(config))
    with pytest.raises((SourceError, ModelError)):
        load_model(tmp_path / "saved")
