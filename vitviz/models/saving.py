"""A loaded model -> a folder that opens with nothing left to guess: model.safetensors and config.json.

The config is timm's own, so that timm opens the folder too where it can build the network, with what timm has no word
for (the epsilon of norms, a network that is none of timm's, where it all came from, and which of its values were
guesses) under the key "vitviz".
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from vitviz.atomic import write_bytes
from vitviz.errors import FileError, ModelError
from vitviz.models.epsilon import epsilons
from vitviz.models.model import Model
from vitviz.models.saved import KEY
from vitviz.models.unknown.plain_vit import PlainViT

WEIGHTS, CONFIG = "model.safetensors", "config.json"
# Of timm's config, what is about the architecture and not about where weights lie.
_KEPT = ("pool_size", "fixed_input_size", "min_input_size", "first_conv", "classifier", "license", "origin_url")


def save_model(
    model: Model, folder: str | Path, *, progress: Callable[[float | None, str], None] = lambda fraction, text: None
) -> Path:
    """Write a model's weights and config into a new folder; returns the folder.

    Args:
        model: not one with random weights.
        folder: that is not there yet, or is empty. It appears whole or not at all.

    Raises:
        FileError: the folder is not empty, or can't be written.
        ModelError: the weights are random, or an argument of the network can't be written.
    """
    if model.random:
        raise ModelError(f"{model.name} has random weights, which are worth no file: open trained ones.")
    target = check_folder(folder)
    from safetensors.torch import save

    progress(0.1, f"Collecting the weights of {model.name}")
    config = json.dumps(config_of(model), indent=1, ensure_ascii=False, allow_nan=False).encode()
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in model.module.state_dict().items()}
    data = save(tensors, metadata={"format": "pt"})
    del tensors
    progress(0.5, f"Writing {target.name}")
    # Beside the target and renamed, so that weights never stand beside another model's config.
    beside = target.parent / f".vitviz-{secrets.token_hex(8)}.tmp"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir()
        write_bytes(beside / WEIGHTS, data)
        write_bytes(beside / CONFIG, config)
        if target.is_dir():
            target.rmdir()
        beside.replace(target)
    except OSError as error:
        raise FileError(f"The folder {target} can't be written: {error.strerror}; choose another one.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    progress(1.0, f"Wrote {target}")
    return target


def check_folder(folder: str | Path) -> Path:
    """The new folder that a model can be written into; FileError where there can't be one."""
    target = Path(folder).expanduser()
    try:
        if (file := next((each for each in target.parents if each.exists()), None)) and not file.is_dir():
            raise FileError(f"The folder {target} can't be made: {file} is a file; choose another one.")
        if target.exists() and not target.is_dir():
            raise FileError(f"{target} is a file: choose the name of a new folder.")
        if target.is_dir() and any(os.scandir(target)):
            raise FileError(f"The folder {target} is not empty: choose the name of a new folder.")
    except OSError as error:
        raise FileError(f"The folder {target} can't be read: {error.strerror}; choose another one.") from error
    return target


def config_of(model: Model) -> dict[str, Any]:
    """The config.json of a model, as JSON values."""
    module, wanted = model.module, model.preprocessing
    own: dict[str, Any] = {
        "format": 1, "source": model.name, "sha256": model.sha256,
        "network": model.options.get("network"), "precision": model.precision,
    }  # fmt: skip
    config: dict[str, Any] = {}
    preprocessing = {
        "input_size": [wanted.channels, *wanted.input_size], "mean": list(wanted.mean), "std": list(wanted.std),
        "interpolation": wanted.interpolation, "crop_pct": wanted.crop_pct, "crop_mode": wanted.crop_mode,
    }  # fmt: skip
    if isinstance(module, PlainViT):
        plain = dataclasses.asdict(module.config)
        plain.pop("extra")
        plain |= {k: preprocessing[k] for k in ("mean", "std", "interpolation", "crop_pct")}
        own["plain_vit"] = _json(plain)
    else:
        found = epsilons(module)
        if model.build_args.get("mlp_layer") is not None:
            own["mlp_layer"] = model.build_args["mlp_layer"].__name__
        own["norm_eps"] = next(iter(found.values())) if len(set(found.values())) == 1 else found
        known = getattr(module, "pretrained_cfg", None) or {}
        config |= {
            "architecture": model.architecture.partition(".")[0],
            "num_classes": int(module.num_classes),  # type: ignore[arg-type]
            "model_args": _args(model.build_args),
            "pretrained_cfg": preprocessing | {k: _json(known[k]) for k in _KEPT if known.get(k) is not None},
        }
    guessed = [finding for finding in model.report if finding.certainty in ("assumed", "inferred")]
    own["findings"] = [
        {"topic": f.topic, "text": f.text, "certainty": f.certainty, "since": f.since or model.name} for f in guessed
    ]
    if model.labels:
        config["label_names"] = list(model.labels)
    return config | {KEY: {k: v for k, v in own.items() if v is not None}}


def _args(args: dict[str, Any]) -> dict[str, Any]:
    """timm's arguments as JSON; the norms' class is the architecture's own, and their epsilon is written apart."""
    made = {}
    for name, value in args.items():
        if name in ("norm_layer", "mlp_layer", "num_classes"):
            continue
        made[name] = value.__name__.lower() if isinstance(value, type) and name == "act_layer" else _json(value)
    return made


def _json(value: Any) -> Any:
    if isinstance(value, torch.Size | tuple | list):
        return [_json(each) for each in value]
    if isinstance(value, dict):
        return {str(k): _json(v) for k, v in value.items()}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ModelError(f"This network was built with {str(value)[:80]}, which can't be written into a config.")
