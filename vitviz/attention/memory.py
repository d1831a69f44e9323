"""How much memory a pass with its gradients needs, known before it runs, and how much there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitviz.attention.graded import graded_pass
from vitviz.errors import ModelError
from vitviz.models.devices import Device
from vitviz.models.model import Model
from vitviz.models.peak import counted
from vitviz.models.twin import meta_twin

# What a process grows by, of the tensors alive at once: the graph lies between holes on the heap. With ViT-Ti/16, S/16
# and B/16 at 384 to 768 px, Swin-T and S at 224 and 448 px and SwinV2-T, what is said so is 1.04 to 1.36 of the growth
# that glibc was seen to make of them.
_WASTE, _BUFFERS = 1.6, 16 * 2**20
_WASTE_CUDA = 1.1  # kernels have scratch space
_MEMINFO = Path("/proc/meminfo")


def needed_bytes(model: Model) -> int | None:
    """The bytes that a pass with its gradients needs at the most beside the weights, by running it on the meta device.

    There and back, with the matrices that are computed again on the way, and what an allocator wastes. Nothing is
    computed there; None where the network can't run there.
    """
    shape = 1, model.preprocessing.channels, *model.preprocessing.input_size

    def tap(call: Any, rows: Tensor | None, weights: Tensor | None, gradient: Tensor | None) -> None:
        if weights is not None and gradient is not None:
            weights * gradient  # what every method makes of them

    try:
        with torch.inference_mode(False), torch.enable_grad():
            twin, dtype = meta_twin(model.module)
            view = torch.empty(shape, device="meta", dtype=dtype)
            with counted((*twin.parameters(), *twin.buffers())) as peak:
                graph = graded_pass(twin, view, tap)
                if isinstance(graph.output, Tensor) and graph.inputs:
                    torch.autograd.grad(graph.output.sum(), graph.inputs[0])
    except (RuntimeError, NotImplementedError, TypeError, ValueError, AssertionError):
        return None
    waste = _WASTE_CUDA if model.device.name.startswith("cuda") else _WASTE
    return round(waste * peak.bytes) + _BUFFERS


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
    """How much a pass with its gradients needs, in words; ModelError in numbers where it would not fit."""
    need, free = needed_bytes(model), free_bytes(model.device)
    if need is None:
        return "memory not known beforehand"
    if free is not None and need > 0.9 * free:
        height, width = model.preprocessing.input_size
        raise ModelError(
            f"The gradients of {model.name} on a view of {height} x {width} px need up to {size_text(need)}, and "
            f"{model.device.title} has {size_text(free)} free: choose a smaller view, or rollout, which needs none."
        )
    return f"needs up to {size_text(need)}"


def size_text(count: int) -> str:
    """ "812 MiB", "1.6 GiB"."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
