"""How often does a method point at the object of the class? Pointing game and mass inside the mask, on demo scenes.

Scenes are drawn by resources/demo/scenes.py with the exact mask of every object, of seeds that neither training nor
evaluation used. For every object of a scene its class is the target. A method points right where the largest value of
its map lies on the object: a patch counts as on it when its middle does, or when the mask covers a quarter of it.
Zhang et al. 2018, "Top-down neural attention by excitation backprop" (arXiv 1608.00507), with patches for pixels.
Methods that know no class give both objects of a scene the same map, and so can be right for one of two at most.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "resources" / "demo"))

SEED = 3_000_000_000  # beyond those of training, evaluation and pictures
COVERED = 0.25


def main() -> None:
    """Print a table for every model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=50, metavar="N", help="of each kind, with one and two objects")
    parser.add_argument("--models", nargs="+", default=["demo", "demo:8", "demo-swin"], metavar="NAME[:PATCH]")
    options = parser.parse_args()
    import torch

    torch.manual_seed(0)
    for name in options.models:
        table(name, options.scenes)


def table(name: str, count: int) -> None:
    """One model: all methods, on scenes of one and two objects."""
    import vitviz

    source, _, patch = name.partition(":")
    model = vitviz.load_model(source, device="cpu", patch_size=int(patch) if patch else None)
    start = time.perf_counter()
    found = {objects: judged(model, objects, count) for objects in (1, 2)}
    print(f"\n### {source}{f', patch {patch}' if patch else ''}: {count} scenes of one object, {count} of two")
    print(f"{time.perf_counter() - start:.0f} s\n")
    print("| method | one: points right | one: mass inside | two: points right | two: mass inside |")
    print("|---|---|---|---|---|")
    for method in found[1]:
        cells = []
        for objects in (1, 2):
            hits, masses = zip(*found[objects][method], strict=True)
            cells += [f"{statistics.mean(hits):.0%}", f"{statistics.mean(masses):.2f}"]
        print(f"| {method} | {' | '.join(cells)} |")


def judged(model, objects: int, count: int) -> dict[str, list[tuple[bool, float]]]:
    """Method -> for every object of every scene whether it is pointed at, and the share of the map inside its mask."""
    from scenes import draw

    import vitviz
    from vitviz.attention.contenders import contenders

    size = model.preprocessing.input_size
    found: dict[str, list[tuple[bool, float]]] = {}
    for number in range(count):
        scene = draw(SEED + 10_000 * objects + number, size, objects)
        image = vitviz.Image.from_array(scene.image, name=f"scene {number}")
        seen = vitviz.trace(model, image)
        for label, mask in zip(scene.labels, scene.masks, strict=True):
            maps, _ = contenders(model, image, seen, model.labels.index(label))
            areas = {}
            for shown in maps.values():
                grid = shown.grid
                areas.setdefault(grid.shape, covered(mask, grid))
            for name, shown in maps.items():
                found.setdefault(name, []).append(score(shown.values, *areas[shown.grid.shape]))
            chance = next(iter(areas.values()))
            found.setdefault("chance", []).append((float(chance[1].mean()), float(mask.mean())))
    return found


def covered(mask: np.ndarray, grid) -> tuple[np.ndarray, np.ndarray]:
    """(share of every patch that the mask covers, whether the patch is on the object), both (gh, gw)."""
    share, on = np.zeros(grid.shape), np.zeros(grid.shape, dtype=bool)
    for row in range(grid.rows):
        for col in range(grid.cols):
            u0, v0, u1, v1 = (round(edge) for edge in grid.box(row, col))
            part = mask[v0:v1, u0:u1]
            share[row, col] = part.mean()
            on[row, col] = share[row, col] >= COVERED or bool(mask[(v0 + v1) // 2, (u0 + u1) // 2])
    return share, on


def score(values: np.ndarray, share: np.ndarray, on: np.ndarray) -> tuple[bool, float]:
    """Whether the largest value lies on the object, and how much of the map's sum lies inside the mask."""
    values = np.maximum(values, 0)
    total = values.sum()
    return bool(on.flat[values.argmax()]), float((values * share).sum() / total) if total > 0 else float(share.mean())


if __name__ == "__main__":
    main()
