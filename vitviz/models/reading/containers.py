"""A path -> the Checkpoint it holds: the container is told by its bytes, read inertly, and unwrapped.

Containers as in MODELS, section 1; what opening may do as in SAFETY, "Checkpoints". Bytes are read, never mapped: a
training run that rewrites a mapped file would end this process with SIGBUS.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vitviz.errors import Cancelled, SourceError
from vitviz.models.checkpoint import Checkpoint
from vitviz.models.reading import not_weights
from vitviz.models.reading.folders import Plan, beside, plan
from vitviz.models.reading.preflight import (
    Extent,
    check_budget,
    check_start,
    check_tensors,
    default_budget,
    npy_extent,
    safetensors_extents,
    zip_members,
)
from vitviz.models.reading.torch_files import WAY_OUT, read_legacy, read_zip
from vitviz.models.reading.unwrapping import unwrap

CHUNK = 16 * 2**20
_OUT_OF_MEMORY = ("allocate memory", "not enough memory", "out of memory")


@dataclass(slots=True, eq=False)
class _Content:
    container: str
    tree: Any
    ignored: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Work:
    """What every step needs: the budget in bytes, and the two ways back to who asked."""

    budget: int
    cancel: Callable[[], bool]
    progress: Callable[[float | None, str], None]

    def step(self, fraction: float | None, text: str) -> None:
        if self.cancel():
            raise Cancelled("Opening the checkpoint was cancelled.")
        self.progress(fraction, text)


def read_checkpoint(
    path: Path,
    *,
    network: str | None = None,
    budget: int | None = None,
    cancel: Callable[[], bool] = lambda: False,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
) -> Checkpoint:
    """Read a file or folder of weights without running anything of it.

    Args:
        path: a weights file, the index of a sharded one, or a folder as the hub stores models.
        network: the name of the network to put first, where the file holds several.
        budget: the most bytes of weights that may be allocated; half the memory of the machine where None.
        cancel: asked between steps and every 16 MB; True raises Cancelled.
        progress: called with (fraction or None, text).

    Raises SourceError with one sentence that says what came, what was expected and the way out.
    """
    failure: Exception
    try:
        return _read(Path(path), network, _Work(default_budget() if budget is None else budget, cancel, progress))
    except (SourceError, Cancelled) as error:
        failure = type(error)(str(error))
    except MemoryError:
        failure = _too_little_memory(Path(path))
    except RuntimeError as error:
        if not any(words in str(error) for words in _OUT_OF_MEMORY):
            raise
        failure = _too_little_memory(Path(path))
    # Raised out here, because the frames of the first error hold the file's bytes for as long as somebody holds it.
    raise failure


def _too_little_memory(path: Path) -> SourceError:
    return SourceError(f"{path.name} needs more memory than is free: close other models or programs and try again.")


def _read(path: Path, network: str | None, work: _Work) -> Checkpoint:
    work.step(0.0, f"Looking at {path.name}")
    found: Plan = plan(path)
    digest, size = hashlib.sha256(), 0
    contents: list[_Content] = []
    for number, file in enumerate(found.files):
        data = _bytes(file, digest, work, number / len(found.files), size)
        size += len(data)
        contents.append(_content(data, file.name, work))
        del data
    work.step(0.9, f"Unwrapping {path.name}")
    first = contents[0]
    if len(contents) > 1:
        trees = [content.tree if isinstance(content.tree, dict) else {} for content in contents]
        first.tree = {key: value for tree in trees for key, value in tree.items()}
        first.notes.append(f"{len(contents)} files of one index were put together")
    unwrapped = unwrap(first.tree, path.name, network=network)
    for one in unwrapped.networks:
        check_tensors(path.name, one.tensors, size)
        # torch's reader makes parameters with the hooks that the file names; the machine makes bare tensors.
        one.tensors.update({key: tensor.detach() for key, tensor in one.tensors.items()})
    folder, notes = beside(found)
    return Checkpoint(
        path=path,
        container=first.container,
        sha256=digest.hexdigest(),
        networks=tuple(unwrapped.networks),
        config={**first.metadata, **unwrapped.config},
        folder=folder,
        attributes=unwrapped.attributes,
        ignored=tuple(dict.fromkeys(name for content in contents for name in content.ignored)),
        notes=tuple(first.notes + unwrapped.notes + notes),
    )


def _bytes(path: Path, digest: Any, work: _Work, done: float, before: int) -> bytes:
    """The whole of a regular file; a pipe or device is refused before it is opened, and again once it is."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise SourceError(f"{path.name} is no regular file: name a checkpoint file or a model folder.")
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb", buffering=0) as stream:
            info = os.fstat(stream.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise SourceError(f"{path.name} is no regular file: name a checkpoint file or a model folder.")
            check_budget(path.name, before + info.st_size, work.budget)
            # Grown by the parts, and given away without a copy: joining a list of parts would hold the file twice.
            data = io.BytesIO()
            left = info.st_size
            while left > 0 and (part := stream.read(min(left, CHUNK))):
                digest.update(part)
                left -= len(part)
                share = 1 - left / info.st_size
                work.step(done + (0.6 - min(done, 0.6)) * share, f"Reading {path.name}")
                if not data.tell():
                    not_weights.refuse(part, path)
                    check_start(path.name, part, info.st_size)
                    if left > 0:  # room for all of it at once; each part would be moved to a larger place else
                        data.seek(info.st_size - 1)
                        data.write(b"\0")
                        data.seek(0)
                data.write(part)
    except OSError as error:
        raise SourceError(f"{path.name} can't be read: {error.strerror or error}.") from error
    if left > 0:
        raise SourceError(f"{path.name} became shorter while it was read: open it when it is written whole.")
    if not data.tell():
        raise SourceError(f"{path.name} is empty: fetch it again.")
    return data.getvalue()


def _content(data: bytes, name: str, work: _Work) -> _Content:
    work.step(None, f"Reading the weights of {name}")
    if data[:4] == b"PK\x03\x04" or data[:4] == b"PK\x05\x06":
        members = zip_members(data, name, lambda labels: not_weights.refuse_archive(labels, name))
        if any(label.endswith("data.pkl") for label in members):
            return _Content("torch zip", *read_zip(data, members, name, work.budget))
        return _numpy(data, members, name, work)
    if data[8:9] == b"{":
        return _safetensors(data, name, work)
    if data[:1] == b"\x80":
        return _Content("torch legacy", *read_legacy(data, name, work.budget))
    raise SourceError(
        f"{name} can't be read as weights (neither safetensors, a torch file nor a numpy archive): {WAY_OUT}."
    )


def _array(data: bytes, extent: Extent) -> torch.Tensor:
    size = extent.end - extent.start
    if not size:
        return torch.zeros(extent.shape, dtype=extent.dtype)
    tensor = torch.frombuffer(bytearray(memoryview(data)[extent.start : extent.end]), dtype=extent.dtype)
    if extent.fortran:
        return tensor.reshape(extent.shape[::-1]).permute(*reversed(range(len(extent.shape)))).contiguous()
    return tensor.reshape(extent.shape)


def _arrays(data: bytes, extents: dict[str, Extent], name: str, work: _Work) -> dict[str, torch.Tensor]:
    check_budget(name, sum(extent.end - extent.start for extent in extents.values()), work.budget)
    made = {}
    for label, extent in extents.items():
        work.step(None, f"Reading {name}")
        made[label] = _array(data, extent)
    return made


def _safetensors(data: bytes, name: str, work: _Work) -> _Content:
    extents, metadata = safetensors_extents(data, name)
    return _Content("safetensors", _arrays(data, extents, name, work), metadata=metadata)


def _numpy(data: bytes, members: dict[str, tuple[int, int]], name: str, work: _Work) -> _Content:
    extents = {
        label.removesuffix(".npy"): npy_extent(data, *where, name, label)
        for label, where in members.items()
        if not label.startswith("opt/")
    }
    content = _Content("numpy archive", _arrays(data, extents, name, work))
    if len(extents) < len(members):
        content.notes.append(f"{len(members) - len(extents)} arrays of the optimiser were left out")
    return content
