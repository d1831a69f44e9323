"""The memory that a pass through a network needs beside its weights: the most bytes of tensors alive at once."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@dataclass(slots=True, eq=False)
class Peak:
    """What `watched` fills in: `bytes` at the most."""

    bytes: int = 0
    _now: int = 0
    _alive: set[int] = field(default_factory=set)


@contextmanager
def watched(module: nn.Module, device: torch.device) -> Iterator[Peak]:
    """Watch the tensors that come to be inside the block, the module's own not counted.

    On CUDA this is what the allocator says, scratch space of the kernels included. Elsewhere it is the sum of the
    storages that operators return, without what kernels hold for themselves.
    """
    if device.type == "cuda":
        peak = Peak()
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield peak
        torch.cuda.synchronize(device)
        peak.bytes = torch.cuda.max_memory_allocated(device) - before
        return
    with counted((*module.parameters(), *module.buffers())) as peak:
        yield peak


@contextmanager
def counted(known: Iterable[Tensor]) -> Iterator[Peak]:
    """Count the storages of tensors that come to be inside the block, on any device; those known are left out."""
    peak = Peak()
    peak._alive |= {t.untyped_storage()._cdata for t in known}
    with _Storages(peak):
        yield peak


class _Storages(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts every storage once, from the operator that returns it until it is freed."""

    def __init__(self, peak: Peak) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._peak = peak

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        peak = self._peak
        for each in tree_leaves(out):
            if not isinstance(each, Tensor):
                continue
            storage = each.untyped_storage()
            key, size = storage._cdata, storage.nbytes()
            if key in peak._alive:
                continue
            peak._alive.add(key)
            peak._now += size
            peak.bytes = max(peak.bytes, peak._now)
            weakref.finalize(storage, _freed, peak, key, size)
        return out


def _freed(peak: Peak, key: int, size: int) -> None:
    peak._alive.discard(key)
    peak._now -= size
