"""A network that a script made or trained, as a file: what opens files then opens it, with the same report."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import torch
from torch import nn

from vitviz.atomic import slug
from vitviz.errors import SourceError


def file_of(network: nn.Module) -> Path:
    """The network in a file that stays until the program ends; its weights alone where it can't be pickled.

    Raises SourceError where it can't be written.
    """
    config = getattr(network, "pretrained_cfg", None)
    name = (config.get("architecture") if isinstance(config, dict) else None) or type(network).__name__
    failed: Exception | None = None
    for what in (network, network.state_dict()):
        try:
            path = Path(tempfile.mkdtemp(dir=_folder())) / f"{slug(str(name))}.pt"
        except OSError as error:
            failed = error
            break
        try:
            torch.save(what, path)
            return path
        except Exception as error:  # noqa: BLE001  a network written by hand may hold anything
            failed = error
            shutil.rmtree(path.parent, ignore_errors=True)  # half of it, and the weights may need its room
    raise SourceError(
        f"The {type(network).__name__} in memory can't be kept in a file under {tempfile.gettempdir()} while it is "
        f"looked into ({failed}): make room there, or save its state_dict elsewhere and open that."
    )


@cache
def _folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="vitviz-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
