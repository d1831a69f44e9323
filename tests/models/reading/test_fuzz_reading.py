"""Files with bytes changed at random open or give a SourceError: nothing else, at no cost in memory or time."""

import contextlib
import io
import random
import resource
import sys
import time
import zlib
from argparse import Namespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import nn

from vitviz.errors import SourceError
from vitviz.models.checkpoint import Checkpoint
from vitviz.models.reading.containers import read_checkpoint
from vitviz.models.reading.inert import Damaged
from vitviz.models.reading.machine import run

MUTATIONS = 3000


def state():
    generator = torch.Generator().manual_seed(3)
    names = ("cls_token", "pos_embed", "blocks.0.attn.qkv.weight", "norm.weight", "head.weight")
    return {name: torch.randn(2, 3, generator=generator) for name in names}


def torch_bytes(content, **options):
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def numpy_bytes():
    stream = io.BytesIO()
    np.savez(stream, **{name.replace(".", "/"): value.numpy() for name, value in state().items()})
    return stream.getvalue()


def training():
    args = Namespace(model="vit", best=np.float32(0.5))
    few = dict(list(state().items())[:2])
    return {"model": few, "optimizer": {"state": {0: {"step": 1}}}, "args": args, "epoch": 3}


# What is mutated in turn for each container; small, because each is opened thousands of times.
FORMATS = {
    "safetensors": lambda: [save(state(), {"format": "pt"})],
    "torch zip": lambda: [
        torch_bytes(dict(list(state().items())[:2])), torch_bytes(training()), torch_bytes(nn.Linear(2, 3)),
    ],
    "torch legacy": lambda: [
        torch_bytes(training(), _use_new_zipfile_serialization=False),
        torch_bytes(nn.Linear(2, 3), _use_new_zipfile_serialization=False),
    ],
    "numpy archive": lambda: [numpy_bytes()],
}  # fmt: skip


def mutated(data, chance):
    """A few bytes set, bits flipped, runs cut out, doubled or moved, numbers made extreme."""
    data = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        where = chance.randrange(len(data))
        length = min(chance.choice((1, 2, 4, 8, 64)), len(data) - where)
        match chance.randrange(8):
            case 0 | 1:
                data[where] = chance.randrange(256)
            case 2 | 3:
                data[where] ^= 1 << chance.randrange(8)
            case 4:
                data[where : where + length] = chance.choice((b"\xff", b"\0", b"\x7f")) * length
            case 5:
                del data[where : where + length]
            case 6:
                data[where:where] = data[where : where + length]
            case 7:
                there = chance.randrange(len(data))
                data[where : where + length] = data[there : there + length]
        if not data:
            return b""
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.05 else data)


def outcome(path):
    """What opening gives: a Checkpoint, or the sentence of a SourceError. Anything else is this test's failure."""
    try:
        checkpoint = read_checkpoint(path)
    except SourceError as error:
        return str(error)
    assert isinstance(checkpoint, Checkpoint) and checkpoint.networks
    for network in checkpoint.networks:
        for tensor in network.tensors.values():
            assert tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes() < 10_000
            tensor.sum()  # reads every byte: a tensor that reaches out of its storage would crash here
    return checkpoint


@pytest.mark.filterwarnings("ignore:invalid escape", "ignore:Detected pickle protocol")
@pytest.mark.parametrize("kind", FORMATS)
def test_mutated_files_open_or_are_refused(kind, tmp_path):
    whole = FORMATS[kind]()
    path = tmp_path / "weights.pt"
    for data in whole:
        path.write_bytes(data)
        assert isinstance(outcome(path), Checkpoint)
    chance = random.Random(zlib.crc32(kind.encode()))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    opened, slowest = 0, 0.0
    for number in range(MUTATIONS):
        path.write_bytes(mutated(whole[number % len(whole)], chance))
        start = time.process_time()
        found = outcome(path)
        slowest = max(slowest, time.process_time() - start)
        if isinstance(found, Checkpoint):
            opened += 1
        else:
            assert "\n" not in found and found.endswith(".") and len(found) < 600, found
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert 0 < opened < MUTATIONS, "the mutations hit nothing, or everything"
    assert slowest < 2
    assert grown < (200 * 2**20 if sys.platform == "darwin" else 200 * 2**10), f"{grown} more at the peak"


@settings(max_examples=300, deadline=2000, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=200))
def test_the_machine_runs_any_bytes_or_calls_them_damaged(data):
    with contextlib.suppress(Damaged):
        run(io.BytesIO(data))


OPCODES = b"(.012FIJKMNRVXc}]e)tabdlguspqr0hj\x80\x81\x85\x86\x87\x88\x89\x8a\x8c\x8f\x90\x91\x92\x93\x94\x95QR"


@settings(max_examples=300, deadline=2000, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.sampled_from(
            [bytes([o]) for o in OPCODES] + [b"K\x01", b"X\x01\0\0\0a", b"cos\nsystem\n", b"q\x01", b"h\x01"]
        )
    )
)
def test_the_machine_runs_any_instructions_or_calls_them_damaged(instructions):
    with contextlib.suppress(Damaged):
        run(io.BytesIO(b"\x80\x02" + b"".join(instructions) + b"."))
