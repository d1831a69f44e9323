"""Pickles read inertly: the same tensors as torch reads, attributes of modules, plain values, and nothing run."""

import argparse
import collections
import io
import pathlib
import pickle

import crafted
import numpy as np
import pytest
import torch
from torch import nn

from vitviz.errors import SourceError
from vitviz.models.reading import inert, machine, torch_files
from vitviz.models.reading.containers import read_checkpoint


class Settings(dict):
    """A dict with attributes, as Lightning's AttributeDict and many configs are."""


class Thing:
    """A class of a file that nobody else has."""

    def __init__(self):
        self.size, self.parts = 3, [1, 2]


class Slotted:
    __slots__ = ("x",)

    def __init__(self):
        self.x = 5


def opened(content, tmp_path, **options):
    torch.save(content, tmp_path / "w.pt", **options)
    return read_checkpoint(tmp_path / "w.pt")


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape
        assert torch.equal(found[name], tensor.detach()), name


CONTAINERS = [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}, {"pickle_protocol": 5}]


@pytest.fixture(params=CONTAINERS, ids=["zip", "legacy", "protocol 4", "protocol 5"])
def options(request):
    return request.param


@pytest.fixture(params=[True, False], ids=["torch first", "machine alone"])
def reader(request, monkeypatch):
    """Both readers must see the same in every file."""
    if not request.param:

        def refuse(*args):
            raise inert.Damaged("not asked")

        monkeypatch.setattr(torch_files, "load_with_torch", refuse)


class TestTensors:
    def test_every_dtype_and_layout(self, options, reader, tmp_path):
        base = torch.arange(24).reshape(4, 6)
        content = {
            str(dtype): base.to(dtype)
            for dtype in (
                torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.int16,
                torch.int8, torch.uint8, torch.bool, torch.complex64,
            )
        }  # fmt: skip
        content |= {
            "transposed": base.T,
            "part": base[1:3, ::2],
            "empty": torch.zeros(0, 3),
            "number": torch.tensor(2.5),
        }
        content |= {"tied": base, "parameter": nn.Parameter(torch.ones(3)), "one": torch.zeros(1).expand(1, 1)}
        assert_same(opened(content, tmp_path, **options).networks[0].tensors, content)

    def test_views_share_their_storage_as_in_the_file(self, reader, tmp_path):
        whole = torch.arange(8.0)
        content = {"a": whole, "b": whole[2:5], "c": whole[::2], "d": whole.view(2, 4)}
        assert_same(opened(content, tmp_path).networks[0].tensors, content)

    def test_a_state_dict_with_its_metadata(self, options, reader, tmp_path):
        network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        assert_same(opened(network.state_dict(), tmp_path, **options).networks[0].tensors, network.state_dict())

    def test_tensors_of_a_float8(self, tmp_path):
        content = {k: v.to(torch.float8_e4m3fn) for k, v in crafted.weights().items()}
        found = opened(content, tmp_path).networks[0].tensors
        assert all(torch.equal(found[k].float(), v.float()) for k, v in content.items())

    def test_what_torch_reads_can_be_written_to(self, reader, tmp_path):
        for tensor in opened(crafted.weights(), tmp_path).networks[0].tensors.values():
            tensor.add_(1)

    def test_tensors_saved_on_a_gpu(self, reader, tmp_path):
        numbers = torch.arange(4.0)
        pickled = crafted.state(a=crafted.tensor()).replace(b"ctorch\nFloat", b"ctorch.cuda\nFloat")
        pickled = pickled.replace(crafted.text("cpu"), crafted.text("cuda:0"))
        crafted.archive(tmp_path / "w.pt", pickled, {"0": numbers.numpy().tobytes()})
        found = read_checkpoint(tmp_path / "w.pt").networks[0].tensors["a"]
        assert torch.equal(found, numbers) and found.device.type == "cpu"

    def test_parameters_with_attributes_and_hooks_are_bare(self, options, tmp_path):
        parameter = nn.Parameter(torch.ones(3))
        parameter.kind = "shared"
        found = opened({**crafted.weights(), "p": parameter}, tmp_path, **options).networks[0].tensors["p"]
        assert type(found) is torch.Tensor and not found.requires_grad and found.sum() == 3

    def test_a_tensor_that_is_a_conjugate_is_refused_not_misread(self, reader, tmp_path):
        with pytest.raises(SourceError, match="conjugate"):
            opened({"a": torch.tensor([1 + 2j, 3 - 1j]).conj()}, tmp_path)


class TestModules:
    def test_whole_modules_give_tensors_and_attributes(self, options, tmp_path):
        network = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        network.register_buffer("mask", torch.ones(3), persistent=False)
        checkpoint = opened(network, tmp_path, **options)
        assert_same(checkpoint.networks[0].tensors, network.state_dict())
        attention = checkpoint.attributes["self_attn"]
        assert attention["num_heads"] == 2 and attention["batch_first"] is True
        assert attention["class"] == "torch.nn.modules.activation.MultiheadAttention"
        assert checkpoint.attributes["norm1"]["eps"] == 1e-5
        assert "torch.nn.modules.activation.MultiheadAttention" in checkpoint.ignored

    def test_a_module_in_a_training_file(self, tmp_path):
        network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4))
        checkpoint = opened({"ema": network, "epoch": 4}, tmp_path)
        assert checkpoint.networks[0].name == "ema" and checkpoint.config == {"epoch": 4}
        assert_same(checkpoint.networks[0].tensors, network.state_dict())
        assert checkpoint.attributes["1"]["in_features"] == 4

    @pytest.mark.parametrize("name", ["whole_module_timm", "whole_module_torchvision"])
    def test_real_ones_give_the_number_of_heads(self, name, shared):
        folder = shared / "checkpoints/twins_cifar10"
        checkpoint = read_checkpoint(folder / f"{name}.pt")
        heads = [values["num_heads"] for values in checkpoint.attributes.values() if "num_heads" in values]
        assert heads and set(heads) == {4}
        twin = "timm_plain.pth" if "timm" in name else "torchvision_vit.pth"
        found = checkpoint.networks[0].tensors
        assert_same({k: found[k] for k in sorted(found)}, dict(sorted(torch.load(folder / twin).items())))


class TestValues:
    @pytest.mark.parametrize(
        ("value", "plain"),
        [
            (argparse.Namespace(model="vit", lr=0.1), {"model": "vit", "lr": 0.1}),
            (Settings(num_heads=3, nested=Settings(a=[1, 2])), {"num_heads": 3, "nested": {"a": [1, 2]}}),
            (collections.defaultdict(list, a=[1]), {"a": [1]}),
            (collections.OrderedDict(a=1, b=2), {"a": 1, "b": 2}),
            (collections.Counter("aab"), {"a": 2, "b": 1}),
            (pathlib.PurePosixPath("runs/vit"), "runs/vit"),
            (np.float64(0.75), 0.75),
            (np.float32(0.5), 0.5),
            (np.int64(7), 7),
            (np.bool_(True), True),
            (torch.tensor(0.25), 0.25),
            (torch.float16, "torch.float16"),
            (torch.Size([2, 3]), [2, 3]),
            ({1, 2}, [1, 2]),
            ((1, "a", None, True), [1, "a", None, True]),
            ({0: "cat", 1: "dog"}, {"0": "cat", "1": "dog"}),
            (Thing(), {"size": 3, "parts": [1, 2]}),
            (Slotted(), {"x": 5}),
            (2**62, 2**62),
            ([2**70], []),
            ("x" * 20_000, None),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_foreign_values_become_plain(self, value, plain, options, reader, tmp_path):
        checkpoint = opened({"model": crafted.weights(), "extra": value}, tmp_path, **options)
        assert checkpoint.config.get("extra") == plain
        assert_same(checkpoint.networks[0].tensors, crafted.weights())

    def test_what_was_ignored_is_named(self, tmp_path):
        checkpoint = opened({"model": crafted.weights(), "args": argparse.Namespace(a=1), "x": Thing()}, tmp_path)
        assert {"argparse.Namespace", f"{__name__}.Thing"} <= set(checkpoint.ignored)

    def test_nodes_of_omegaconf(self):
        """As omegaconf pickles them: a node's `_val`, a container's `_content` (omegaconf/basecontainer.py)."""
        from vitviz.models.reading.attributes import plain

        node, config = inert.stand_in("omegaconf.nodes.AnyNode")(), inert.stand_in("omegaconf.DictConfig")()
        node.__setstate__({"_metadata": None, "_parent": config, "_val": 12})
        config.__setstate__({"_metadata": None, "_parent": None, "_content": {"depth": node}})
        assert plain(config, [1000]) == {"depth": 12}


class TestInert:
    def test_nothing_is_imported_or_called(self, tmp_path):
        marker = tmp_path / "ran"
        for protocol in range(6):
            stream = io.BytesIO(pickle.dumps({"x": crafted.Payload(marker), "y": Thing()}, protocol))
            found = machine.run(stream)
            assert isinstance(found.value["x"], inert.Placeholder)
            assert found.value["x"].name in ("posix.system", "nt.system")
        assert not marker.exists()

    def test_a_stand_in_is_never_what_it_stands_for(self):
        for name in ("os.system", "builtins.eval", "builtins.getattr", "torch.load", "builtins.type"):
            made = inert.stand_in(name)("true")
            assert isinstance(made, inert.Placeholder) and made.args == ("true",)

    @pytest.mark.parametrize("name", ["_rebuild_sparse_tensor", "_rebuild_qtensor", "_rebuild_meta_tensor_no_storage"])
    def test_no_function_of_torch_is_reached(self, name):
        made = inert.stand_in(f"torch._utils.{name}")(2**40)
        assert isinstance(made, inert.Placeholder)

    def test_the_names_that_torch_may_use_are_its_own_again_afterwards(self, tmp_path):
        before = set(torch.serialization.get_safe_globals())  # torch keeps a set, whose order is nobody's
        opened({"model": crafted.weights(), "args": argparse.Namespace(a=1)}, tmp_path)
        assert set(torch.serialization.get_safe_globals()) == before

    def test_values_pickled_by_python_are_what_they_were(self):
        values = [
            None,
            True,
            False,
            0,
            -1,
            2**100,
            1.5,
            "é",
            b"\0\xff",
            (),
            (1,),
            (1, 2, 3, 4),
            [],
            [[]],
            {},
            {"a": {}},
        ]
        for protocol in range(6):
            assert machine.run(io.BytesIO(pickle.dumps(values, protocol))).value == values
