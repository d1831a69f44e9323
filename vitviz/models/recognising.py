"""Checkpoint -> Recognition: timm's own architectures first, then the known formats, then structure alone.

What shapes can't tell, the number of heads above all, is resolved in a stated order and reported with its source.
"""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

from vitviz.models import stated
from vitviz.models.architectures import Match, lookup
from vitviz.models.checkpoint import Checkpoint, Recognition
from vitviz.models.foreign import recognise_foreign
from vitviz.models.foreign.releases import Renamed, renamed
from vitviz.models.heads import estimate_heads, resolve_heads
from vitviz.models.indexed import classes_of, of_timm
from vitviz.models.normalising import statistics
from vitviz.models.report import Finding
from vitviz.models.unknown.matching import match_structure
from vitviz.models.unknown.plain_vit import PlainConfig, PlainViT


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
    release = renamed(network)
    matches = [] if release is None else _matches(release)
    if release is not None and matches:
        network = release.network
    else:
        release, matches = None, lookup(network.tensors)
    if matches:
        found = of_timm(checkpoint, network, matches)
    else:
        found = recognise_foreign(checkpoint, network) or match_structure(network, checkpoint, num_heads=num_heads)
    if release is not None:
        _take_release(found, release, checkpoint)
    elif found.architecture and found.format != "timm":
        _resolve(found, checkpoint, num_heads)
    elif num_heads is not None and found.module is None:
        found.model_args["num_heads"] = num_heads
        found.findings.append(Finding("heads", f"{num_heads}, said by you"))
    _apply_stated(found, checkpoint)
    return found


def _matches(release: Renamed) -> list[Match]:
    """The architectures of a release; none where they may as well be of others."""
    matches = lookup(release.network.tensors)
    if release.family and matches:
        best = matches[0]
        is_sure = best.level != "without head and resolution" and best.names[0].startswith(release.family)
        return matches if is_sure else []
    return matches


def _take_release(found: Recognition, release: Renamed, checkpoint: Checkpoint) -> None:
    """What was found under timm's names, of a release with names of its own."""
    found.format = release.title
    found.findings[:0] = release.findings
    if release.raw:
        found.tensors = checkpoint.networks[0].tensors
        # Its positions are for far larger views than it is used on.
        found.model_args.pop("img_size", None)
        found.findings = [finding for finding in found.findings if finding.topic != "view"]


def _apply_stated(found: Recognition, checkpoint: Checkpoint) -> None:
    """Labels, mean and std that stand beside the weights win over what the format usually has."""
    if not found.labels:
        found.labels = stated.labels(checkpoint, classes_of(found.tensors))
    told = statistics(checkpoint, _channels(found))
    if told is not None:
        guesses = ("mean and std", "preprocessing")
        found.findings = [f for f in found.findings if f.topic not in guesses or f.certainty == "found"]
        found.preprocessing |= {"mean": told.mean, "std": told.std}
        found.findings += [Finding("mean", told.mean_said), Finding("std", told.std_said)]


def _channels(found: Recognition) -> int:
    """Of the picture; an architecture of timm's with another number than three says so."""
    size = found.preprocessing.get("input_size")
    return int(size[0]) if size else int(found.model_args.get("in_chans", 3))


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
    choice = resolve_heads(explicit, lookup(found.tensors), lambda: estimate_heads(layers), width)
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
