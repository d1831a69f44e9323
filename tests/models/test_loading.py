"""What is loaded has timm's own logits; what can't be loaded is refused in one sentence and runs nothing."""

import gc
import io
import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed, resample_patch_embed
from timm.models import save_for_hf

from vitviz.attention.trace import trace
from vitviz.errors import Cancelled, ImageError, ModelError, SourceError
from vitviz.models.loading import load_model

ARCHITECTURE = "test_vit"
DEMO = Path(__file__).parents[2] / "resources" / "demo"


@pytest.fixture(scope="session")
def network(sharp):
    """A test_vit of 6 classes with weights of its own."""
    return sharp(timm.create_model(ARCHITECTURE, num_classes=6), 4)


@pytest.fixture(scope="session")
def folder(network, tmp_path_factory):
    """The folder that timm itself writes for the hub."""
    path = tmp_path_factory.mktemp("saved") / "mine"
    names = [f"label {i}" for i in range(6)]
    save_for_hf(network, path, model_config={"label_names": names}, safe_serialization=True)
    return path


@pytest.fixture(scope="session")
def view():
    """A batch of one view, 160 x 160."""
    return torch.randn(1, 3, 160, 160, generator=torch.Generator().manual_seed(2))


def logits(module, view):
    with torch.no_grad():
        return module(view)


def one_sentence(error):
    text = str(error.value)
    assert "\n" not in text and text.endswith((".", ")", "?")) and 20 < len(text) < 600, text
    return text


class TestRoundTrips:
    def same(self, source, network, view, **options):
        model = load_model(source, **options)
        assert not model.module.training and not model.random
        torch.testing.assert_close(logits(model.module, view), logits(network, view), atol=0, rtol=0)
        return model

    def test_a_folder_as_timm_writes_it_with_its_labels(self, folder, network, view):
        model = self.same(folder, network, view)
        assert model.architecture == ARCHITECTURE and model.name == "mine"
        assert model.labels == tuple(f"label {i}" for i in range(6))
        assert model.prefix_tokens == ("cls",)

    def test_the_weights_file_inside_such_a_folder(self, folder, network, view):
        assert self.same(folder / "model.safetensors", network, view).architecture == ARCHITECTURE

    def test_bare_safetensors(self, network, view, tmp_path):
        save_file(network.state_dict(), tmp_path / "weights.safetensors")
        model = self.same(tmp_path / "weights.safetensors", network, view, architecture=ARCHITECTURE)
        assert model.labels == () and model.label(3) == "class 3"

    def test_a_bare_file_that_does_not_say_its_architecture(self, network, view, tmp_path):
        save_file(network.state_dict(), tmp_path / "w.safetensors")
        model = self.same(tmp_path / "w.safetensors", network, view, num_heads=2)
        assert any(f.topic == "heads" and "said by you" in f.text for f in model.report)
        assert any(f.topic == "recognised" and ARCHITECTURE in f.text for f in model.report)

    def test_a_whole_module_whose_attributes_tell_the_heads(self, network, view, tmp_path):
        torch.save(network, tmp_path / "module.pt")
        model = self.same(tmp_path / "module.pt", network, view)
        assert any(f.topic == "ignored" and "timm" in f.text for f in model.report)

    @pytest.mark.parametrize("suffix", ["pth", "pt", "bin", "ckpt"])
    def test_a_torch_file(self, suffix, network, view, tmp_path):
        torch.save(network.state_dict(), tmp_path / f"w.{suffix}")
        self.same(tmp_path / f"w.{suffix}", network, view, architecture=ARCHITECTURE)

    def test_the_torch_format_of_before_2020(self, network, view, tmp_path):
        torch.save(network.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
        self.same(tmp_path / "old.pth", network, view, architecture=ARCHITECTURE)

    @pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict", "state_dict_ema", "model_ema"])
    def test_a_training_checkpoint_around_the_weights(self, wrapper, network, view, tmp_path):
        torch.save({wrapper: network.state_dict(), "epoch": 7, "lr": 1e-3}, tmp_path / "w.pth")
        model = self.same(tmp_path / "w.pth", network, view, architecture=ARCHITECTURE)
        assert wrapper in str(model.report)

    @pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model."])
    def test_names_with_a_wrappers_prefix(self, prefix, network, view, tmp_path):
        torch.save({prefix + k: v for k, v in network.state_dict().items()}, tmp_path / "w.pth")
        self.same(tmp_path / "w.pth", network, view, architecture=ARCHITECTURE)

    def test_the_file_may_go_once_it_is_loaded(self, network, view, tmp_path):
        save_file(network.state_dict(), tmp_path / "w.safetensors")
        model = load_model(tmp_path / "w.safetensors", architecture=ARCHITECTURE)
        (tmp_path / "w.safetensors").write_bytes(b"\0" * 100)
        torch.testing.assert_close(logits(model.module, view), logits(network, view), atol=0, rtol=0)


class TestRandom:
    def test_random_weights_are_marked(self):
        model = load_model(ARCHITECTURE, pretrained=False)
        assert model.random and not model.module.training
        assert any(f.certainty == "warning" and "random" in f.text for f in model.report)

    def test_a_traced_random_model_has_imagenet_labels(self, picture):
        model = load_model(ARCHITECTURE, pretrained=False)
        assert len(model.labels) == 1000 and model.label(0) == "tench"
        assert trace(model, picture).top_k(1)[0][0] in model.labels

    def test_sizes_and_heads_are_taken(self, picture):
        model = load_model(ARCHITECTURE, pretrained=False, image_size=(96, 128), patch_size=32, num_heads=4)
        traced = trace(model, picture)
        assert model.preprocess(picture).shape == (1, 3, 96, 128)
        assert model.patch_size == (32, 32)
        assert {(layer.grid.shape, layer.num_heads) for layer in traced.layers} == {((3, 4), 4)}

    def test_half_precision(self, picture):
        model = load_model(ARCHITECTURE, pretrained=False, precision="bfloat16")
        assert {p.dtype for p in model.module.parameters()} == {torch.bfloat16}
        assert trace(model, picture).logits.dtype == np.float32


class TestResampling:
    def test_a_rectangular_view_is_resampled_as_timm_does(self, folder, network):
        model = load_model(folder, image_size=(96, 160))
        overlay = {"file": str(folder / "model.safetensors"), "num_classes": 6}
        theirs = timm.create_model(
            ARCHITECTURE, pretrained=True, pretrained_cfg_overlay=overlay, img_size=(96, 160), num_classes=6
        ).eval()
        expected = resample_abs_pos_embed(network.pos_embed, (6, 10), num_prefix_tokens=1)
        torch.testing.assert_close(model.module.pos_embed, expected, atol=0, rtol=0)
        view = torch.randn(1, 3, 96, 160, generator=torch.Generator().manual_seed(3))
        torch.testing.assert_close(logits(model.module, view), logits(theirs, view), atol=0, rtol=0)
        assert model.preprocessing.input_size == (96, 160)
        assert any(f.topic == "resampled" and f.certainty == "converted" for f in model.report)

    @pytest.mark.parametrize("patch", [8, 20, 32])
    def test_another_patch_size_is_resampled_as_timm_does(self, patch, folder, network):
        model = load_model(folder, patch_size=patch)
        weight = network.patch_embed.proj.weight
        torch.testing.assert_close(
            model.module.patch_embed.proj.weight, resample_patch_embed(weight, [patch, patch]), atol=1e-6, rtol=0
        )
        grid = (160 // patch, 160 // patch)
        expected = resample_abs_pos_embed(network.pos_embed, grid, num_prefix_tokens=1)
        torch.testing.assert_close(model.module.pos_embed, expected, atol=1e-6, rtol=0)
        assert model.patch_size == (patch, patch)

    def test_the_models_own_size_changes_nothing(self, folder, network, view):
        model = load_model(folder, image_size=160, patch_size=16)
        torch.testing.assert_close(logits(model.module, view), logits(network, view), atol=1e-5, rtol=0)


class TestDemo:
    @pytest.mark.parametrize("name", ["demo", "demo-swin"])
    def test_it_opens_with_labels_and_can_be_traced(self, name, picture):
        if not (DEMO / name / "model.safetensors").is_file():
            pytest.skip("the demo network is not trained yet")
        model = load_model(name)
        assert model.name == name and not model.random
        assert len(model.labels) == model.module.num_classes > 1
        traced = trace(model, picture)
        assert traced.error < 1e-4 and traced.gaps == ()
        assert sum(share for _, share in traced.top_k(99)) == pytest.approx(1, abs=1e-5)


class TestProgressAndCancel:
    def test_progress_goes_from_zero_up(self, folder):
        seen = []
        load_model(folder, progress=lambda fraction, text: seen.append((fraction, text)))
        fractions = [f for f, _ in seen if f is not None]
        assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] > 0.8
        assert all(text for _, text in seen)

    def test_cancelled_at_any_step_it_leaves_no_tensor(self, network, tmp_path):
        path = tmp_path / "w.pth"
        torch.save(network.state_dict(), path)
        steps = []
        load_model(path, num_heads=2, progress=lambda fraction, text: steps.append(text))
        assert len(steps) >= 8 and any("Building" in text for text in steps) and any("Moving" in text for text in steps)
        gc.collect()
        before = {id(thing) for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)}
        for stop in range(len(steps)):
            left = [stop]

            def cancel(left=left):
                left[0] -= 1
                return left[0] < 0

            with pytest.raises(Cancelled):
                load_model(path, num_heads=2, cancel=cancel)
        gc.collect()
        assert not [t for t in gc.get_objects() if issubclass(type(t), torch.Tensor) and id(t) not in before]


class Evil:
    """A pickle that makes a file when it is read by pickle."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def truncated_zip(path, network):
    torch.save(network.state_dict(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def truncated_safetensors(path, network):
    save_file(network.state_dict(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def deflated(path, network):
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))


def one_deflated(path, network):
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for member in old.infolist():
            deflated = zipfile.ZIP_DEFLATED if member.filename.endswith("data.pkl") else zipfile.ZIP_STORED
            new.writestr(member.filename, old.read(member), deflated)
        for i in range(500):  # the headers of these make the sizes add up
            new.writestr(f"archive/filling{i}", b"0")


def torchscript(path, network):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02}.")
        archive.writestr("net/code/__torch__.py", b"class Net(Module):\n  pass\n")
        archive.writestr("net/version", b"3\n")


BAD = {
    "empty": (lambda p, n: p.write_bytes(b""), "is empty"),
    "lfs": (
        lambda p, n: p.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        "Git LFS pointer.*git lfs pull",
    ),
    "html": (lambda p, n: p.write_text("\n <!DOCTYPE html><html>Sign in</html>"), "is a web page"),
    "png": (lambda p, n: p.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 99), "is a picture"),
    "jpeg": (lambda p, n: p.write_bytes(b"\xff\xd8\xff\xe0" + b"\0" * 99), "is a picture"),
    "truncated zip": (truncated_zip, "damaged or cut-off"),
    "truncated safetensors": (truncated_safetensors, "damaged.*fetch it again"),
    "torchscript": (torchscript, "TorchScript program.*state_dict"),
    "deflated zip": (deflated, "compressed members"),
    "one deflated member": (one_deflated, "compressed members"),
    "garbage": (lambda p, n: p.write_bytes(bytes(range(256)) * 20), "can't be read as weights.*state_dict"),
    "text": (lambda p, n: p.write_text("epoch,loss\n1,0.5\n"), "can't be read as weights"),
    "no tensors": (lambda p, n: torch.save({"epoch": 3, "name": "x"}, p), "no tensors by name"),
    "a list": (lambda p, n: torch.save([torch.zeros(3)], p), "no tensors by name"),
    "broadcast": (
        lambda p, n: torch.save({"pos_embed": torch.zeros(1).expand(4096, 4096, 4096)}, p),
        "no plain array",
    ),
}


class TestRefused:
    @pytest.mark.parametrize("kind", BAD)
    def test_files_that_are_no_weights(self, kind, network, tmp_path):
        write, says = BAD[kind]
        path = tmp_path / "weights.pt"
        write(path, network)
        with pytest.raises(SourceError, match=says) as error:
            load_model(path, architecture=ARCHITECTURE)
        assert "weights.pt" in one_sentence(error)

    @pytest.mark.parametrize("protocol", [0, 2, 4])
    def test_a_pickle_with_a_command_is_not_run(self, protocol, tmp_path):
        marker, path = tmp_path / "ran", tmp_path / "weights.pkl.pt"
        for write in (
            lambda: path.write_bytes(pickle.dumps(Evil(marker), protocol=protocol)),
            lambda: torch.save({"w": torch.zeros(3), "evil": Evil(marker)}, path, pickle_protocol=max(protocol, 2)),
            lambda: torch.save(Evil(marker), path, _use_new_zipfile_serialization=False),
        ):
            write()
            # What is left of such a file once its objects are inert is no test_vit.
            with pytest.raises((SourceError, ModelError)):
                load_model(path, architecture=ARCHITECTURE)
            assert not marker.exists()
        pickle.loads(pickle.dumps(Evil(marker)))
        assert marker.exists(), "the command of this test would not have made its file"

    def test_a_real_torchscript_file(self, shared):
        with pytest.raises(SourceError, match="TorchScript"):
            load_model(shared / "checkpoints/twins_cifar10/torchscript.pt", architecture=ARCHITECTURE)

    def test_what_is_not_there(self, tmp_path):
        for source in (tmp_path / "none.pth", "./none", "~/no/such/folder", "a/b/c", "none.safetensors"):
            with pytest.raises(SourceError, match="no file or folder") as error:
                load_model(source)
            one_sentence(error)

    def test_a_file_that_may_not_be_read(self, network, tmp_path, bound_by_modes):
        path = tmp_path / "w.pth"
        torch.save(network.state_dict(), path)
        path.chmod(0)
        with pytest.raises(SourceError, match="Permission"):
            load_model(path, architecture=ARCHITECTURE)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
    def test_a_named_pipe_is_refused_at_once(self, tmp_path):
        os.mkfifo(tmp_path / "w.pth")
        with pytest.raises(SourceError, match="no regular file") as error:
            load_model(tmp_path / "w.pth", architecture=ARCHITECTURE)
        one_sentence(error)

    def test_weights_of_another_architecture(self, network, tmp_path):
        save_file(network.state_dict(), tmp_path / "w.safetensors")
        for other in ("vit_tiny_patch16_224", "test_resnet", "test_vit2"):
            with pytest.raises(ModelError, match=f"don't fit {other}") as error:
                load_model(tmp_path / "w.safetensors", architecture=other)
            one_sentence(error)

    def test_weights_with_one_missing_or_one_too_many(self, network, tmp_path):
        tensors = network.state_dict()
        short = {k: v for k, v in tensors.items() if k != "blocks.1.attn.qkv.weight"}
        long = {**tensors, "blocks.1.attn.extra": torch.zeros(3)}
        for weights, names in ((short, "blocks.1.attn.qkv.weight"), (long, "blocks.1.attn.extra")):
            save_file(weights, tmp_path / "w.safetensors")
            with pytest.raises(ModelError, match=names) as error:
                load_model(tmp_path / "w.safetensors", architecture=ARCHITECTURE)
            one_sentence(error)


class TestFolders:
    @pytest.fixture
    def copy(self, folder, tmp_path):
        """The folder again, to be spoilt."""
        return Path(shutil.copytree(folder, tmp_path / "copy"))

    def refused(self, path, says, kind=SourceError, **options):
        with pytest.raises(kind, match=says) as error:
            load_model(path, **options)
        one_sentence(error)

    def config(self, copy, **changes):
        config = json.loads((copy / "config.json").read_text())
        config.update(changes)
        (copy / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not ...}))

    def test_without_a_config(self, copy):
        (copy / "config.json").unlink()
        assert load_model(copy).architecture == ARCHITECTURE

    def test_without_weights(self, copy):
        (copy / "model.safetensors").unlink()
        self.refused(copy, "holds no weights.*model.safetensors")

    @pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "\xff\xfe", "[" * 100_000])
    def test_with_a_config_that_is_no_object(self, text, copy):
        (copy / "config.json").write_bytes(text.encode("latin1"))
        self.refused(copy, "JSON")

    def test_with_a_huge_config(self, copy):
        (copy / "config.json").write_bytes(b" " * (9 * 2**20))
        self.refused(copy, "too large")

    def test_without_an_architecture(self, copy):
        self.config(copy, architecture=...)
        assert load_model(copy).architecture == ARCHITECTURE
        assert load_model(copy, architecture=ARCHITECTURE).architecture == ARCHITECTURE

    def test_with_an_architecture_that_does_not_exist(self, copy):
        self.config(copy, architecture="test_vitt")
        self.refused(copy, r"'test_vitt'.*did you mean.*test_vit")

    @pytest.mark.parametrize("changes", [{"label_names": "cat"}, {"label_names": [1, 2]}, {"model_args": 3}])
    def test_with_fields_of_the_wrong_kind(self, changes, copy):
        self.config(copy, **changes)
        self.refused(copy, "must be")

    def test_with_arguments_that_are_not_for_a_file_to_give(self, copy):
        self.config(copy, model_args={"pretrained_cfg": {"file": "/etc/passwd"}, "checkpoint_path": "/etc/passwd"})
        self.refused(copy, "unknown model_args checkpoint_path, pretrained_cfg")

    def test_places_in_its_config_are_never_fetched(self, copy, network, view, monkeypatch):
        import socket

        def refuse(*args, **kwargs):
            raise AssertionError("a folder made vitviz open a connection")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        config = json.loads((copy / "config.json").read_text())
        places = {
            "url": "http://127.0.0.1:9/x", "hf_hub_id": "evil/model", "hf_hub_filename": "x.bin",
            "file": "/etc/passwd", "custom_load": True, "source": "hf-hub",
        }  # fmt: skip
        self.config(copy, pretrained_cfg={**config["pretrained_cfg"], **places})
        torch.testing.assert_close(logits(load_model(copy).module, view), logits(network, view), atol=0, rtol=0)

    def test_preprocessing_is_that_of_the_config(self, copy):
        config = json.loads((copy / "config.json").read_text())["pretrained_cfg"]
        self.config(copy, pretrained_cfg={**config, "mean": [0.1, 0.2, 0.3], "std": [0.4] * 3, "crop_pct": 0.5})
        found = load_model(copy).preprocessing
        assert found.mean == (0.1, 0.2, 0.3) and found.std == (0.4,) * 3 and found.crop_pct == 0.5
        assert load_model(copy, crop="squash").preprocessing.crop_mode == "squash"

    @pytest.mark.parametrize(
        "changes",
        [
            {"mean": "abc"}, {"mean": [0.5, None, 0.5]}, {"std": [0, 0, 0]}, {"crop_pct": -1}, {"crop_pct": "x"},
            {"interpolation": "x"}, {"interpolation": 3}, {"crop_mode": "x"}, {"input_size": [3]},
            {"input_size": "abc"}, {"first_conv": [1]},
        ],
        ids=str,
    )  # fmt: skip
    def test_preprocessing_that_no_view_can_have(self, changes, copy):
        config = json.loads((copy / "config.json").read_text())["pretrained_cfg"]
        self.config(copy, pretrained_cfg={**config, **changes})
        with pytest.raises((SourceError, ModelError, ImageError)) as error:
            load_model(copy)
        one_sentence(error)


class TestNames:
    def test_a_misspelt_name_is_answered_with_near_ones(self):
        with pytest.raises(SourceError, match=r"'vit_base_patch16_242'.*did you mean.*vit_base_patch16_224") as error:
            load_model("vit_base_patch16_242")
        one_sentence(error)

    def test_a_name_like_nothing_is_sent_to_the_list(self):
        with pytest.raises(SourceError, match="vitviz models") as error:
            load_model("qqqqzzzz")
        one_sentence(error)

    def test_an_unknown_tag_is_answered_with_the_known_ones(self):
        with pytest.raises(SourceError, match=r"no weights 'foo'.*r160_in1k") as error:
            load_model("test_vit.foo")
        one_sentence(error)

    def test_an_architecture_without_weights_says_so(self):
        with pytest.raises(SourceError, match="no weights on the hub") as error:
            load_model("vit_small_patch16_36x1_224")
        one_sentence(error)

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"device": "cuda:99"}, "no device 'cuda:99'"),
            ({"precision": "int3"}, "precision 'int3'"),
            ({"crop": "middle"}, "crop 'middle'"),
            ({"image_size": 0}, "1 to 8192"),
            ({"image_size": (3, 4, 5)}, "1 to 8192"),
            ({"patch_size": 1.5}, "1 to 8192"),
            ({"num_heads": 7}, "7 heads don't divide the width of test_vit"),
            ({"num_heads": 0}, "number of heads"),
            ({"num_heads": "two"}, "number of heads"),
        ],
    )
    def test_options_that_can_not_be(self, options, says):
        with pytest.raises(ModelError, match=says) as error:
            load_model(ARCHITECTURE, pretrained=False, **options)
        one_sentence(error)

    def test_an_architecture_that_takes_no_other_patch_size_says_so(self):
        with pytest.raises(ModelError, match="may not take another") as error:
            load_model("test_resnet", pretrained=False, patch_size=8)
        one_sentence(error)
