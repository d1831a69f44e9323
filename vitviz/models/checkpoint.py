"""What a file or folder of weights was found to hold, before anyone asks what network it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vitviz.models.report import Finding


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """One set of weights in a file.

    Attributes:
        name: where it lay in the file, such as "model_ema" or "teacher"; "" where the file is the state dict itself.
        tensors: the weights by name, wrapper prefixes such as "module." taken off.
        notes: what was taken off or left out.
    """

    name: str
    tensors: dict[str, torch.Tensor] = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A file or folder of weights, read without running anything of it.

    Attributes:
        container: "safetensors", "torch zip", "torch legacy", "numpy archive".
        networks: at least one; the first is the default.
        config: plain values found in the file beside the weights (args, hyper_parameters, classes, epoch, ...).
        folder: plain values of the config.json (and preprocessor_config.json, under "preprocessor") beside the file.
        attributes: of pickled modules, by module path: plain attributes such as {"blocks.0.attn": {"num_heads": 3}}.
        ignored: names of pickled classes that were replaced by inert placeholders.
        view: (height, width) in pixels that the user says, which settles a position embedding that is for no square.
    """

    path: Path
    container: str
    sha256: str
    networks: tuple[Network, ...]
    config: dict[str, Any] = field(default_factory=dict)
    folder: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    view: tuple[int, int] | None = None


@dataclass(slots=True, eq=False)
class Recognition:
    """What network the weights are of, and the weights under the names of that network.

    Either timm builds it (`architecture` is a name of timm's, with `model_args`), or `module` is it, built already
    (without weights) by us.

    Attributes:
        format: whose naming it was, such as "Hugging Face ViT", "torchvision Swin", "timm".
        tensors: the weights under the target's names.
        preprocessing: any of mean, std, interpolation, crop_pct, crop_mode, input_size that the source states.
        labels: names of the classes where the source states them.
        norm_eps: the epsilon of the norms where the file states it and the architecture's own would be used.
        findings: everything found, converted and assumed, for the report; heads, activation, norm epsilon and
            preprocessing each with its source and how certain it is.
    """

    format: str
    tensors: dict[str, torch.Tensor] = field(repr=False)
    architecture: str = ""
    model_args: dict[str, Any] = field(default_factory=dict)
    module: nn.Module | None = None
    preprocessing: dict[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    norm_eps: float | None = None
    findings: list[Finding] = field(default_factory=list)
