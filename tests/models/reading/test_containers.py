"""Every container reads to the same tensors; folders, shards, real files; cancelling and full memory leave nothing."""

import gc
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vitviz.errors import Cancelled, SourceError
from vitviz.models.reading import containers, folders
from vitviz.models.reading.containers import read_checkpoint

NAMES = ("cls_token", "pos_embed", "blocks.0.attn.qkv.weight", "norm.weight", "head.weight")


def weights():
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(3, 4, generator=generator) for name in NAMES}


def numpy_archive(tensors, path):
    with Path(path).open("wb") as stream:
        np.savez(stream, **{name: value.numpy() for name, value in tensors.items()})


WRITERS = {
    "safetensors": save_file,
    "torch zip": torch.save,
    "torch legacy": lambda tensors, path: torch.save(tensors, path, _use_new_zipfile_serialization=False),
    "numpy archive": numpy_archive,
}


@pytest.mark.parametrize("container", WRITERS)
@pytest.mark.parametrize("name", ["w.pt", "w.safetensors", "w.npz", "w.bin", "w", "w.zip"])
def test_a_container_is_told_by_its_bytes_not_its_name(container, name, tmp_path):
    path = tmp_path / name
    WRITERS[container](weights(), path)
    checkpoint = read_checkpoint(path)
    assert checkpoint.container == container and checkpoint.path == path
    assert checkpoint.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    found = checkpoint.networks[0].tensors
    assert set(found) == set(NAMES) and all(torch.equal(found[k], v) for k, v in weights().items())


@pytest.mark.parametrize("container", WRITERS)
def test_rewriting_or_cutting_the_file_leaves_the_weights_alone(container, tmp_path):
    path = tmp_path / "w.pt"
    WRITERS[container](weights(), path)
    found = read_checkpoint(path).networks[0].tensors
    path.write_bytes(b"")
    assert all(torch.equal(found[k], v) for k, v in weights().items())
    if sys.platform == "linux":
        assert str(path) not in Path("/proc/self/maps").read_text()


def test_metadata_of_safetensors_is_config(tmp_path):
    save_file(weights(), tmp_path / "w.safetensors", {"format": "pt", "arch": "vit"})
    assert read_checkpoint(tmp_path / "w.safetensors").config == {"format": "pt", "arch": "vit"}


def test_the_optimiser_in_a_numpy_archive_is_left_out(tmp_path):
    numpy_archive({"params/a": torch.ones(2), "params/b": torch.ones(2), "opt/0/a": torch.ones(2)}, tmp_path / "w.npz")
    checkpoint = read_checkpoint(tmp_path / "w.npz")
    assert list(checkpoint.networks[0].tensors) == ["params/a", "params/b"]
    assert any("optimiser" in note for note in checkpoint.notes)


class TestFolders:
    @pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "my_vit.pth", "x.npz"])
    def test_weights_and_configs_of_a_folder(self, name, tmp_path):
        kind = {".safetensors": "safetensors", ".npz": "numpy archive"}.get(Path(name).suffix, "torch zip")
        WRITERS[kind](weights(), tmp_path / name)
        (tmp_path / "config.json").write_text('{"num_attention_heads": 3}')
        (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0.5]}')
        for path in (tmp_path, tmp_path / name):
            checkpoint = read_checkpoint(path)
            assert checkpoint.folder == {"num_attention_heads": 3, "preprocessor": {"image_mean": [0.5]}}
            assert set(checkpoint.networks[0].tensors) == set(NAMES)

    def test_safetensors_go_before_pickles(self, tmp_path):
        save_file(weights(), tmp_path / "model.safetensors")
        (tmp_path / "pytorch_model.bin").write_bytes(b"never read")
        assert read_checkpoint(tmp_path).container == "safetensors"

    def test_a_broken_config_beside_a_named_file_is_noted(self, tmp_path):
        torch.save(weights(), tmp_path / "w.pth")
        (tmp_path / "config.json").write_text("[")
        checkpoint = read_checkpoint(tmp_path / "w.pth")
        assert checkpoint.folder == {} and any("left out" in note and "JSON" in note for note in checkpoint.notes)
        with pytest.raises(SourceError, match="can't be read as JSON"):
            read_checkpoint(tmp_path)

    @pytest.mark.parametrize("kind", ["safetensors", "torch zip"])
    def test_shards_are_put_together(self, kind, tmp_path):
        items = list(weights().items())
        suffix = "safetensors" if kind == "safetensors" else "bin"
        stem = "model" if kind == "safetensors" else "pytorch_model"
        parts = {f"{stem}-1.{suffix}": dict(items[:2]), f"{stem}-2.{suffix}": dict(items[2:])}
        for name, part in parts.items():
            WRITERS[kind](part, tmp_path / name)
        index = tmp_path / f"{stem}.{suffix}.index.json"
        index.write_text(json.dumps({"weight_map": {key: name for name, part in parts.items() for key in part}}))
        for path in (tmp_path, index):
            found = read_checkpoint(path).networks[0].tensors
            assert set(found) == set(NAMES) and all(torch.equal(found[k], v) for k, v in items)
        with pytest.raises(SourceError, match="memory budget"):
            read_checkpoint(tmp_path, budget=(tmp_path / next(iter(parts))).stat().st_size + 10)

    def test_a_config_named_as_weights_points_to_its_folder(self, tmp_path):
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(SourceError, match="open its folder"):
            read_checkpoint(tmp_path / "config.json")

    def test_a_name_that_is_no_path(self):
        with pytest.raises(SourceError, match="no path"):
            read_checkpoint(Path("a\0b"))

    def test_configs_larger_than_the_cap(self, tmp_path, monkeypatch):
        monkeypatch.setattr(folders, "MAX_JSON", 10)
        (tmp_path / "x.json").write_text(json.dumps({"a": 10**10}))
        with pytest.raises(SourceError, match="too large for a config"):
            folders.read_object(tmp_path / "x.json")


class TestRealFiles:
    def files(self, shared):
        folder = shared / "checkpoints"
        return folder, json.loads((folder / "expected.json").read_text())

    def test_all_read_but_the_program(self, shared):
        folder, expected = self.files(shared)
        for name in expected:
            if name.endswith("torchscript.pt"):
                with pytest.raises(SourceError, match=r"TorchScript program.*save the state_dict"):
                    read_checkpoint(folder / name)
            else:
                assert read_checkpoint(folder / name).networks[0].tensors, name

    def test_twins_with_the_same_names_hold_the_same_tensors(self, shared):
        folder = shared / "checkpoints/twins_cifar10"
        plain = torch.load(folder / "timm_plain.pth", weights_only=True)
        compared = 0
        for path in sorted(folder.iterdir()):
            if path.suffix in (".json", "") or path.name in ("expected.pt", "torchscript.pt"):
                continue
            found = read_checkpoint(path).networks[0].tensors
            shared_names = set(found) & set(plain)
            tolerance = 1e-3 if "fp16" in path.name else 0
            for name in shared_names:
                torch.testing.assert_close(found[name].float(), plain[name], atol=tolerance, rtol=tolerance)
            compared += len(shared_names) >= 54
        assert compared >= 7

    def test_what_they_say_beside_their_weights(self, shared):
        folder = shared / "checkpoints"
        twin = read_checkpoint(folder / "twins_cifar10/deit_style_checkpoint.pth")
        assert twin.config["args"] == {"model": "vit_custom", "input_size": 32} and "argparse.Namespace" in twin.ignored
        dino = read_checkpoint(folder / "twins_cifar10/dino_style_checkpoint.pth")
        assert [network.name for network in dino.networks] == ["teacher", "student"]
        lightning = read_checkpoint(folder / "twins_cifar10/lightning_style.ckpt")
        assert lightning.config["hyper_parameters"]["num_heads"] == 4
        hub = read_checkpoint(folder / "twins_cifar10/hf_vit_dir")
        assert hub.folder["model_type"] == "vit" and "image_mean" in hub.folder["preprocessor"]
        own = read_checkpoint(folder / "own_shapes/vit_shapes64.pth")
        assert len(own.config["classes"]) == 6


class TestStopping:
    def test_cancelling_at_any_step_leaves_nothing(self, tmp_path, monkeypatch):
        monkeypatch.setattr(containers, "CHUNK", 64)
        for container, write in WRITERS.items():
            path = tmp_path / "w.pt"
            write(weights(), path)
            steps = []
            read_checkpoint(path, progress=lambda fraction, text, steps=steps: steps.append((fraction, text)))
            assert len(steps) > 5 and all(fraction is None or 0 <= fraction <= 1 for fraction, _ in steps)
            gc.collect()
            handles = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
            before = {id(thing) for thing in gc.get_objects() if type(thing) is torch.Tensor}
            for stop in range(len(steps)):
                left = [stop]

                def cancel(left=left):
                    left[0] -= 1
                    return left[0] < 0

                with pytest.raises(Cancelled) as error:
                    read_checkpoint(path, cancel=cancel)
                assert error.value.__context__ is None, container
            gc.collect()
            assert not [t for t in gc.get_objects() if type(t) is torch.Tensor and id(t) not in before]
            # Others' handles may have gone meanwhile; ours must not have come.
            assert handles >= (len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0)
            assert os.listdir(tmp_path) == ["w.pt"]

    def test_an_error_holds_nothing_of_the_file(self, tmp_path):
        path = tmp_path / "w.pt"
        torch.save({"epoch": 3}, path)
        with pytest.raises(SourceError) as error:
            read_checkpoint(path)
        frames = [entry.frame for entry in error.traceback][1:]
        assert [frame.code.name for frame in frames] == ["read_checkpoint"]
        assert not [v for frame in frames for v in frame.f_locals.values() if isinstance(v, bytes | dict | list)]

    @pytest.mark.parametrize("container", WRITERS)
    def test_full_memory_is_a_sentence(self, container, tmp_path, monkeypatch):
        def full(*args, **kwargs):
            raise MemoryError

        path = tmp_path / "w.pt"
        WRITERS[container](weights(), path)
        monkeypatch.setattr(containers, "unwrap", full)
        with pytest.raises(SourceError, match="more memory than is free"):
            read_checkpoint(path)

    @pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is not held elsewhere")
    def test_a_limit_on_memory_is_a_sentence_and_the_next_file_opens(self, tmp_path):
        big, small = tmp_path / "big.pth", tmp_path / "small.pth"
        torch.save({"a": torch.zeros(2**26), "b": torch.zeros(3)}, big)  # 256 MB
        torch.save(weights(), small)
        code = f"""
import resource, sys
from pathlib import Path
import torch
from vitviz.errors import SourceError
from vitviz.models.reading.containers import read_checkpoint
read_checkpoint(Path({str(small)!r}))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
for room in (100, 400):
    resource.setrlimit(resource.RLIMIT_AS, (used + room * 2**20, resource.RLIM_INFINITY))
    try:
        read_checkpoint(Path({str(big)!r}))
        print("opened")
    except SourceError as error:
        print(error)
    assert read_checkpoint(Path({str(small)!r})).networks
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("needs more memory than is free") == 2, done.stdout
