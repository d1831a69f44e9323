"""What a folder that vitviz saved says beyond timm's own config: under the key "vitviz" of its config.json.

timm reads the folder too, where the network is one of its own, and passes over this key.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from vitviz.errors import SourceError
from vitviz.models.report import Certainty, Finding

if TYPE_CHECKING:
    from vitviz.models.unknown.plain_vit import PlainConfig

KEY = "vitviz"
_MOST_NORMS = 10_000
_MOST_FINDINGS, _LONGEST = 100, 4_000
_GUESSES: tuple[Certainty, ...] = ("assumed", "inferred")
# Upper bounds of PlainConfig's whole numbers; products of them are checked by the shapes of the weights.
_MOST = {
    "width": 65_536, "depth": 1_000, "heads": 65_536, "hidden": 1_000_000, "classes": 10_000_000, "channels": 1_024,
    "inner": 65_536, "registers": 10_000,
}  # fmt: skip
_LEAST = {"classes": 0, "registers": 0}


def said_in(config: dict[str, Any]) -> dict[str, Any]:
    """The object under our key, empty where there is none."""
    found = config.get(KEY)
    return found if isinstance(found, dict) else {}


def norm_eps(said: dict[str, Any], path: Path) -> float | dict[str, float] | None:
    """The epsilon of all norms, or of each by name; SourceError for what can be none."""
    found = said.get("norm_eps")
    if found is None:
        return None
    values = list(found.values()) if isinstance(found, dict) else [found]
    if len(values) > _MOST_NORMS or not all(isinstance(v, float) and 0 < v < 1 for v in values):
        raise SourceError(f"{path}: norm_eps must be a number between 0 and 1, or one for each norm by name.")
    return dict(found) if isinstance(found, dict) else float(found)


def findings(said: dict[str, Any], path: Path) -> tuple[Finding, ...]:
    """What was not certain when the model was saved; SourceError for what we don't write."""
    found = said.get("findings", [])
    if not isinstance(found, list) or len(found) > _MOST_FINDINGS or not all(map(_is_finding, found)):
        raise SourceError(f"{path}: its findings are not as vitviz writes them: save the model again.")
    return tuple(Finding(**each) for each in found)


def _is_finding(found: Any) -> bool:
    if not isinstance(found, dict) or set(found) != {"topic", "text", "certainty", "since"}:
        return False
    return found["certainty"] in _GUESSES and all(isinstance(v, str) and len(v) <= _LONGEST for v in found.values())


def layers(said: dict[str, Any], path: Path) -> dict[str, Any]:
    """Classes of layers by the argument of timm's that takes them; SourceError for any but those we write."""
    found = said.get("mlp_layer")
    if found is None:
        return {}
    if found != "SwiGLUPacked":
        raise SourceError(f"{path}: the mlp_layer {str(found)[:40]!r} is none that vitviz writes: save it again.")
    from timm.layers import SwiGLUPacked

    return {"mlp_layer": SwiGLUPacked}


def plain_config(said: dict[str, Any], path: Path) -> PlainConfig | None:
    """The config of a network that timm can't build, None where there is none; SourceError where it is damaged."""
    found = said.get("plain_vit")
    if found is None:
        return None
    from vitviz.models.unknown.plain_vit import PlainConfig

    try:
        return _checked(PlainConfig, found)
    except (TypeError, ValueError, KeyError) as error:
        raise SourceError(f"{path}: plain_vit is not as vitviz writes it ({error}): save the model again.") from error


def _checked(kind: type[PlainConfig], found: Any) -> PlainConfig:
    fields = {field.name: field.default for field in dataclasses.fields(kind) if field.name != "extra"}
    if not isinstance(found, dict) or set(found) - set(fields):
        raise ValueError("it has other fields")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
    for name, value in values.items():
        if name in _MOST:
            good = (name == "inner" and value is None) or (
                type(value) is int and _LEAST.get(name, 1) <= value <= _MOST[name]
            )
        elif name in ("image_size", "patch_size"):
            good = _is_numbers(value, int) and len(value) == 2 and all(1 <= side <= 8192 for side in value)
        elif name == "head_hidden":
            good = _is_numbers(value, int) and len(value) <= 16 and all(1 <= side <= 65_536 for side in value)
        elif name in ("mean", "std"):
            good = _is_numbers(value, float) and 1 <= len(value) <= _MOST["channels"]
        elif name in ("eps", "crop_pct"):
            good = type(value) is float and math.isfinite(value) and 0 < value <= 1
        elif name == "patch_norms":
            good = isinstance(value, tuple) and len(value) == 2 and all(type(each) is bool for each in value)
        else:
            good = _is_choice(name, value, fields[name])
        if not good:
            raise ValueError(f"{name} can't be {str(value)[:40]!r}")
    made = kind(**values)
    inner = made.inner or made.width
    if inner % made.heads:
        raise ValueError(f"{made.heads} heads don't divide {inner}")
    return made


def _is_choice(name: str, value: Any, default: Any) -> bool:
    from vitviz.models.unknown.plain_vit import Activation

    words: dict[str, tuple[str, ...]] = {
        "activation": get_args(Activation), "head_activation": get_args(Activation), "scale": ("head", "width"),
        "position": ("all", "patches", "none"), "pool": ("token", "mean", "mean of all"),
        "interpolation": ("bicubic", "bilinear", "nearest"),
    }  # fmt: skip
    return value in words[name] if name in words else type(value) is type(default) is bool


def _is_numbers(value: Any, kind: type) -> bool:
    return isinstance(value, tuple) and all(type(each) is kind for each in value)
