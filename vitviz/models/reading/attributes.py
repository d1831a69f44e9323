"""What a file holds beside its weights: the attributes of pickled modules, and plain values such as args and classes.

Read after everything foreign in it became a `Placeholder`; all walks are bounded, because a small file may hold one
long list a hundred thousand times over.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import torch

from vitviz.models.reading.inert import Placeholder

MAX_NODES = 100_000
MAX_DEPTH = 12
MAX_TEXT = 10_000
MAX_MODULES = 10_000
NOTHING = object()


def is_rebuilt(value: Any) -> bool:
    return isinstance(value, Placeholder) and (
        value.name.startswith(("torch._utils._rebuild", "torch._tensor.")) or value.name.endswith("Storage")
    )


def of_module(module: Placeholder) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The tensors of a pickled module as its state_dict would name them, and the plain attributes by module path.

    The attributes of each module also have its class, under "class", since that is all that says GELU or ReLU.
    """
    tensors: dict[str, Any] = {}
    attributes: dict[str, dict[str, Any]] = {}
    waiting: list[tuple[str, Placeholder, int]] = [("", module, 0)]
    left = MAX_NODES
    while waiting and len(attributes) < MAX_MODULES and left > 0:
        prefix, part, depth = waiting.pop()
        temporary = part.get("_non_persistent_buffers_set")
        temporary = temporary if isinstance(temporary, list | set) and len(temporary) < 100 else ()
        for group in ("_parameters", "_buffers"):
            held = part.get(group)
            for key, value in islice(held.items(), left) if isinstance(held, dict) else ():
                left -= 1
                if isinstance(key, str) and (torch.is_tensor(value) or is_rebuilt(value)) and key not in temporary:
                    tensors[prefix + key] = value
        fields = {k: v for k, v in part.fields().items() if not k.startswith("_") and k != "training" and _is_small(v)}
        left -= len(fields)
        attributes[prefix[:-1]] = {**fields, "class": part.name}
        children = part.get("_modules")
        named = list(islice(children.items(), MAX_MODULES)) if isinstance(children, dict) and depth < 64 else []
        left -= len(named)
        for key, value in reversed(named):
            if isinstance(key, str) and isinstance(value, Placeholder) and len(prefix) + len(key) < 500:
                waiting.append((f"{prefix}{key}.", value, depth + 1))
    return tensors, attributes


def _is_small(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return len(value) <= 16 and all(isinstance(v, int | float | str | bool | None) for v in value)
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) < 200)


def plain(value: Any, left: list[int], depth: int = 0) -> Any:
    """A JSON-like copy of a value, or NOTHING; `left[0]` counts down the nodes that may still be copied."""
    left[0] -= 1 + (len(value) if isinstance(value, dict | list | tuple | set) else 0)
    if left[0] <= 0 or depth > MAX_DEPTH:
        return NOTHING
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else NOTHING
    if isinstance(value, torch.Tensor):
        is_number = (
            value.layout == torch.strided and not value.is_meta and value.numel() == 1 and not value.is_complex()
        )
        return value.item() if is_number else NOTHING
    if isinstance(value, torch.dtype):
        return str(value)
    if isinstance(value, Placeholder):
        for inner in ("_val", "_content"):  # OmegaConf's nodes
            if (held := value.get(inner)) is not None:
                return plain(held, left, depth + 1)
        value = value.fields()
        left[0] -= len(value)
        if not value:
            return NOTHING
    if isinstance(value, dict):
        items = ((k if isinstance(k, str) else repr(k), v) for k, v in value.items() if _is_key(k))
        made = {k[:200]: plain(v, left, depth + 1) for k, v in items if left[0] > 0}
        return {k: v for k, v in made.items() if v is not NOTHING}
    if isinstance(value, list | tuple | set):
        listed = [plain(v, left, depth + 1) for v in value if left[0] > 0]
        return [v for v in listed if v is not NOTHING]
    return NOTHING


def _is_key(key: Any) -> bool:
    return isinstance(key, str | bool) or (isinstance(key, int) and abs(key) < 2**63)
