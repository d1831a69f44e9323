"""Source -> Model: build the architecture with timm, put the weights in, and report what was done."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from vitviz.errors import Cancelled, ModelError, SourceError
from vitviz.images import Preprocessing
from vitviz.models import hub
from vitviz.models.cost import count_flops, published_row
from vitviz.models.devices import choose, dtype_of
from vitviz.models.model import Model, default_query_of, patch_size_of, prefix_tokens_of
from vitviz.models.reading import read_weights
from vitviz.models.report import Report
from vitviz.models.source import Source, resolve

Size = int | tuple[int, int]
_PLACES = ("source", "url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "custom_load")


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
    pretrained: bool = True,
    labels: tuple[str, ...] | None = None,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> Model:
    """Load a model to look into.

    Args:
        source: "demo", "demo-swin", a weights file, a folder as the hub stores timm models, or a timm name.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        precision: "float32", "bfloat16" or "float16".
        image_size: side or (height, width) of the view in pixels; the position embedding is resampled.
        patch_size: patch side or (height, width); the patch embedding is resampled.
        crop: how the view is cut from the picture, "center", "squash" or "border"; the model's own where None.
        num_heads: overrides the architecture's number of heads.
        architecture: timm's name of the architecture, for a file that does not say.
        pretrained: False for random weights, marked as such.
        labels: names of the classes; the model's own where None.
        progress: called with (fraction or None, text).
        cancel: asked between the steps; True raises Cancelled.

    Raises:
        SourceError: what was named is not there or holds no weights.
        ModelError: the weights or sizes don't fit the architecture.
    """

    def step(fraction: float | None, text: str) -> None:
        if cancel():
            raise Cancelled(f"Loading {source} was cancelled.")
        progress(fraction, text)

    step(0.0, f"Looking for {source}")
    found = resolve(source, architecture=architecture)
    report = Report()
    report.add("source", _described(found))
    target = choose(device)
    dtype = dtype_of(precision)
    digest = None
    if pretrained:
        module, digest = _with_weights(found, report, image_size, patch_size, num_heads, step, cancel)
    else:
        step(0.3, f"Building {found.architecture}")
        args = {**found.model_args, **_sizes(image_size, patch_size, num_heads)}
        module = _create(found.architecture.partition(".")[0], pretrained=False, **args)
        report.add("weights", "random: every map of this model is meaningless but for its shapes", "warning")
    step(0.9, f"Moving to {target.title}")
    module = module.eval().to(device=target.name, dtype=dtype)
    if target.name.startswith("cuda"):
        torch.cuda.synchronize(target.name)
    prefix = prefix_tokens_of(module)
    model = Model(
        module=module,
        name=found.name,
        source=found.name if found.weights is None or found.kind == "demo" else str(found.weights),
        architecture=found.architecture,
        preprocessing=preprocessing_of(module, crop),
        labels=labels or found.labels or _imagenet_labels(module),
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
            "image_size": image_size,
            "patch_size": patch_size,
            "crop": crop,
            "num_heads": num_heads,
            "precision": precision,
            "pretrained": pretrained,
        },
    )
    _describe(model)
    return model


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


def preprocessing_of(module: Any, crop: str | None = None) -> Preprocessing:
    """The preprocessing that timm's config of this module asks for, with another way to crop where one is given."""
    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(module)
    built = getattr(getattr(module, "patch_embed", None), "img_size", None)
    if crop not in (None, "center", "squash", "border"):
        raise ModelError(f"The crop {crop!r} is unknown: use 'center', 'squash' or 'border'.")
    try:
        channels, height, width = config["input_size"]
        return Preprocessing(
            input_size=built if isinstance(built, tuple) and len(built) == 2 else (height, width),
            mean=tuple(config["mean"]),
            std=tuple(config["std"]),
            interpolation=config["interpolation"],
            crop_pct=config["crop_pct"] if crop is None else 1.0,
            crop_mode=crop or config.get("crop_mode") or "center",
            channels=channels,
        )
    except (TypeError, ValueError) as error:
        raise ModelError(f"The model's config asks for a preprocessing that can't be: {error}.") from error


def _with_weights(
    found: Source,
    report: Report,
    image_size: Size | None,
    patch_size: Size | None,
    num_heads: int | None,
    step: Callable[[float | None, str], None],
    cancel: Callable[[], bool],
) -> tuple[Any, str]:
    from timm.models import PretrainedCfg, get_pretrained_cfg

    base = found.architecture.partition(".")[0]
    config = get_pretrained_cfg(found.architecture) or PretrainedCfg()
    path, custom = found.weights, False
    if path is None:
        if not config.hf_hub_id:
            raise SourceError(
                f"timm names no weights on the hub for {found.architecture}: "
                "open a file with this architecture, or use random weights."
            )
        path = hub.fetch(config.hf_hub_id, config.hf_hub_filename, progress=step, cancel=cancel)
        custom = bool(config.custom_load)
    if found.pretrained_cfg:
        fields = {f.name for f in dataclasses.fields(PretrainedCfg)}
        known = {k: v for k, v in found.pretrained_cfg.items() if k in fields and k not in _PLACES}
        config = dataclasses.replace(config, **known)
    args = {**found.model_args, **_sizes(image_size, patch_size, num_heads)}
    step(0.2, f"Reading {path.name}")
    if custom:
        overlay: dict[str, Any] = {"file": str(path), "custom_load": True}
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    else:
        tensors, digest, notes = read_weights(path)
        report.add("weights", f"{path.name}, {len(tensors)} tensors, sha256 {digest[:16]}; {'; '.join(notes)}")
        classes = _classes(tensors, config, found)
        args["num_classes"] = classes
        overlay = {"state_dict": tensors, "num_classes": classes}
    clean = dataclasses.replace(config, **{k: None for k in _PLACES if k != "custom_load"}, custom_load=False)
    step(0.4, f"Building {base}")
    module = _create(base, pretrained=True, pretrained_cfg=clean.to_dict(), pretrained_cfg_overlay=overlay, **args)
    # The module keeps its config; the tensors in it would double the memory.
    module.pretrained_cfg.pop("state_dict", None)
    if image_size is not None or patch_size is not None:
        report.add(
            "resampled",
            f"to view {image_size or 'of the model'} and patch {patch_size or 'of the model'}: position embedding "
            "bicubic with antialias, patch embedding by pseudo-inverse resize (timm)",
            "converted",
        )
    return module, digest


def _create(name: str, **kwargs: Any) -> Any:
    import timm

    # timm warns through logging about what we report or refuse ourselves.
    logger = logging.getLogger("timm")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        return timm.create_model(name, **kwargs)
    except TypeError as error:
        raise ModelError(f"{name} can't be built so: {error}. It may not take another image or patch size.") from error
    except (RuntimeError, AssertionError, ValueError, KeyError) as error:
        text = " ".join(str(error).split())
        raise ModelError(
            f"The weights or sizes don't fit {name}: {text[:400]}. Name the architecture that they were made for."
        ) from error
    finally:
        logger.setLevel(level)


def _sizes(image_size: Size | None, patch_size: Size | None, num_heads: int | None) -> dict[str, Any]:
    args: dict[str, Any] = {}
    for key, value in (("img_size", image_size), ("patch_size", patch_size)):
        if value is None:
            continue
        pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
        if len(pair) != 2 or not all(isinstance(v, int) and 1 <= v <= 8192 for v in pair):
            raise ModelError(f"{key} must be one or two whole numbers of pixels from 1 to 8192, not {value!r}.")
        args[key] = pair if key == "img_size" else (pair if pair[0] != pair[1] else pair[0])
    if num_heads is not None:
        if not isinstance(num_heads, int) or num_heads < 1:
            raise ModelError(f"The number of heads must be a whole number from 1 on, not {num_heads!r}.")
        args["num_heads"] = num_heads
    return args


def _classes(tensors: dict[str, torch.Tensor], config: Any, found: Source) -> int:
    classifier = config.classifier or "head"
    first = classifier[0] if isinstance(classifier, list | tuple) else classifier
    weight = tensors.get(f"{first}.weight", tensors.get("head.weight", tensors.get("head.fc.weight")))
    if weight is None:
        return 0
    return int(weight.shape[0])


def _imagenet_labels(module: Any) -> tuple[str, ...]:
    from timm.data import ImageNetInfo

    subset = {1000: "imagenet-1k", 21841: "imagenet-22k", 21843: "imagenet-21k-goog"}.get(module.num_classes)
    if subset is None:
        return ()
    info = ImageNetInfo(subset)
    return tuple(info.index_to_description(i).partition(",")[0] for i in range(info.num_classes()))


def _described(found: Source) -> str:
    return f"{found.kind}: {found.weights or found.name}"


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{v:.4g}" for v in values)
