"""Which of timm's architectures a set of weights has the keys and shapes of.

The index is made by `resources/architectures/make.py` from all architectures of timm with attention between tokens,
with one hash of all (key, shape) pairs per architecture and level. Two architectures with one
signature are named together: what they disagree on (heads, activation, mean and std) no key or shape can tell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import torch

from vitviz import resources
from vitviz.models.names import INDEX, read
from vitviz.models.report import Certainty

Level = Literal["exact", "without head", "without head and resolution"]
LEVELS: tuple[Level, ...] = ("exact", "without head", "without head and resolution")

_HEADS = ("head.", "head_dist.", "fc.", "pre_logits.")
# Tables that follow from the sizes: in a file or not depending on timm's age, so no part of any signature.
_TABLES = ("relative_position_index", "relative_coords_table", "attn_mask")
_OF_THE_GRID = ("pos_embed", "pos_embed_win", "relative_position_bias_table", "rel_pos_h", "rel_pos_w")


@dataclass(frozen=True, slots=True)
class Match:
    """The architectures whose keys and shapes these weights have, at one level.

    Attributes:
        level: whether all keys matched, all but the head's, or all but the head's and the sizes of position tables.
        names: timm's names; the first is the one that most pretrained weights exist for.
        heads: number of heads, one per stage where they differ; empty where the architectures disagree.
        activation: such as "GELU" or "QuickGELU"; "" where they disagree.
        norm_eps: the epsilon of the blocks' norms; None where they disagree.
        preprocessing: (mean, std) -> the pretrained weights made with it, as "architecture.tag", most frequent first.
        classes: classes of the architecture's own head; None where they disagree.
        disagree: those of "heads", "activation", "norm epsilon", "mean and std", "window" on which the names differ.
        index_version: the timm that the index was made with.
        timm_version: the timm that is installed.
        views, windows: name -> (height, width) of the view in pixels; of a Swin's first window in patches.
    """

    level: Level
    names: tuple[str, ...]
    heads: tuple[int, ...]
    activation: str
    norm_eps: float | None
    preprocessing: tuple[tuple[tuple[float, ...], tuple[float, ...], tuple[str, ...]], ...]
    classes: int | None
    disagree: tuple[str, ...]
    index_version: str
    timm_version: str
    views: dict[str, tuple[int, int]] = field(default_factory=dict)
    windows: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def certainty(self) -> Certainty:
        """ "found" for all keys under the timm of the index, else "inferred"."""
        return "found" if self.level == "exact" and self.index_version == self.timm_version else "inferred"

    @property
    def sentence(self) -> str:
        """What matched, for the report."""
        shown = ", ".join(self.names[:4]) + (f" and {len(self.names) - 4} more" if len(self.names) > 4 else "")
        level = {"exact": "all keys and shapes are", "without head": "all keys and shapes but the head's are"}
        text = f"{level.get(self.level, 'all keys and shapes but those of head and grid are')} those of timm's {shown}"
        if self.disagree:
            text += f", which disagree on {' and '.join(self.disagree)}"
        if self.index_version != self.timm_version:
            text += f" as of timm {self.index_version} (installed is {self.timm_version}, which may differ)"
        return text


def lookup(tensors: Mapping[str, torch.Tensor]) -> list[Match]:
    """The architectures with these keys and shapes: all keys first, then without the head, then without resolution.

    The most certain level comes first; a level at which nothing matches is left out. Takes about a millisecond.
    """
    index = _index()
    hashes = signatures((key, tuple(value.shape)) for key, value in tensors.items())
    matches = []
    for level, number in zip(LEVELS, hashes, strict=True):
        names = index.by_signature[level].get(number)
        if names:
            matches.append(_match(level, names, index))
    return matches


def signatures(shapes: Iterable[tuple[str, tuple[int, ...]]]) -> tuple[str, str, str]:
    """A hash for each of LEVELS over (key, shape) pairs, whatever their order."""
    everything = sorted((key, shape) for key, shape in shapes if not key.endswith(_TABLES))
    headless = [(key, shape) for key, shape in everything if not key.startswith(_HEADS)]
    any_grid = [(key, _without_grid(key, shape)) for key, shape in headless]
    return _hash(everything), _hash(headless), _hash(any_grid)


def _without_grid(key: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if key.rpartition(".")[2] not in _OF_THE_GRID:
        return shape
    # MaxViT's tables are (heads, rows, columns), all others end with heads or width.
    kept = shape[0] if "bias_table" in key and len(shape) == 3 else shape[-1]
    return (len(shape), kept)


def _hash(pairs: Sequence[tuple[str, tuple[int, ...]]]) -> str:
    text = "\n".join(f"{key} {'x'.join(map(str, shape))}" for key, shape in pairs)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def usual_sizes(name: str) -> dict[str, str] | None:
    """The sizes of an architecture of the index as `describing.sizes_in` words them; None where it is not there."""
    facts = _index().architectures.get(name)
    return None if facts is None else dict(facts["sizes"])


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    version: str
    installed: str
    architectures: dict[str, dict[str, Any]]
    by_signature: dict[Level, dict[str, list[str]]]


@cache
def _index() -> _Index:
    from timm import __version__ as installed

    found = read(resources.path(INDEX))
    by_signature: dict[Level, dict[str, list[str]]] = {level: {} for level in LEVELS}
    for name, facts in found["architectures"].items():
        for level, number in zip(LEVELS, facts["signatures"], strict=True):
            by_signature[level].setdefault(number, []).append(name)
    return _Index(found["timm"], str(installed), found["architectures"], by_signature)


def _match(level: Level, names: list[str], index: _Index) -> Match:
    facts = {name: index.architectures[name] for name in names}
    # Where nothing else tells, the architecture with the most pretrained weights is the likelier one.
    ordered = sorted(names, key=lambda name: (-_weights(facts[name]), names.index(name)))
    heads = {tuple(f["heads"]) for f in facts.values()}
    activations = {f["activation"] for f in facts.values()}
    epsilons = {f["eps"] for f in facts.values()}
    classes = {f["classes"] for f in facts.values()}
    normalised: dict[tuple[tuple[float, ...], tuple[float, ...]], list[str]] = {}
    for name in ordered:
        for mean, std, tags in facts[name]["preprocessing"]:
            made = normalised.setdefault((tuple(mean), tuple(std)), [])
            made += [f"{name}.{tag}" if tag else name for tag in tags]
    # BEiT calls its grid a window.
    swins = {name: f["window"] for name, f in facts.items() if f["window"] and f["family"].startswith("Swin")}
    windows = {name: (window[0], window[1]) for name, window in swins.items()}
    several = {
        "heads": heads,
        "activation": activations,
        "norm epsilon": epsilons,
        "mean and std": normalised,
        "window": set(windows.values()),
    }
    return Match(
        level=level,
        names=tuple(ordered),
        heads=next(iter(heads)) if len(heads) == 1 else (),
        activation=next(iter(activations)) if len(activations) == 1 else "",
        norm_eps=next(iter(epsilons)) if len(epsilons) == 1 else None,
        preprocessing=tuple(
            (mean, std, tuple(made)) for (mean, std), made in sorted(normalised.items(), key=lambda item: -len(item[1]))
        ),
        classes=next(iter(classes)) if len(classes) == 1 else None,
        disagree=tuple(topic for topic, values in several.items() if len(values) > 1),
        index_version=index.version,
        timm_version=index.installed,
        views={name: (f["size"][0], f["size"][1]) for name, f in facts.items()},
        windows=windows,
    )


def _weights(facts: dict[str, Any]) -> int:
    return sum(bool(tag) for _, _, tags in facts["preprocessing"] for tag in tags)
