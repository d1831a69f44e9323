"""Draws the demo pictures: scenes of seeds that neither training nor evaluation uses, larger and not all square."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
from checkpoint import write_text
from data import PICTURE_SEED
from numpy.typing import NDArray
from PIL import Image
from scenes import draw

# name -> seed beyond PICTURE_SEED, (height, width), objects
PICTURES: dict[str, tuple[int, tuple[int, int], Literal[1, 2]]] = {
    "star": (34, (448, 448), 1),
    "ring": (16, (448, 448), 1),
    "triangle": (37, (400, 512), 1),
    "cross": (13, (448, 448), 1),
    "bar": (18, (512, 400), 1),
    "disc": (14, (400, 480), 1),
    "star_and_ring": (19, (448, 448), 2),
    "triangle_and_disc": (14, (400, 512), 2),
    "triangle_and_ring": (37, (448, 448), 2),
}


def bounding_box(mask: NDArray[np.bool_]) -> list[int]:
    """[left, top, right, bottom] in pixels, right and bottom exclusive."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def make_pictures(folder: Path) -> None:
    """Write every picture as PNG and truth.json: seed, size, and each object's label and box."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = {}
    for name, (offset, size, objects) in PICTURES.items():
        scene = draw(PICTURE_SEED + offset, size, objects)
        Image.fromarray(scene.image).save(folder / f"{name}.png", optimize=True)
        found = zip(scene.labels, scene.masks, strict=True)
        truth[f"{name}.png"] = {
            "seed": PICTURE_SEED + offset,
            "size": list(size),
            "objects": [{"label": label, "box": bounding_box(mask)} for label, mask in found],
        }
    write_text(folder / "truth.json", json.dumps(truth, indent=2) + "\n")
