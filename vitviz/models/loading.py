"""Source -> Model: build the architecture with timm, put the weights in, and report what was done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from vitviz.errors import Cancelled, ModelError, SourceError
from vitviz.images import Preprocessing
from vitviz.models import hub
from vitviz.models.building import Size, build, create, sizes_of
from vitviz.models.checkpoint import Checkpoint
from vitviz.models.cost import count_flops, published_row
from vitviz.models.devices import choose, dtype_of
from vitviz.models.labels import read_labels
from vitviz.models.model import Model, default_query_of, patch_size_of, prefix_tokens_of
from vitviz.models.reading.containers import read_checkpoint
from vitviz.models.recognising import recognise, said
from vitviz.models.report import Report
from vitviz.models.source import Source, of_folder, resolve


def load_model(
    source: str | Path = "demo",
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
    pretrained: bool = True,
    labels: Sequence[str] | str | Path | None = None,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> Model:
    """Load a model to look into.

    Args:
        source: "demo", "demo-swin", a file or folder of weights, a name of timm's, or a repository of the hub.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        precision: "float32", "bfloat16" or "float16".
        image_size: side or (height, width) of the view in pixels; the position embedding is resampled.
        patch_size: patch side or (height, width); the patch embedding is resampled.
        crop: how the view is cut from the picture, "center", "squash" or "border"; the model's own where None.
        num_heads: overrides what was found or assumed.
        architecture: timm's name of the architecture, where the weights don't tell or tell wrong.
        network: which of several networks in a file, such as "teacher"; the report names them.
        mean, std: of the preprocessing, per channel; overrides what was found or assumed.
        pretrained: False for random weights, marked as such.
        labels: names of the classes, or a text or JSON file with them; the model's own where None.
        progress: called with (fraction or None, text).
        cancel: asked between the steps; True raises Cancelled.

    Raises:
        SourceError: what was named is not there, can't be read safely, or can't be told.
        ModelError: the weights or sizes don't fit the architecture.
    """

    def step(fraction: float | None, text: str) -> None:
        if cancel():
            raise Cancelled(f"Loading {source} was cancelled.")
        progress(fraction, text)

    step(0.0, f"Looking for {source}")
    found = resolve(source, architecture=architecture)
    if found.kind == "repository":
        folder = hub.fetch_repository(found.name, progress=step, cancel=cancel)
        found = of_folder(folder, found.name, "repository", found.architecture)
    report = Report()
    report.add("source", f"{found.kind}: {found.path or found.name}")
    target = choose(device)
    dtype = dtype_of(precision)
    names = read_labels(labels) if labels is not None else found.labels
    digest = None
    if pretrained:
        module, found, digest, stated = _with_weights(
            found, report, sizes_of(image_size, patch_size, num_heads), num_heads, network, step, cancel
        )
        names = names or stated
    else:
        if not found.architecture:
            raise SourceError(f"Random weights need an architecture, which {found.name} does not name.")
        step(0.3, f"Building {found.architecture}")
        args = {**found.model_args, **sizes_of(image_size, patch_size, num_heads)}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # a recipe makes the same weights again
            module = create(found.architecture.partition(".")[0], pretrained=False, **args)
        report.add("weights", "random: every map of this model is meaningless but for its shapes", "warning")
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
        labels=names or _imagenet_labels(module),
        report=report,
        prefix_tokens=prefix,
        default_query=default_query_of(module, prefix),
        device=target,
        precision=precision,
        patch_size=patch_size_of(module),
        random=not pretrained,
        sha256=digest,
        options={
            "architecture": architecture,
            "network": network,
            "image_size": image_size,
            "patch_size": patch_size,
            "crop": crop,
            "num_heads": num_heads,
            "mean": None if mean is None else tuple(mean),
            "std": None if std is None else tuple(std),
            "precision": precision,
            "pretrained": pretrained,
        },
    )
    _describe(model)
    return model


def _with_weights(
    found: Source,
    report: Report,
    sizes: dict[str, Any],
    num_heads: int | None,
    network: str | None,
    step: Callable[[float | None, str], None],
    cancel: Callable[[], bool],
) -> tuple[Any, Source, str, tuple[str, ...]]:
    """The module with its weights, the source with its architecture, their hash, the labels that the file states."""
    path = found.path
    if path is None:
        from timm.models import get_pretrained_cfg

        config = get_pretrained_cfg(found.architecture)
        if config is None or not config.hf_hub_id:
            raise SourceError(
                f"timm names no weights on the hub for {found.architecture}: "
                "open a file with this architecture, or use random weights."
            )
        path = hub.fetch(config.hf_hub_id, config.hf_hub_filename, progress=step, cancel=cancel)
    checkpoint = read_checkpoint(
        path,
        network=network,
        cancel=cancel,
        progress=lambda share, text: step(None if share is None else 0.1 + 0.3 * share, text),
    )
    _report_reading(report, checkpoint)
    step(0.4, "Recognising the network")
    if found.architecture:
        recognised = said(checkpoint, found.architecture, found.model_args)
    else:
        recognised = recognise(checkpoint, num_heads=num_heads)
        if all(finding.topic != "format" for finding in recognised.findings):
            report.add("format", recognised.format)
    for finding in recognised.findings:
        report.add(finding.topic, finding.text, finding.certainty)
    step(0.5, f"Building {recognised.architecture or recognised.format}")
    preprocessing = {k: v for k, v in recognised.preprocessing.items() if v is not None}
    module = build(recognised, sizes, {**found.pretrained_cfg, **preprocessing})
    resized = [k for k in ("img_size", "patch_size") if k in sizes]
    if resized:
        report.add(
            "resampled",
            f"to {', '.join(f'{k} {sizes[k]}' for k in resized)}: position embedding bicubic with antialias, "
            "patch embedding by pseudo-inverse resize (timm)",
            "converted",
        )
    found = replace(found, architecture=recognised.architecture or type(module).__name__)
    return module, found, checkpoint.sha256, recognised.labels


def _report_reading(report: Report, checkpoint: Checkpoint) -> None:
    first, *others = checkpoint.networks
    notes = [checkpoint.container, f"{len(first.tensors)} tensors", f"sha256 {checkpoint.sha256[:16]}"]
    notes += [*([f"from {first.name!r}"] if first.name else []), *first.notes, *checkpoint.notes]
    report.add("weights", "; ".join(notes))
    if others:
        names = ", ".join(repr(o.name) for o in others)
        report.add("other networks", f"{names} in the same file; choose one with network=")
    if checkpoint.ignored:
        shown = ", ".join(checkpoint.ignored[:8])
        report.add("ignored", f"pickled objects, read as inert placeholders: {shown}", "converted")


def _describe(model: Model) -> None:
    """Add to the report what is known once the model stands."""
    report, preprocessing, prefix = model.report, model.preprocessing, model.prefix_tokens
    height, width = preprocessing.input_size
    report.add("architecture", f"{model.architecture}, {model.parameters:,} parameters")
    blocks = getattr(model.module, "blocks", None)
    if isinstance(blocks, torch.nn.Sequential | torch.nn.ModuleList):
        heads = getattr(getattr(blocks[0], "attn", None), "num_heads", 0)
        if row := published_row(len(blocks), getattr(model.module, "embed_dim", 0), heads):
            report.add(
                "published", f"{row.name}: {row.layers} layers, width {row.width}, {row.heads} heads, {row.parameters}"
            )
    if flops := count_flops(model.module, (height, preprocessing.input_size[1]), preprocessing.channels):
        report.add("cost", f"{flops / 1e9:.2f} GFLOPs a view (multiplications and additions counted apart)")
    if model.patch_size:
        rows, cols = height // model.patch_size[0], width // model.patch_size[1]
        report.add("view", f"{height} x {width} px, patches of {model.patch_size[0]} x {model.patch_size[1]} px")
        report.add("tokens", f"{rows} x {cols} patches + {len(prefix)} prefix = {rows * cols + len(prefix)}")
    else:
        report.add("view", f"{height} x {width} px")
    report.add(
        "preprocessing",
        f"{preprocessing.crop_mode} crop of {preprocessing.crop_pct:g}, {preprocessing.interpolation}, "
        f"mean {_numbers(preprocessing.mean)}, std {_numbers(preprocessing.std)}",
    )
    report.add("prefix tokens", ", ".join(prefix) or "none")
    report.add("output from", "the class token" if model.default_query == "cls" else "a pool over the patches")
    report.add("device", f"{model.device.title} ({model.device.reason}), {model.precision}")


def preprocessing_of(
    module: Any, crop: str | None = None, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
) -> Preprocessing:
    """The preprocessing that timm's config of this module asks for, with what is given here instead of its own."""
    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(module)
    built = getattr(getattr(module, "patch_embed", None), "img_size", None)
    if crop not in (None, "center", "squash", "border"):
        raise ModelError(f"The crop {crop!r} is unknown: use 'center', 'squash' or 'border'.")
    try:
        channels, height, width = config["input_size"]
        return Preprocessing(
            input_size=built if isinstance(built, tuple) and len(built) == 2 else (height, width),
            mean=tuple(mean) if mean is not None else tuple(config["mean"]),
            std=tuple(std) if std is not None else tuple(config["std"]),
            interpolation=config["interpolation"],
            crop_pct=config["crop_pct"] if crop is None else 1.0,
            crop_mode=crop or config.get("crop_mode") or "center",
            channels=channels,
        )
    except (TypeError, ValueError) as error:
        raise ModelError(f"The model's config asks for a preprocessing that can't be: {error}.") from error


def _imagenet_labels(module: Any) -> tuple[str, ...]:
    from timm.data import ImageNetInfo

    subset = {1000: "imagenet-1k", 21841: "imagenet-22k", 21843: "imagenet-21k-goog"}.get(module.num_classes)
    if subset is None:
        return ()
    info = ImageNetInfo(subset)
    return tuple(info.index_to_description(i).partition(",")[0] for i in range(info.num_classes()))


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{v:.4g}" for v in values)
