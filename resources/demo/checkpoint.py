"""Writes a demo checkpoint as the hub stores timm's, and opens it again the way timm does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import timm
from networks import ARCHITECTURES, SWIN_ARGS, VIT_ARGS
from safetensors.torch import save_file
from shapes import SHAPES
from torch import nn


def configuration(kind: str, num_features: int, training: dict[str, Any]) -> dict[str, Any]:
    """The config.json of a demo checkpoint."""
    first = "patch_embed.proj"
    return {
        "architecture": ARCHITECTURES[kind],
        "num_classes": len(SHAPES),
        "num_features": num_features,
        "global_pool": "token" if kind == "vit" else "avg",
        "model_args": VIT_ARGS if kind == "vit" else SWIN_ARGS,
        "pretrained_cfg": {
            "tag": "demo",
            "custom_load": False,
            "input_size": [3, 128, 128],
            "fixed_input_size": True,
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "crop_mode": "center",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "num_classes": len(SHAPES),
            "pool_size": None if kind == "vit" else [8, 8],
            "first_conv": first,
            "classifier": "head" if kind == "vit" else "head.fc",
            "license": "mit",
        },
        "label_names": list(SHAPES),
        "training": training,
    }


def write_text(path: Path, text: str) -> None:
    """Write next to the file and rename over it, so that a reader never sees half."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def write_checkpoint(folder: Path, model: nn.Module, kind: str, training: dict[str, Any]) -> None:
    """Write model.safetensors and config.json into folder."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "model.safetensors.part"
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, part, metadata={"format": "pt"})
    part.chmod(0o644)
    part.replace(folder / "model.safetensors")
    write_text(folder / "config.json", json.dumps(configuration(kind, model.num_features, training), indent=2) + "\n")


def open_checkpoint(folder: Path, **arguments: Any) -> nn.Module:
    """The network of a folder, opened by timm alone; `patch_size` resamples it."""
    model: nn.Module = timm.create_model(f"local-dir:{folder.resolve()}", pretrained=True, **arguments)
    return model.eval()
