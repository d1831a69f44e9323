"""What the values beside the weights say about a network: config, folder, attributes of pickled modules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vitviz.models.checkpoint import Checkpoint
from vitviz.models.unknown.naming import words

HEADS = ("num_heads", "n_heads", "num_attention_heads", "n_head", "nhead", "nheads", "heads", "head_num", "num_head")
HEAD_SIZE = ("dim_head", "head_dim", "attn_head_dim")
EPS = ("layer_norm_eps", "norm_eps", "layernorm_eps", "ln_eps", "eps")
ACTIVATION = ("activation", "hidden_act", "act_layer", "act")
PRE_NORM = ("norm_first", "pre_norm", "prenorm")
POOL = ("global_pool", "pool", "pooling")
IMAGE = ("image_size", "img_size", "input_size", "image_shape")
CHANNELS = ("in_chans", "num_channels", "in_channels", "channels", "n_channels")
PREPROCESSOR = "preprocessor"
LABELS = ("id2label", "class_names", "classes", "labels", "label_names", "class_to_idx", "idx_to_class")
# Names of activations and of their classes in torch, timm and transformers -> timm's names.
ACTIVATIONS = {
    "gelu": "gelu", "geluactivation": "gelu", "gelu_new": "gelu_tanh", "gelu_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelutanh": "gelu_tanh",
    "newgeluactivation": "gelu_tanh", "quick_gelu": "quick_gelu", "quickgelu": "quick_gelu",
    "quickgeluactivation": "quick_gelu", "relu": "relu", "silu": "silu", "siluactivation": "silu", "swish": "silu",
    "tanh": "tanh",
}  # fmt: skip

# Words in the name of a dict: it is of the network that sees, or of another one beside it.
_SEES = {"encoder", "vision", "visual"}
_OF_ANOTHER = {"decoder", "text", "language", "llm"}
_DEPTH = 4
# Larger ones would have masks and tables built that fill the memory.
_LARGEST_IMAGE = 2048


def stated(checkpoint: Checkpoint, names: Sequence[str], kind: type | tuple[type, ...]) -> tuple[Any, str] | None:
    """The first value of these names and this kind, with the place that says so; None where none does.

    What stands under "encoder" or "vision_config" goes first; "decoder" and "text_config" are no sources.
    """
    for where, values in sources(checkpoint):
        for part in (*of_image_tower(values), ("", values)):
            if found := _first(*part, names, kind, where):
                return found
    return None


def sources(checkpoint: Checkpoint) -> Iterator[tuple[str, dict[str, Any]]]:
    """(words for the report, values) of all that stands beside the weights, the file's own values first."""
    yield "the file", checkpoint.config
    yield "config.json", {key: value for key, value in checkpoint.folder.items() if key != PREPROCESSOR}
    preprocessor = checkpoint.folder.get(PREPROCESSOR)
    yield "preprocessor_config.json", preprocessor if isinstance(preprocessor, dict) else {}


def of_image_tower(values: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path with a dot, values) of the parts that are of the network that sees the picture, outer ones first."""
    for key, value in _parts(values) if depth < _DEPTH else ():
        if _SEES.intersection(words(key)):
            yield f"{path}{key}.", value
        yield from of_image_tower(value, f"{path}{key}.", depth + 1)


def _first(
    path: str, values: Any, names: Sequence[str], kind: type | tuple[type, ...], where: str
) -> tuple[Any, str] | None:
    for name in names:
        for at, value in named(values, name, path):
            if isinstance(value, kind) and not (isinstance(value, bool) and kind is int):
                return value, f"{at} in {where}"
    return None


def attribute(checkpoint: Checkpoint, names: Sequence[str], kind: type | tuple[type, ...]) -> tuple[Any, str] | None:
    """The value that all pickled modules with one of these attributes agree on."""
    for name in names:
        found = {
            value
            for values in checkpoint.attributes.values()
            if isinstance(value := values.get(name), kind) and not (isinstance(value, bool) and kind is int)
        }
        if len(found) == 1:
            return found.pop(), f"{name} of the pickled modules"
    return None


def said(checkpoint: Checkpoint, names: Sequence[str], kind: type | tuple[type, ...]) -> tuple[Any, str] | None:
    """`stated`, else `attribute`."""
    return stated(checkpoint, names, kind) or attribute(checkpoint, names, kind)


def norm_eps(checkpoint: Checkpoint) -> tuple[float, str] | None:
    """The epsilon of the norms; a bare "eps" counts on pickled modules only, since optimisers have one too."""
    found = stated(checkpoint, EPS[:-1], float) or attribute(checkpoint, EPS, float)
    return found if found is not None and 0 < found[0] < 1 else None


def activation(checkpoint: Checkpoint) -> tuple[str, str] | None:
    """The activation of the MLPs by timm's name: said in words, or the one class that pickled modules have."""
    found = stated(checkpoint, ACTIVATION, str)
    if found is not None and (name := _activation(found[0])):
        return name, found[1]
    names = {
        "gelu_tanh" if values.get("approximate") == "tanh" else name
        for values in checkpoint.attributes.values()
        if (name := _activation(str(values.get("class", ""))))
    }
    return (names.pop(), "the classes of the pickled modules") if len(names) == 1 else None


def _activation(text: str) -> str | None:
    return ACTIVATIONS.get(text.lower().rpartition(".")[2])


def size(checkpoint: Checkpoint) -> tuple[tuple[int, int], str] | None:
    """(height, width) of the view as the file or its folder say."""
    found = stated(checkpoint, IMAGE, (int, list, tuple))
    if found is None:
        return None
    value, where = found
    sides = (value, value) if isinstance(value, int) else tuple(value)[-2:]
    if len(sides) != 2 or not all(isinstance(s, int) and 1 <= s <= _LARGEST_IMAGE for s in sides):
        return None
    return (sides[0], sides[1]), where


def view(checkpoint: Checkpoint) -> tuple[tuple[int, int], str] | None:
    """(height, width) of the view as the user says, else `size`; where it fits the positions it is their grid."""
    return size(checkpoint) if checkpoint.view is None else (checkpoint.view, "what you said")


def labels(checkpoint: Checkpoint, classes: int) -> tuple[str, ...]:
    """Names of the classes, empty where none are stated for so many."""
    # The names of classes are the whole network's; those of its parts are what transformers fills in.
    each = (_first("", values, LABELS, (list, tuple, dict), where) for where, values in sources(checkpoint))
    found = next((one for one in each if one), None)
    if found is None:
        return ()
    value = found[0]
    if isinstance(value, dict):
        if all(isinstance(v, int) for v in value.values()):
            value = {index: name for name, index in value.items()}
        try:
            value = [value[key] for key in sorted(value, key=int)]
        except (TypeError, ValueError):
            return ()
    names = tuple(str(name) for name in value)
    return names if len(names) == classes else ()


def named(values: Any, name: str, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """(path, value) of this key, outer ones first, without those of a decoder or of text."""
    if not isinstance(values, dict) or depth > _DEPTH:
        return
    if name in values:
        yield f"{path}{name}", values[name]
    for key, value in _parts(values):
        yield from named(value, name, f"{path}{key}.", depth + 1)


def _parts(values: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The dicts in a dict but for those of another network."""
    for key, value in values.items() if isinstance(values, dict) else ():
        if isinstance(value, dict) and not _OF_ANOTHER.intersection(words(str(key))):
            yield str(key), value
