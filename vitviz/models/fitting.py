"""Whether the config.json that lies by weights is theirs: what it says of sizes and kind against the tensors.

A folder of downloads holds one config.json and weights of many networks. Nobody named the config that lies beside a
file, so it counts only where it fits; that of a folder opened as a whole counts unless it contradicts the tensors.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from vitviz.models import stated
from vitviz.models.architectures import lookup, usual_sizes
from vitviz.models.checkpoint import Checkpoint
from vitviz.models.reading.folders import CONFIGS, read_note
from vitviz.models.report import Finding

_WIDTH = ("hidden_size", "embed_dim", "d_model", "n_embd", "dim")
_DEPTH = ("num_hidden_layers", "depth", "num_layers", "n_layers", "n_layer")
_PATCH = ("patch_size",)
_OF_PICTURES = ("image_size", "img_size", "image_shape", "patch_size", "num_channels", "in_chans")
_OF_TEXT = ("vocab_size", "n_positions", "max_position_embeddings")


def fitted(checkpoint: Checkpoint, *, named: bool) -> tuple[Checkpoint, Finding | None]:
    """The checkpoint without configs that are not its own, and what the report says of that; None where they stay.

    Args:
        named: whether the user opened the folder as a whole, rather than a file in it.
    """
    config = {key: value for key, value in checkpoint.folder.items() if key != stated.PREPROCESSOR}
    tensors = checkpoint.networks[0].tensors
    why = contradiction(config, tensors) or ("" if named or not config else _lack(config, tensors))
    if not why:
        return checkpoint, None
    where = "of the folder" if named else "beside the file"
    what = f"config.json {where} was not used"
    if stated.PREPROCESSOR in checkpoint.folder:
        what = f"config.json and preprocessor_config.json {where} were not used"
    read = [read_note(name) for name in CONFIGS]
    notes = tuple(note for note in checkpoint.notes if note not in read)
    return replace(checkpoint, folder={}, notes=notes), Finding("config", f"{what}: {why}", "warning")


def contradiction(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Why a config can't be of these tensors, "" where nothing speaks against it."""
    part, path = _of_network(config)
    for compared in _comparisons(part, path, tensors):
        if compared.agrees is False:
            return compared.words
    text = next((at for name in _OF_TEXT for at, _ in stated.named(part, name, path)), None)
    if text is None or _is_of_pictures(part):
        return ""
    kind = config.get("model_type")
    return f"it is of a network for text ({kind[:40] if isinstance(kind, str) else text})"


def _lack(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Why a config that does not contradict these tensors is not tied to them either, "" where something ties it."""
    name = config.get("architecture")
    name = name.partition(".")[0] if isinstance(name, str) else ""
    if usual_sizes(name) is not None:
        names = [each for match in lookup(tensors) for each in match.names]
        if names and name not in names:
            return f"it is of {name}, and these weights have the shapes of {names[0]}"
        features, lengths = config.get("num_features"), _lengths(tensors)
        if not names and isinstance(features, int) and features not in lengths:
            return f"its num_features is {features}, and no norm of these weights is so long"
        return ""
    part, path = _of_network(config)
    if _is_of_pictures(part) or any(compared.agrees for compared in _comparisons(part, path, tensors)):
        return ""
    return "it says nothing of pictures and no size that these weights have; open the folder to have it read"


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A size that a config says against the tensors: `agrees` is None where one of them does not tell it."""

    agrees: bool | None
    words: str = ""


def _comparisons(part: Mapping[str, Any], path: str, tensors: Mapping[str, Tensor]) -> Iterator[_Comparison]:
    widths, depths, patches = _widths(tensors), _depths(tensors), _patches(tensors)
    # The width after the last of several stages is not the one that the first begins with.
    names = [name for name in _WIDTH if name != "hidden_size" or not isinstance(part.get("depths"), list)]
    wide = f"are {' or '.join(map(str, sorted(widths)))} wide"
    yield _compare(part, path, names, _whole, widths, wide)
    yield _compare(part, path, _DEPTH, _whole, depths, "have no row of so many layers")
    patch = " or ".join(f"{height} x {width} px" for height, width in sorted(patches))
    yield _compare(part, path, _PATCH, _pair, patches, f"take patches of {patch}")


def _compare(
    part: Mapping[str, Any],
    path: str,
    names: Sequence[str],
    read: Callable[[Any], Any],
    has: set[Any],
    words: str,
) -> _Comparison:
    """What is said under any of these names against what the tensors have; one that fits is enough."""
    said = [(at, value) for name in names for at, value in stated.named(part, name, path) if read(value) is not None]
    if not said or not has:
        return _Comparison(None)
    at, value = said[0]
    return _Comparison(any(read(value) in has for _, value in said), f"its {at} is {value}, and these weights {words}")


def _of_network(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The part of a config that is of the network that sees, else all of it, and its path with a dot."""
    telling = (*_WIDTH, *_DEPTH, *_OF_PICTURES)
    for path, part in stated.of_image_tower(config):
        if any(True for name in telling for _ in stated.named(part, name)):
            return part, path
    return config, ""


def _is_of_pictures(part: Mapping[str, Any]) -> bool:
    return any(True for name in _OF_PICTURES for _ in stated.named(part, name))


def _widths(tensors: Mapping[str, Tensor]) -> set[int]:
    """What may be the width of a token: what most norms and biases are long, what a patch is embedded in."""
    lengths = _lengths(tensors)
    most = max(lengths.values(), default=0)
    found = {length for length, count in lengths.items() if count == most}
    convolutions = _convolutions(tensors)
    if len(convolutions) == 1:
        shape = convolutions[0].shape
        found.add(int(shape[3] if _is_flax(convolutions[0]) else shape[0]))
    return found


def _lengths(tensors: Mapping[str, Tensor]) -> Counter[int]:
    """How many norms and biases have which length."""
    return Counter(int(value.shape[0]) for value in tensors.values() if value.dim() == 1)


def _depths(tensors: Mapping[str, Tensor]) -> set[int]:
    """How many there are of whatever is numbered in the names."""
    numbers: dict[str, set[str]] = {}
    for name in tensors:
        for match in re.finditer(r"(?<!\d)\d+(?!\d)", name):
            numbers.setdefault(name[: match.start()], set()).add(match[0])
    return {len(found) for found in numbers.values()}


def _patches(tensors: Mapping[str, Tensor]) -> set[tuple[int, int]]:
    """Height and width of a patch where one convolution embeds it; empty where several do, or a matrix."""
    convolutions = _convolutions(tensors)
    if len(convolutions) != 1:
        return set()
    height, width = convolutions[0].shape[:2] if _is_flax(convolutions[0]) else convolutions[0].shape[2:]
    return {(int(height), int(width))}


def _convolutions(tensors: Mapping[str, Tensor]) -> list[Tensor]:
    return [value for name, value in tensors.items() if value.dim() == 4 and "pos" not in name and "table" not in name]


def _is_flax(kernel: Tensor) -> bool:
    """Whether a kernel is (height, width, channels, width of a token) as in a .npz, not torch's way round."""
    return kernel.shape[0] == kernel.shape[1] and kernel.shape[2] < kernel.shape[3]


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _pair(value: Any) -> tuple[int, int] | None:
    sides = (value, value) if type(value) is int else tuple(value)[-2:] if isinstance(value, list | tuple) else ()
    return (sides[0], sides[1]) if len(sides) == 2 and all(_whole(side) for side in sides) else None
