"""Checks before anything is allocated and after: sizes, budgets, headers, plain tensors."""

import io
import json
import struct
import zipfile

import hostile
import numpy as np
import pytest
import torch
from safetensors.torch import save

from vitviz.errors import SourceError
from vitviz.models.reading import preflight
from vitviz.models.reading.containers import read_checkpoint


def nothing(labels):
    pass


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (4 * 10**12, "4.0 TB"), (2**99, "more than a million TB")],
)
def test_amounts_in_words(size, words):
    assert preflight.amount(size) == words


def test_members_lie_where_zipfile_reads_them():
    stream = io.BytesIO()
    torch.save(hostile.weights(), stream)
    data = stream.getvalue()
    with zipfile.ZipFile(stream) as archive:
        expected = {name: archive.read(name) for name in archive.namelist()}
    assert {name: data[a:b] for name, (a, b) in preflight.zip_members(data, "w", nothing).items()} == expected


def test_extents_of_safetensors_are_those_of_its_tensors():
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(3, dtype=torch.float16), "c": torch.zeros(0, 4)}
    data = save(tensors, {"who": "me"})
    extents, metadata = preflight.safetensors_extents(data, "w")
    assert metadata == {"who": "me"}
    for name, tensor in tensors.items():
        extent = extents[name]
        assert (extent.shape, extent.dtype) == (tuple(tensor.shape), tensor.dtype)
        assert data[extent.start : extent.end] == tensor.numpy().tobytes()


@pytest.mark.parametrize("dtype", ["<f4", "<f2", "<f8", "<i8", "<i4", "|u1", "|b1", "|i1"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 2, 3, 4)])
@pytest.mark.parametrize("order", "CF")
def test_headers_of_npy_are_read_as_numpy_reads_them(dtype, shape, order, tmp_path):
    array = np.asarray(np.arange(np.prod(shape)).reshape(shape) if shape else np.array(1)).astype(dtype, order=order)
    with (tmp_path / "w.npz").open("wb") as stream:
        np.savez(stream, w=array)
    found = read_checkpoint(tmp_path / "w.npz").networks[0].tensors["w"]
    np.testing.assert_array_equal(found.numpy(), array)
    assert found.is_contiguous()


def test_the_budget_is_checked_before_anything_is_read(tmp_path):
    path = tmp_path / "w.pth"
    torch.save(hostile.weights(), path)
    size = path.stat().st_size
    with pytest.raises(SourceError, match=r"declares .* where at most 1\.0 kB are allowed: raise the memory budget"):
        read_checkpoint(path, budget=1000)
    assert read_checkpoint(path, budget=size).networks[0].tensors


def test_the_default_budget_is_a_part_of_the_memory():
    assert 2**30 <= preflight.default_budget() < 2**50


class TestPlainTensors:
    def refused(self, tensor, says, file_bytes=10**9):
        with pytest.raises(SourceError, match=says):
            preflight.check_tensors("w.pt", {"a": tensor}, file_bytes)

    @pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
    def test_no_plain_arrays(self):
        self.refused(torch.zeros(3, device="meta"), "is meta")
        self.refused(torch.eye(3).to_sparse(), "is sparse")
        self.refused(torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "is quantised")

    def test_more_elements_than_their_storage_holds(self):
        self.refused(torch.zeros(1).expand(10), "no plain array")
        self.refused(torch.arange(9.0).as_strided((7, 3), (1, 1)), "no plain array")
        self.refused(torch.zeros(100).expand(2, 100)[:, :3], "no plain array")

    def test_more_than_the_file(self):
        self.refused(torch.zeros(2**19), "declares 2.1 MB of weights by sharing", file_bytes=2000)

    def test_plain_ones_pass_and_so_do_views_and_tied_weights(self):
        one = torch.zeros(4, 6)
        views = {"a": one, "b": one, "c": one.T, "d": one[1:, ::2], "e": torch.zeros(()), "f": torch.zeros(1).expand(1)}
        preflight.check_tensors("w.pt", views, 4 * 24)


def test_a_header_that_counts_to_no_end_costs_nothing(tmp_path):
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**47] * 17, "data_offsets": [0, 16]}}).encode()
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 16)
    with pytest.raises(SourceError, match="does not add up"):
        read_checkpoint(tmp_path / "w.safetensors")
