"""How much memory a pass with its graph keeps, known before it runs, and how much there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitviz.attention.graded import frozen, graded_pass
from vitviz.errors import ModelError
from vitviz.models.devices import Device
from vitviz.models.model import Model

_MEMINFO = Path("/proc/meminfo")


def graph_bytes(model: Model) -> int | None:
    """The bytes that the graph of one pass keeps beside the weights, by running it on the meta device.

    Nothing is computed there; None where the network can't run there.
    """
    module = model.module
    meta = {name: tensor.detach().to("meta") for name, tensor in (*module.named_parameters(), *module.named_buffers())}
    weights = {tensor.untyped_storage()._cdata for tensor in meta.values()}
    dtype = next((t.dtype for t in meta.values() if t.is_floating_point()), torch.float32)
    view = torch.empty(1, model.preprocessing.channels, *model.preprocessing.input_size, device="meta", dtype=dtype)
    kept: dict[int, tuple[int, Any]] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage.nbytes(), storage  # held, so that its number is not given to another
        return tensor

    def run(tensor: Tensor) -> Any:
        return torch.func.functional_call(module, meta, (tensor,))

    try:
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor), frozen(module):
            graded_pass(_Called(run), view, lambda *_: None)
    except (RuntimeError, NotImplementedError, TypeError, ValueError, AssertionError):
        return None
    return sum(size for size, _ in kept.values())


class _Called(torch.nn.Module):
    """A function as a module."""

    def __init__(self, run: Any) -> None:
        super().__init__()
        self._run = run

    def forward(self, view: Tensor) -> Any:
        return self._run(view)


def free_bytes(device: Device) -> int | None:
    """The memory that is free on a device; None where the system does not say."""
    if device.name.startswith("cuda"):
        return int(torch.cuda.mem_get_info(device.name)[0])
    if _MEMINFO.exists():
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def check_room(model: Model) -> str:
    """How much a pass with its graph keeps, in words; ModelError in numbers where it would not fit."""
    need, free = graph_bytes(model), free_bytes(model.device)
    if need is None:
        return "memory not known beforehand"
    if free is not None and need > 0.9 * free:
        height, width = model.preprocessing.input_size
        raise ModelError(
            f"The gradients of {model.name} on a view of {height} x {width} px keep {size_text(need)}, and "
            f"{model.device.title} has {size_text(free)} free: choose a smaller view, or rollout, which needs none."
        )
    return f"keeps {size_text(need)}"


def size_text(count: int) -> str:
    """ "812 MiB", "1.6 GiB"."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
