"""What the report says of a file that was read and of a model that stands."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from vitviz.models.architectures import usual_sizes
from vitviz.models.checkpoint import Checkpoint
from vitviz.models.cost import count_flops, published_row
from vitviz.models.model import Model, patch_size_of
from vitviz.models.report import Report
from vitviz.models.units import flops_text
from vitviz.models.wide_head import ClassAndMean


def report_said(
    report: Report,
    architecture: str,
    norm_eps: float | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    crop: str | None,
) -> None:
    """What the caller said stands in the report in place of what was found."""
    if architecture:
        report.replace("recognised", f"{architecture}, said by you")
    if norm_eps is not None:
        report.replace("norm epsilon", f"{norm_eps:g}, said by you")
    if mean is not None and std is not None:
        report.drop("mean", "std", "preprocessing")
        report.replace("mean and std", "said by you")
    elif mean is not None or std is not None:
        report.replace("mean" if std is None else "std", "said by you")
    if crop is not None:
        report.replace("crop", f"{crop}, said by you")


def report_reading(report: Report, checkpoint: Checkpoint) -> None:
    """Add what was read: container, hash, the network that is used and the others, what was ignored."""
    first, *others = checkpoint.networks
    notes = [checkpoint.container, f"{len(first.tensors)} tensors"]
    notes += [*([f"from {first.name!r}"] if first.name else []), *first.notes, *checkpoint.notes]
    report.add("weights", "; ".join(notes))
    report.add("hash", f"sha256 {checkpoint.sha256}")
    if others:
        names = ", ".join(repr(o.name) for o in others)
        report.add("other networks", f"{names} in the same file; choose one with network=")
    if checkpoint.ignored:
        shown = ", ".join(checkpoint.ignored[:8])
        more = f" and {len(checkpoint.ignored) - 8} more" if len(checkpoint.ignored) > 8 else ""
        report.add("ignored", f"pickled objects, read as inert placeholders: {shown}{more}", "converted")


def describe(model: Model) -> None:
    """Add what is known once the model stands: sizes, cost, preprocessing, device."""
    report, preprocessing, prefix = model.report, model.preprocessing, model.prefix_tokens
    height, width = preprocessing.input_size
    report.add("architecture", f"{_built_on(model)}, {model.parameters:,} parameters")
    blocks = getattr(model.module, "blocks", None)
    if isinstance(blocks, torch.nn.Sequential | torch.nn.ModuleList):
        heads = getattr(getattr(blocks[0], "attn", None), "num_heads", 0)
        if row := published_row(len(blocks), getattr(model.module, "embed_dim", 0), heads):
            report.add(
                "published", f"{row.name}: {row.layers} layers, width {row.width}, {row.heads} heads, {row.parameters}"
            )
    if flops := count_flops(model.module, (height, width), preprocessing.channels):
        report.add("cost", f"{flops_text(flops)} a view (multiplications and additions counted apart)")
    if model.patch_size:
        rows, cols = height // model.patch_size[0], width // model.patch_size[1]
        _add_view(report, f"{height} x {width} px", f", patches of {model.patch_size[0]} x {model.patch_size[1]} px")
        report.add("tokens", f"{rows} x {cols} patches + {len(prefix)} prefix = {rows * cols + len(prefix)}")
    else:
        _add_view(report, f"{height} x {width} px", "")
    report.add(
        "preprocessing",
        f"{preprocessing.crop_mode} crop of {preprocessing.crop_pct:g}, {preprocessing.interpolation}, "
        f"mean {_numbers(preprocessing.mean)}, std {_numbers(preprocessing.std)}",
    )
    report.add("classes", _classes(model))
    report.add("prefix tokens", ", ".join(prefix) or "none")
    report.add("output from", _output_from(model))
    report.add("device", f"{model.device.title} ({model.device.reason}), {model.precision}")


def _output_from(model: Model) -> str:
    if isinstance(getattr(model.module, "head", None), ClassAndMean):
        return "the class token beside the mean of the patches"
    if hasattr(model.module, "head_dist"):
        return "the class and distillation tokens, each with its head; the logits are their mean"
    if model.default_query == "cls":
        return "the class token"
    return "a pool over the patches" if model.patch_size is not None else "a pool"


def _classes(model: Model) -> str:
    count = int(getattr(model.module, "num_classes", 0) or 0)
    if not count:
        return "none: these weights have no classifier, so there are no predictions and nothing explains a class"
    return f"{count}, with names" if model.labels else f"{count}, without names"


def _built_on(model: Model) -> str:
    """The architecture, and the sizes that are not its own where arguments made them others."""
    name = model.architecture
    usual = usual_sizes(name.partition(".")[0])
    own = sizes_in(model.module)
    if usual is None or all(usual.get(topic) == text for topic, text in own.items()):
        return name
    return f"built on {name} with its own sizes: {', '.join(own.values())}"


def sizes_in(module: torch.nn.Module) -> dict[str, str]:
    """Number of layers, width, heads and patch size of a network of timm's in words, by topic; what can be told."""
    stages = [stage.blocks for stage in getattr(module, "layers", ()) if hasattr(stage, "blocks")]
    stages = stages or [getattr(module, "blocks", ())]
    depths = [len(blocks) for blocks in stages]
    heads = [getattr(getattr(blocks[0], "attn", None), "num_heads", None) for blocks in stages if len(blocks)]
    found = {}
    if all(depths):
        stage = f" in stages of {_slashed(depths)}" if len(depths) > 1 else ""
        found["layers"] = f"{sum(depths)} layers{stage}"
    width = getattr(module, "embed_dim", None)
    if isinstance(width, int):
        found["width"] = f"width {width}"
    if heads and all(isinstance(count, int) for count in heads):
        found["heads"] = f"{_slashed(heads)} heads"
    if patch := patch_size_of(module):
        found["patch"] = f"patches of {' x '.join(map(str, dict.fromkeys(patch)))} px"
    return found


def _slashed(counts: Sequence[object]) -> str:
    return "/".join(map(str, counts))


def _add_view(report: Report, size: str, patches: str) -> None:
    """One line on the view, with where its size is from unless it is another one by now."""
    known = next((finding for finding in report if finding.topic == "view"), None)
    if known is None or not known.text.startswith(size):
        report.replace("view", size + patches)
        return
    why = known.text.removeprefix(size).removeprefix(patches)
    report.replace("view", size + patches + why, known.certainty, known.since)


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{v:.4g}" for v in values)
