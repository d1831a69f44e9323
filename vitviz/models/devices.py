"""Which device a model runs on, and why."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from vitviz.errors import ModelError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class Device:
    """A torch device name ("cpu", "cuda:0", "mps"), its full name, and the reason for the choice."""

    name: str
    title: str
    reason: str = ""


def available() -> list[Device]:
    """Every device that torch can use here, the fastest kind first, the CPU last."""
    found = [
        Device(
            f"cuda:{i}",
            f"{torch.cuda.get_device_name(i)}, {torch.cuda.get_device_properties(i).total_memory / 2**30:.0f} GiB",
        )
        for i in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        found.append(Device("mps", "Apple GPU"))
    threads = torch.get_num_threads()
    return [*found, Device("cpu", f"CPU, {threads} thread" + "s" * (threads > 1))]


def matches(wish: str, device: Device) -> bool:
    """Whether a device is meant by its name or by its kind, "cuda"."""
    return wish in (device.name, device.name.split(":")[0])


def choose(wish: str = "auto") -> Device:
    """The device for a wish such as "auto", "cpu", "cuda", "cuda:1" or "mps"; ModelError where it is not there."""
    devices = available()
    if wish == "auto":
        best = devices[0]
        reason = "chosen automatically" if best.name != "cpu" else "no CUDA device found"
        return Device(best.name, best.title, reason)
    for device in devices:
        if matches(wish, device):
            return Device(device.name, device.title, "chosen by you")
    raise ModelError(
        f"There is no device {wish!r} here; there are {', '.join(d.name for d in devices)}: choose one, or 'auto'."
    )


def dtype_of(name: str) -> torch.dtype:
    """The torch dtype of a precision's name; ModelError for an unknown one."""
    if name not in DTYPES:
        raise ModelError(f"The precision {name!r} is unknown: use one of {', '.join(DTYPES)}.")
    return DTYPES[name]
