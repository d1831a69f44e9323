"""A loaded network with its preprocessing, prefix tokens, labels and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from vitviz.checks import short
from vitviz.errors import ModelError
from vitviz.images import Image, Preprocessing, View, check_image, model_input, view_of
from vitviz.models.devices import Device
from vitviz.models.logits import label_of
from vitviz.models.names import amount
from vitviz.models.report import Report


@dataclass(slots=True, eq=False)
class Model:
    """A network ready to be looked into.

    Attributes:
        module: the torch module, in eval mode, on its device.
        name: what a person calls it, such as "vit_base_patch16_224.augreg2_in21k_ft_in1k".
        source: what the user named: file, folder, hub name, "demo".
        architecture: timm's name of the architecture.
        preprocessing: how a picture becomes the view.
        labels: name of each class, empty where the model has no classes.
        labels_given: whether they were said by whoever loaded it, and are not the model's own.
        report: everything found and assumed while it was opened.
        prefix_tokens: names of the tokens before the patches, such as ("cls", "reg0", "reg1").
        default_query: the token that the model's output is made from: "cls", or "mean" for pooled models.
        patch_size: (height, width) of a patch, None where there is not one size.
        trained_patch_size: that of the weights as the file has them, None where it can't be told.
        resampled_places: rows of the position embedding in the file and now, None where they were not resampled.
        random: True where the weights are random.
        sha256: of the weights file, None for random weights.
        networks: names of the networks in the file, the one that is used first; one or none mostly.
        build_args: the arguments that timm built the architecture with.
        norm_eps: the epsilon of the norms over features, None where they differ.
        options: the arguments of load_model that were not left to the model.
    """

    module: nn.Module
    name: str
    source: str
    architecture: str
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    report: Report
    prefix_tokens: tuple[str, ...]
    default_query: str
    device: Device
    precision: str = "float32"
    patch_size: tuple[int, int] | None = None
    trained_patch_size: tuple[int, int] | None = None
    resampled_places: tuple[int, int] | None = None
    random: bool = False
    sha256: str | None = None
    networks: tuple[str, ...] = ()
    build_args: dict[str, Any] = field(default_factory=dict)
    norm_eps: float | None = None
    options: dict[str, Any] = field(default_factory=dict)
    labels_given: bool = False

    def __repr__(self) -> str:
        height, width = self.preprocessing.input_size
        words = [self.architecture, f"{amount(self.parameters)} parameters", f"{height} x {width} px"]
        words += [f"{len(self.labels)} classes"] if self.labels else []
        return f"<Model {self.name}: {', '.join(words)}, {self.precision} on {self.device.name}>"

    def view(self, image: Image) -> View:
        """Where the model's view lies in this picture."""
        return view_of(image.size, self.preprocessing)

    def preprocess(self, image: Image) -> torch.Tensor:
        """The view as a (1, C, h, w) float32 tensor on the CPU, as timm's own evaluation transform makes it."""
        return torch.from_numpy(model_input(image, self.preprocessing))

    def on_device(self, views: torch.Tensor) -> torch.Tensor:
        """Preprocessed views (B, C, h, w) as the network takes them: on its device, in its parameters' precision."""
        dtype = next((p.dtype for p in self.module.parameters()), torch.float32)
        return views.to(device=self.device.name, dtype=dtype)

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return sum(p.numel() for p in self.module.parameters())

    @property
    def identity(self) -> dict[str, Any]:
        """What it takes to load this model again, as JSON values: source, options, hash of the weights."""
        return {
            "source": self.source,
            "name": self.name,
            "architecture": self.architecture,
            "random": self.random,
            "sha256": self.sha256,
            "options": {k: list(v) if isinstance(v, tuple) else v for k, v in self.options.items() if v is not None},
        }

    def label(self, index: int) -> str:
        """The name of class `index`, "class 17" where none is known."""
        return label_of(self.labels, index)


def check_inputs(model: Any, image: Any) -> None:
    """ModelError or ImageError, with what to give instead, where these are no Model and no Image."""
    if not isinstance(model, Model):
        raise ModelError(f"The model is {short(model)}: give what load_model returns.")
    check_image(image)


def prefix_tokens_of(module: nn.Module) -> tuple[str, ...]:
    """The names of the tokens before the patches, in the order of the sequence: class, distillation, registers."""
    names: list[str] = []
    holder = getattr(module, "embeds", module)  # NaFlexViT keeps its tokens there
    if any(isinstance(getattr(holder, key, None), torch.Tensor) for key in ("cls_token", "class_token")):
        names.append("cls")
    if getattr(holder, "dist_token", None) is not None:
        names.append("dist")
    for key in ("reg_token", "register_tokens"):
        registers = getattr(holder, key, None)
        if isinstance(registers, torch.Tensor):
            names += [f"reg{i}" for i in range(registers.shape[-2])]
            break
    expected = getattr(module, "num_prefix_tokens", None)
    if not isinstance(expected, int):
        return tuple(names)
    names += [f"prefix{i}" for i in range(len(names), expected)]
    return tuple(names[:expected])


def default_query_of(module: nn.Module, prefix_tokens: Sequence[str]) -> str:
    """ "cls" where the model's output is read from the class token, "mean" where it is pooled."""
    pool = getattr(module, "global_pool", None)
    pooled = isinstance(pool, str) and pool not in ("token", "")
    return "cls" if "cls" in prefix_tokens and not pooled else "mean"


def patch_size_of(module: nn.Module) -> tuple[int, int] | None:
    """The patch size (height, width) in view pixels of a plain patch embedding, None where there is none."""
    embed = getattr(module, "patch_embed", getattr(module, "embeds", None))
    size = getattr(embed, "patch_size", None)
    if isinstance(size, int):
        return size, size
    if isinstance(size, Sequence) and len(size) == 2 and all(isinstance(s, int) for s in size):
        return size[0], size[1]
    return None
