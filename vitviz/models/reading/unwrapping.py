"""The tree of objects in a file -> its networks, its plain values, and the attributes of its pickled modules.

Wrappers and prefixes in the order in which training code nests them (MODELS, section 1); timm itself unwraps only
state_dict_ema, model_ema, state_dict and model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from vitviz.errors import SourceError
from vitviz.models.checkpoint import Network
from vitviz.models.reading.attributes import MAX_NODES, NOTHING, is_rebuilt, of_module, plain
from vitviz.models.reading.inert import Placeholder
from vitviz.models.reading.preflight import MAX_TENSORS, shortened

WRAPPERS = (
    "state_dict_ema", "model_ema", "ema", "teacher", "student", "target_encoder", "encoder", "state_dict", "model",
    "model_state", "model_state_dict", "net", "network", "module", "backbone", "params", "weights",
)  # fmt: skip
# Two networks in one dict of tensors, the better one first.
_PAIRS = (
    ("model_ema.", "model."), ("ema_model.", "model."), ("ema.", "model."), ("net_ema.", "net."),
    ("ema_model.", "online_model."), ("teacher.", "student."), ("target_encoder.", "encoder."),
    ("base_encoder.", "momentum_encoder."), ("encoder_q.", "encoder_k."),
)  # fmt: skip
PREFIXES = (
    "module.", "_orig_mod.", "model.", "net.", "network.", "encoder.", "backbone.", "base_encoder.",
    "momentum_encoder.", "student.", "teacher.", "visual.trunk.", "visual.", "vision_model.", "vision_tower.",
    "image_encoder.", "trunk.", "vit.", "deit.", "beit.", "swin.", "swinv2.", "dinov2.", "model_ema.", "ema_model.",
    "ema.", "net_ema.", "online_model.", "target_encoder.", "encoder_q.", "encoder_k.",
)  # fmt: skip
_HEADS = ("head.", "heads.", "head_dist.", "fc.", "classifier.", "mlp_head.", "linear_head.", "cls_classifier.")
_TRAINING = ("optim", "lr_sched", "sched", "scaler", "amp", "callbacks", "loops", "grad", "rng", "random")
_LOSSES = ("criterion.", "loss.", "loss_fn.", "loss_func.", "train_acc.", "val_acc.", "dino_loss.", "ibot_patch_loss.")
_PROJECTIONS = ("dino_head.", "ibot_head.", "projector.", "predictor.", "projection_head.")
_MAE = ("decoder.", "decoder_", "mask_token")
FEWEST = 4
MAX_DEPTH = 12
MAX_PLACES = 64
MAX_NETWORKS = 32


@dataclass(slots=True, eq=False)
class Unwrapped:
    """What a tree holds; the first network is the default, or the one asked for."""

    networks: list[Network] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    # One dict may hang in a tree a thousand times.
    seen: dict[int, dict[str, Any]] = field(default_factory=dict, repr=False)


def unwrap(tree: Any, name: str, *, network: str | None = None) -> Unwrapped:
    """Find the networks of a file's object tree; `name` is the file's, for the sentences of SourceError."""
    found = Unwrapped()
    places = list(_places(tree, found, FEWEST)) or list(_places(tree, found, 1))
    if not places:
        raise SourceError(
            f"{name} holds {_described(tree)} and no tensors by name: save the model's state_dict, or safetensors."
        )
    unique: dict[int, tuple[str, dict[str, Any]]] = {}
    for place, tensors in places:
        unique.setdefault(id(tensors), (place, tensors))
    places = list(unique.values())
    if any(len(tensors) > MAX_TENSORS for _, tensors in places):
        raise SourceError(
            f"{name} holds more than {MAX_TENSORS} tensors in one network: save the encoder's state_dict."
        )
    for place, tensors in places:
        for label, part in _parted(tensors):
            joined = ".".join(filter(None, (place, label)))
            if len(found.networks) < MAX_NETWORKS and all(joined != known.name for known in found.networks):
                found.networks.append(_cleaned(joined, part))
    if network is not None:
        chosen = next((known for known in found.networks if known.name == network), None)
        if chosen is None:
            names = ", ".join(repr(known.name) for known in found.networks)
            raise SourceError(f"{name} holds no network {shortened(network)}: it holds {names}, so name one of these.")
        found.networks = [chosen, *(known for known in found.networks if known is not chosen)]
    _refuse_placeholders(name, found.networks[0])
    readable = [one for one in found.networks if all(torch.is_tensor(value) for value in one.tensors.values())]
    if len(readable) < len(found.networks):
        found.notes.append("networks with sparse, quantised or meta tensors were left out")
        found.networks = readable
    if len(found.networks) > 1:
        others = ", ".join(repr(known.name) for known in found.networks[1:])
        found.notes.append(f"several networks: {found.networks[0].name!r} is used; the others are {others}")
    _read_config(tree, found, {place for place, _ in places})
    return found


def _places(tree: Any, found: Unwrapped, fewest: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every dict of at least `fewest` tensors, the best first: the tree itself, then its wrappers, then the rest."""
    own = _tensors_of(tree, found)
    if len(own) >= fewest:
        yield "", own
        if not isinstance(tree, dict):
            return
    if isinstance(tree, dict):
        known = [key for key in WRAPPERS if key in tree]
        others = [key for key in tree if isinstance(key, str) and key not in WRAPPERS]
        others = [key for key in others if not key.lower().startswith(_TRAINING)]
        for key in (known + others)[:MAX_PLACES]:
            inner = _innermost(tree[key], found, fewest)
            if inner:
                yield key, inner


def _innermost(value: Any, found: Unwrapped, fewest: int) -> dict[str, Any]:
    """The tensors of a wrapper, or of the first wrapper inside it, such as model_ema -> module."""
    for _ in range(MAX_DEPTH):
        own = _tensors_of(value, found)
        if len(own) >= fewest:
            return own
        if not isinstance(value, dict) or "param_groups" in value:
            return {}
        value = next((value[key] for key in WRAPPERS if isinstance(value.get(key), dict | Placeholder)), None)
    return {}


def _tensors_of(value: Any, found: Unwrapped) -> dict[str, Any]:
    """The tensors of a dict or of a pickled module by name; placeholders of unreadable tensors stay in."""
    if id(value) not in found.seen:
        tensors: dict[str, Any] = {}
        if isinstance(value, Placeholder):
            tensors, attributes = of_module(value)
            if tensors and not found.attributes:
                found.attributes = attributes
        elif isinstance(value, dict):
            tensors = {k: v for k, v in value.items() if isinstance(k, str) and (torch.is_tensor(v) or is_rebuilt(v))}
        found.seen[id(value)] = tensors
    return found.seen[id(value)]


def _parted(tensors: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """One dict, or the two networks that lie in it side by side, such as "teacher." and "student."."""
    for outer in ("", "module."):
        for pair in _PAIRS:
            parts = [{k: v for k, v in tensors.items() if k.startswith(outer + prefix)} for prefix in pair]
            if all(len(part) >= FEWEST for part in parts) and _is_alike(*parts):
                for prefix, part in zip(pair, parts, strict=True):
                    yield prefix[:-1], part
                return
    yield "", tensors


def _is_alike(first: dict[str, Any], second: dict[str, Any]) -> bool:
    # "encoder." beside "model." may be two halves of one network; two networks share most of their names.
    ends = [{key.split(".", 2 if key.startswith("module.") else 1)[-1] for key in part} for part in (first, second)]
    return len(ends[0] & ends[1]) * 2 >= min(len(ends[0]), len(ends[1]))


def _cleaned(name: str, tensors: dict[str, Any]) -> Network:
    """Take shared prefixes off and leave out what is no part of the encoder, each with a note."""
    notes: list[str] = []
    if "n_averaged" in tensors:
        tensors = {k: v for k, v in tensors.items() if k != "n_averaged"}
    for _ in range(16):
        before = len(notes)
        tensors = _without(tensors, _LOSSES, "of the training loss", notes)
        tensors = _without(tensors, _PROJECTIONS, "of a projection head", notes)
        if any(key.startswith(("head.last_layer.", "backbone.")) for key in tensors):
            tensors = _without(tensors, ("head.mlp.", "head.last_layer."), "of DINO's projection head", notes)
        if any(key.startswith(("decoder.", "decoder_")) for key in tensors):
            tensors = _without(tensors, (*_MAE, "encoder.mask_token"), "of a decoder (MAE, SimMIM)", notes)
        body = [key for key in tensors if not key.startswith(_HEADS)]
        for prefix in PREFIXES:
            if body and all(key.startswith(prefix) and key != prefix for key in body):
                shorter = {key.removeprefix(prefix): value for key, value in tensors.items()}
                if len(shorter) == len(tensors):
                    tensors = shorter
                    notes.append(f"the prefix {prefix!r} was taken off")
                    break
        if len(notes) == before:
            break
    return Network(name, tensors, tuple(notes))


def _without(tensors: dict[str, Any], prefixes: tuple[str, ...], what: str, notes: list[str]) -> dict[str, Any]:
    kept = {key: value for key, value in tensors.items() if not key.startswith(prefixes)}
    if len(kept) == len(tensors) or len(kept) < FEWEST:
        return tensors
    gone = len(tensors) - len(kept)
    notes.append(f"{gone} tensor{'s' if gone > 1 else ''} {what} {'were' if gone > 1 else 'was'} left out")
    return kept


def _refuse_placeholders(name: str, network: Network) -> None:
    for key, value in network.tensors.items():
        if not torch.is_tensor(value):
            kind = next((k for k in ("sparse", "meta", "qtensor") if k in value.name), "of a kind that is not read")
            kind = {"qtensor": "quantised"}.get(kind, kind)
            raise SourceError(
                f"{name}: the tensor {shortened(key)} is {kind}, no plain array: save the unquantised state_dict again."
            )


def _read_config(tree: Any, found: Unwrapped, places: set[str]) -> None:
    """Plain values beside the weights; what is too large or of no plain kind is left out."""
    if not isinstance(tree, dict):
        return
    left = [MAX_NODES]
    for key, value in tree.items():
        if not isinstance(key, str) or key in places or ("" in places and torch.is_tensor(value)):
            continue
        if key.lower().startswith(_TRAINING):
            found.notes.append(f"{shortened(key)} was left out (it serves training only)")
            continue
        made = plain(value, left)
        if made is not NOTHING:
            found.config[key[:200]] = made
    if left[0] <= 0:
        found.notes.append("some of the values beside the weights were left out (too many)")


def _described(tree: Any) -> str:
    if isinstance(tree, Placeholder):
        return f"an object of class {shortened(tree.name)}"
    kinds = {"dict": "a dictionary", "list": "a list", "tuple": "a tuple", "str": "a text", "Tensor": "one tensor"}
    return kinds.get(type(tree).__name__, "a value")
