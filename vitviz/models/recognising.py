"""Checkpoint -> Recognition: timm's own architectures first, then the known formats, then structure alone.

What shapes can't tell, the number of heads above all, is resolved in a stated order and reported with its source.
"""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

from vitviz.errors import ModelError
from vitviz.models import stated
from vitviz.models.architectures import Match, lookup
from vitviz.models.checkpoint import Checkpoint, Network, Recognition
from vitviz.models.foreign import recognise_foreign
from vitviz.models.foreign.shapes import read_shapes
from vitviz.models.heads import estimate_heads, resolve_heads
from vitviz.models.report import Finding
from vitviz.models.unknown.matching import match_structure
from vitviz.models.unknown.plain_vit import PlainConfig, PlainViT

_HEADS = ("head.weight", "head.fc.weight", "fc.weight")


def recognise(checkpoint: Checkpoint, *, num_heads: int | None = None) -> Recognition:
    """What network the first weights of a checkpoint are of.

    Args:
        checkpoint: as `read_checkpoint` gives it.
        num_heads: as the user says it, above everything else.

    Raises:
        SourceError: the weights are of no vision transformer that can be told; the message says what was found.
        ModelError: they are of a known format, but not whole.
    """
    network = checkpoint.networks[0]
    matches = lookup(network.tensors)
    if matches:
        found = _of_timm(checkpoint, network, matches)
    else:
        found = recognise_foreign(checkpoint, network) or match_structure(network, checkpoint, num_heads=num_heads)
    if found.architecture and found.format != "timm":
        _resolve(found, checkpoint, num_heads)
    elif num_heads is not None and found.module is None:
        found.model_args["num_heads"] = num_heads
        found.findings.append(Finding("heads", f"{num_heads}, said by you"))
    _apply_stated(found, checkpoint)
    return found


def _apply_stated(found: Recognition, checkpoint: Checkpoint) -> None:
    """Labels, mean and std that stand beside the weights win over what the format usually has."""
    if not found.labels:
        found.labels = stated.labels(checkpoint, classes_of(found.tensors))
    for name, keys in (("mean", stated.MEAN), ("std", stated.STD)):
        numbers = stated.numbers(checkpoint, keys)
        if numbers is not None:
            values, where = numbers
            found.preprocessing[name] = values * 3 if len(values) == 1 else values
            found.findings.append(Finding(name, f"{', '.join(f'{v:g}' for v in values)}, from {where}"))


def said(checkpoint: Checkpoint, architecture: str, model_args: dict[str, Any]) -> Recognition:
    """Weights of an architecture that the user, a config or a name says; timm converts what it can by itself."""
    network = checkpoint.networks[0]
    tensors = network.tensors
    findings: list[Finding] = []
    if checkpoint.container == "numpy archive":
        converted = recognise_foreign(checkpoint, network)
        if converted is not None:
            tensors, findings = converted.tensors, [f for f in converted.findings if f.certainty == "converted"]
    args = {**model_args, "num_classes": classes_of(tensors)}
    labels = stated.labels(checkpoint, args["num_classes"])
    return Recognition("timm", tensors, architecture, args, labels=labels, findings=findings)


def plain(checkpoint: Checkpoint, config: PlainConfig) -> Recognition:
    """Weights that vitviz saved of a network that timm can't build, with its config."""
    return Recognition(
        "vitviz's plain vision transformer",
        checkpoint.networks[0].tensors,
        module=PlainViT(config),
        labels=stated.labels(checkpoint, config.classes),
        findings=[Finding("heads", f"{config.heads}, from config.json"), Finding("structure", "from config.json")],
    )


def _of_timm(checkpoint: Checkpoint, network: Network, matches: list[Match]) -> Recognition:
    """Weights whose names and shapes are those of an architecture of timm's."""
    best = matches[0]
    name = _named_by(checkpoint, best.names) or best.names[0]
    args: dict[str, Any] = {"num_classes": classes_of(network.tensors)}
    findings = [Finding("recognised", best.sentence, best.certainty)]
    if best.level == "without head and resolution":
        size = _image_size(network.tensors)
        if size is not None:
            args["img_size"] = size
            findings.append(Finding("view", f"{size[0]} x {size[1]} px, from the position embedding", "inferred"))
    if best.heads:
        findings.append(Finding("heads", f"{', '.join(map(str, best.heads))}, those of {name}", best.certainty))
    eps = stated.norm_eps(checkpoint)
    if eps is not None:
        findings.append(Finding("norm epsilon", f"{eps[0]:g}, from {eps[1]}"))
    elif best.norm_eps is not None:
        findings.append(Finding("norm epsilon", f"{best.norm_eps:g}, that of {name}; no tensor tells", "assumed"))
    preprocessing: dict[str, Any] = {}
    if best.preprocessing:
        mean, std, users = best.preprocessing[0]
        hinted = next((p for p in best.preprocessing if any(_tag(u) in checkpoint.path.name for u in p[2])), None)
        if hinted is not None:
            mean, std, users = hinted
        preprocessing = {"mean": mean, "std": std}
        if len(best.preprocessing) > 1:
            findings.append(
                Finding(
                    "preprocessing",
                    f"mean {mean}, std {std} as {users[0]}; others with these shapes use other values, "
                    "and wrong ones shift every prediction",
                    "inferred" if hinted else "assumed",
                )
            )
    return Recognition(
        format="timm",
        tensors=network.tensors,
        architecture=name,
        model_args=args,
        preprocessing=preprocessing,
        labels=stated.labels(checkpoint, args["num_classes"]),
        norm_eps=None if eps is None else eps[0],
        findings=findings,
    )


def _resolve(found: Recognition, checkpoint: Checkpoint, num_heads: int | None) -> None:
    """Put the number of heads into the arguments of a network that timm builds, and say where it is from."""
    told = found.model_args.get("num_heads")
    if num_heads is None and told is not None:
        return
    layers = attention_weights(found.tensors)
    if not layers:
        return
    width = layers[0][0].shape[0]
    explicit = (num_heads, "said by you") if num_heads is not None else None
    if explicit is None:
        explicit = stated.said(checkpoint, stated.HEADS, int)
    choice = resolve_heads(explicit, lookup(found.tensors), estimate_heads(layers), width)
    found.model_args["num_heads"] = choice.heads
    found.findings = [f for f in found.findings if f.topic != "heads"]
    found.findings.append(Finding("heads", f"{choice.heads}: {choice.source}", choice.certainty))


def attention_weights(tensors: dict[str, Tensor]) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """(q, k, v, out) of every block under timm's names, empty where q, k and v are not fused."""
    found = []
    for key, qkv in tensors.items():
        if re.fullmatch(r"blocks\.\d+\.attn\.qkv\.weight", key) and qkv.dim() == 2 and qkv.shape[0] % 3 == 0:
            out = tensors.get(key.replace("qkv", "proj"))
            if out is not None and out.shape[1] == qkv.shape[0] // 3:
                q, k, v = qkv.chunk(3)
                found.append((q, k, v, out))
    return found


def classes_of(tensors: dict[str, Tensor]) -> int:
    """Number of classes under timm's names, 0 where there is no head."""
    weight = next((tensors[name] for name in _HEADS if name in tensors and tensors[name].dim() == 2), None)
    return 0 if weight is None else int(weight.shape[0])


def _image_size(tensors: dict[str, Tensor]) -> tuple[int, int] | None:
    try:
        return read_shapes(tensors).image
    except (ModelError, KeyError, IndexError, ValueError):
        return None


def _named_by(checkpoint: Checkpoint, names: tuple[str, ...]) -> str | None:
    """The architecture that the config or the file's name says, if it is one of these."""
    said = stated.said(checkpoint, ("architecture", "arch", "model", "model_name"), str)
    if said is not None and said[0].partition(".")[0] in names:
        return str(said[0]).partition(".")[0]
    return next((name for name in sorted(names, key=len, reverse=True) if name in checkpoint.path.name), None)


def _tag(name: str) -> str:
    return name.partition(".")[2] or name
