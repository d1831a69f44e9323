"""Source -> Model: build the architecture with timm, put the weights in, and report what was done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vitviz.errors import Cancelled, ModelError, SourceError, UnknownArchitectureError
from vitviz.models import hub
from vitviz.models.building import Size, build, create, sizes_of
from vitviz.models.checkpoint import Checkpoint, Recognition
from vitviz.models.describing import describe, report_reading, report_said
from vitviz.models.devices import choose, dtype_of
from vitviz.models.epsilon import epsilons, set_epsilon
from vitviz.models.fitting import fitted
from vitviz.models.labels import read_labels
from vitviz.models.model import Model, default_query_of, patch_size_of, prefix_tokens_of
from vitviz.models.preprocessing import assume_crop, imagenet_labels, preprocessing_of
from vitviz.models.reading.containers import read_checkpoint
from vitviz.models.recognising import plain, recognise, said
from vitviz.models.report import Report
from vitviz.models.resampled import resampled_in, resampled_places, trained_patch_of
from vitviz.models.source import Source, of_folder, resolve

Step = Callable[[float | None, str], None]


@torch.inference_mode(False)  # whoever calls: parameters that were made in that mode can never give gradients
def load_model(
    source: str | Path | nn.Module = "demo",
    *,
    device: str = "auto",
    precision: str = "float32",
    image_size: Size | None = None,
    patch_size: Size | None = None,
    crop: str | None = None,
    num_heads: int | None = None,
    architecture: str | None = None,
    network: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    norm_eps: float | None = None,
    pretrained: bool = True,
    labels: Sequence[str] | str | Path | None = None,
    choose_network: Callable[[tuple[str, ...]], str] | None = None,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> Model:
    """Load a model to look into.

    Args:
        source: "demo", "demo-swin", a file or folder of weights, a name of timm's, a repository of the hub, or a
            network in memory, which is copied.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        precision: "float32", "bfloat16" or "float16".
        image_size: side or (height, width) of the view in pixels; the position embedding is resampled.
        patch_size: patch side or (height, width); the patch embedding is resampled.
        crop: how the view is cut from the picture, "center", "squash" or "border"; the model's own where None.
        num_heads: overrides what was found or assumed.
        architecture: timm's name of the architecture, where the weights don't tell or tell wrong.
        network: which of several networks in a file, such as "teacher"; the report names them.
        mean, std: of the preprocessing, per channel; overrides what was found or assumed.
        norm_eps: epsilon of all norms over features; overrides what was found or assumed.
        pretrained: False for random weights, marked as such.
        labels: names of the classes, one for each, or a text or JSON file with them; the model's own where None.
        choose_network: called with the names of the networks of a file with several, the default first, where `network`
            does not say which; returns one of them. The default is taken where None.
        progress: called with (fraction or None, text).
        cancel: asked between the steps; True raises Cancelled.

    Raises:
        SourceError: what was named is not there, can't be read safely, or can't be told.
        ModelError: the weights or sizes don't fit the architecture, or there are more or fewer labels than classes.
    """

    title = str(source) if isinstance(source, str | Path) else f"the {type(source).__name__} in memory"

    def step(fraction: float | None, text: str) -> None:
        if cancel():
            raise Cancelled(f"Loading {title} was cancelled.")
        progress(fraction, text)

    target = choose(device)
    dtype = dtype_of(precision)
    sizes = sizes_of(image_size, patch_size, num_heads)
    own_labels = read_labels(labels) if labels is not None else None
    step(0.0, f"Looking for {title}")
    found = resolve(source, architecture=architecture)
    if found.kind == "repository":
        folder = hub.fetch_repository(found.name, progress=step, cancel=cancel)
        found = of_folder(folder, found.name, "repository", found.architecture)
    report = Report()
    report.add("source", f"{found.kind}: {found.path or found.name}")
    names = found.labels if own_labels is None else own_labels
    if pretrained:
        loaded = _with_weights(found, report, sizes, _Choice(network, choose_network), step, cancel)
    else:
        loaded = _random(found, report, sizes, step)
    module, found = loaded.module, loaded.source
    if labels is not None and len(names) != module.num_classes:
        raise ModelError(
            f"{len(names)} labels were given for {found.name}, which has {module.num_classes} classes: give one for "
            "each, in their order."
        )
    if (epsilon := loaded.norm_eps if norm_eps is None else norm_eps) is not None:
        set_epsilon(module, epsilon)
    report_said(report, found.architecture if architecture is not None else "", norm_eps, mean, std, crop)
    step(0.9, f"Moving to {target.title}")
    module = module.eval().to(device=target.name, dtype=dtype)
    if target.name.startswith("cuda"):
        torch.cuda.synchronize(target.name)
    prefix = prefix_tokens_of(module)
    model = Model(
        module=module,
        name=found.name,
        source=found.name if found.path is None or found.kind in ("demo", "repository") else str(found.path),
        architecture=found.architecture,
        preprocessing=preprocessing_of(module, crop, mean, std),
        labels=names or loaded.labels or imagenet_labels(module.num_classes),
        labels_given=own_labels is not None,
        report=report,
        prefix_tokens=prefix,
        default_query=default_query_of(module, prefix),
        device=target,
        precision=precision,
        patch_size=patch_size_of(module),
        trained_patch_size=loaded.patch_size,
        resampled_places=loaded.places,
        random=not pretrained,
        sha256=loaded.sha256,
        networks=loaded.networks,
        build_args=loaded.args,
        norm_eps=_one(epsilons(module)),
        options={
            "architecture": architecture,
            "network": loaded.networks[0] if len(loaded.networks) > 1 else network,
            "image_size": sizes.get("img_size"),
            "patch_size": sizes.get("patch_size"),
            "crop": crop,
            "num_heads": num_heads,
            "mean": None if mean is None else tuple(mean),
            "std": None if std is None else tuple(std),
            "norm_eps": norm_eps,
            "precision": precision,
            "pretrained": pretrained,
        },
    )
    describe(model)
    return model


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which network of a file: said, else asked for, else the first."""

    said: str | None
    ask: Callable[[tuple[str, ...]], str] | None

    def of(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint with the chosen network first."""
        names = tuple(network.name for network in checkpoint.networks)
        if self.said is not None or self.ask is None or len(names) < 2:
            return checkpoint
        chosen = checkpoint.networks[names.index(self.ask(names))]
        others = (network for network in checkpoint.networks if network is not chosen)
        return replace(checkpoint, networks=(chosen, *others))


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    """A module with what is known about it; `args` are those that built it, `patch_size` is that of the file,
    `places` the rows of its position embedding and of the module's, where they were resampled."""

    module: Any
    source: Source
    args: dict[str, Any]
    sha256: str | None = None
    labels: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    norm_eps: float | dict[str, float] | None = None
    patch_size: tuple[int, int] | None = None
    places: tuple[int, int] | None = None


def _random(found: Source, report: Report, sizes: dict[str, Any], step: Step) -> _Loaded:
    if not found.architecture:
        raise SourceError(f"Random weights need an architecture, which {found.name} does not name.")
    step(0.3, f"Building {found.architecture}")
    args = {**found.model_args, **sizes}
    module = create(found.architecture.partition(".")[0], pretrained=False, **args)
    report.add("weights", "random: every map of this model is meaningless but for its shapes", "warning")
    return _Loaded(module, found, args, norm_eps=found.norm_eps)


def _with_weights(
    found: Source,
    report: Report,
    sizes: dict[str, Any],
    choice: _Choice,
    step: Step,
    cancel: Callable[[], bool],
) -> _Loaded:
    recognised, sha256, networks = _recognised(found, report, sizes, choice, step, cancel)
    step(0.5, f"Building {recognised.architecture or recognised.format}")
    preprocessing = {k: v for k, v in recognised.preprocessing.items() if v is not None}
    try:
        module = build(recognised, sizes, {**found.pretrained_cfg, **preprocessing})
    except ModelError as error:
        # The user's own word needs no question; a guess of ours does.
        if found.architecture or found.plain is not None or sizes:
            raise
        raise UnknownArchitectureError(str(error)) from error
    if resampled := resampled_in(module, recognised.tensors):
        report.add("resampled", resampled, "converted")
    return _Loaded(
        module,
        replace(found, architecture=recognised.architecture or type(module).__name__),
        {**recognised.model_args, **sizes},
        sha256,
        recognised.labels,
        networks,
        found.norm_eps if found.norm_eps is not None else recognised.norm_eps,
        trained_patch_of(module, recognised.tensors),
        resampled_places(module, recognised.tensors),
    )


def _recognised(
    found: Source,
    report: Report,
    sizes: dict[str, Any],
    choice: _Choice,
    step: Step,
    cancel: Callable[[], bool],
) -> tuple[Recognition, str, tuple[str, ...]]:
    """What the weights are of, the file's hash and its networks; all else of the file is let go with the return."""
    path, num_heads = found.path or _fetched(found, step, cancel), sizes.get("num_heads")
    checkpoint = read_checkpoint(
        path,
        network=choice.said,
        cancel=cancel,
        progress=lambda share, text: step(None if share is None else 0.1 + 0.3 * share, text),
    )
    checkpoint = replace(choice.of(checkpoint), view=sizes.get("img_size"))
    unused = None
    if found.plain is None and (not found.architecture or found.kind == "file"):
        checkpoint, unused = fitted(checkpoint, named=found.kind in ("folder", "repository"))
    report_reading(report, checkpoint)
    if unused is not None:
        report.findings.append(unused)
    step(0.4, "Recognising the network")
    if found.plain is not None:
        recognised = plain(checkpoint, found.plain)
    elif found.architecture:
        recognised = said(checkpoint, found.architecture, found.model_args)
    else:
        recognised = recognise(checkpoint, num_heads=num_heads)
        if all(finding.topic != "format" for finding in recognised.findings):
            report.add("format", recognised.format)
    if recognised.module is None and "crop_pct" not in {**found.pretrained_cfg, **recognised.preprocessing}:
        assume_crop(recognised)
    guessed = {finding.topic for finding in found.findings}
    for finding in (*(f for f in recognised.findings if f.topic not in guessed), *found.findings):
        report.add(finding.topic, finding.text, finding.certainty, finding.since)
    if num_heads is not None and (found.architecture or found.plain is not None):
        report.replace("heads", f"{num_heads}, said by you")
    return recognised, checkpoint.sha256, tuple(network.name for network in checkpoint.networks)


def _fetched(found: Source, step: Step, cancel: Callable[[], bool]) -> Path:
    """The weights of a name of timm's, from the hub or its cache."""
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(found.architecture)
    if config is None or not config.hf_hub_id:
        raise SourceError(
            f"timm names no weights on the hub for {found.architecture}: "
            "open a file with this architecture, or use random weights."
        )
    return hub.fetch(config.hf_hub_id, config.hf_hub_filename, progress=step, cancel=cancel)


def _one(found: dict[str, float]) -> float | None:
    """The epsilon that all norms have, None where they differ."""
    values = set(found.values())
    return values.pop() if len(values) == 1 else None
