"""Measures the demo checkpoints on held-out scenes, opened by timm alone, and writes the result into config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from checkpoint import open_checkpoint, write_text
from data import Scenes, open_scenes
from networks import PATCH_SIZES
from torch import nn
from train import pixels


@torch.no_grad()
def answers(model: nn.Module, scenes: Scenes) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Class logits of every scene, (N, C) float32."""
    parts = [model(pixels(np.array(scenes.images[i : i + 50]))) for i in range(0, len(scenes), 50)]
    return torch.cat(parts).numpy()


def accuracy(model: nn.Module, scenes: Scenes) -> tuple[float, float]:
    """Share of one-object scenes named right, and of two-object scenes whose two shapes lead the answer."""
    order = np.argsort(-answers(model, scenes), axis=1)
    truth = scenes.labels > 0
    one = truth.sum(axis=1) == 1
    first = np.take_along_axis(truth, order[:, :1], axis=1).all(axis=1)
    both = np.take_along_axis(truth, order[:, :2], axis=1).all(axis=1)
    return float(first[one].mean()), float(both[~one].mean())


def evaluate(folder: Path, held_out_folder: Path) -> dict[str, float]:
    """Accuracy on one-object scenes by patch size; also printed and written into the folder's config.json."""
    scenes = open_scenes(held_out_folder)
    file = folder / "config.json"
    config = json.loads(file.read_text())
    sizes = PATCH_SIZES if "vit" in config["architecture"] else (config["model_args"]["patch_size"],)
    ones, twos = {}, {}
    for size in sizes:
        one, two = accuracy(open_checkpoint(folder, patch_size=size), scenes)
        ones[str(size)], twos[str(size)] = round(one, 4), round(two, 4)
        print(f"{folder.name} patch {size}: one object {one:.2%}, both of two {two:.2%}", flush=True)
    single = int((scenes.labels.max(axis=1) == 1).sum())
    config["training"] |= {
        "accuracy": ones,
        "accuracy_both_of_two": twos,
        "held_out_scenes": {"one_object": single, "two_objects": len(scenes) - single},
    }
    write_text(file, json.dumps(config, indent=2) + "\n")
    return ones
