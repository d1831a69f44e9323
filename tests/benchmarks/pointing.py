"""How often does a method point at the object of the class? Pointing game and mass inside the mask, on demo scenes.

Scenes are drawn by resources/demo/scenes.py with the exact mask of every object, of seeds that neither training nor
evaluation used. For every object of a scene its class is the target. Zhang et al. 2018, "Top-down neural attention by
excitation backprop" (arXiv 1608.00507): a method points at the middle of the patch with the largest value, and is right
where that lies within a tolerance of the object. The patch is all that a map tells apart, so the tolerance is half a
patch; how often the middle itself lies on the object ("exactly") stands beside it, as does the object named otherwise:
how often the point is nearer to the object of the class than to the other one.
Methods that know no class give both objects of a scene the same map, and so can be right for one of two at most.
The second stage of `demo` was trained by a loss on two of these maps, `demo-swin` by none.
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


def main() -> None:
    """Print a table for every model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=50, metavar="N", help="of each kind, with one and two objects")
    parser.add_argument(
        "--models", nargs="+", default=["demo", "demo:8", "demo:32", "demo-swin"], metavar="NAME[:PATCH]"
    )
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
    print("| method | one: points right | exactly | mass inside | two: points right | exactly | nearer | mass inside |")
    print("|---|---|---|---|---|---|---|---|")
    for method in found[1]:
        cells = []
        for objects in (1, 2):
            right, exactly, nearer, mass = (statistics.mean(part) for part in zip(*found[objects][method], strict=True))
            cells += [f"{right:.0%}", f"{exactly:.0%}", *([f"{nearer:.0%}"] if objects == 2 else []), f"{mass:.2f}"]
        print(f"| {method} | {' | '.join(cells)} |")


def judged(model, objects: int, count: int) -> dict[str, list[tuple[float, float, float, float]]]:
    """Method -> for every object of every scene: points right, exactly, nearer than to the other, mass inside."""
    from scenes import draw

    import vitviz
    from vitviz.attention.contenders import contenders

    size = model.preprocessing.input_size
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for number in range(count):
        scene = draw(SEED + 10_000 * objects + number, size, objects)
        image = vitviz.Image.from_array(scene.image, name=f"scene {number}")
        seen = vitviz.trace(model, image)
        for own, (label, mask) in enumerate(zip(scene.labels, scene.masks, strict=True)):
            maps, _ = contenders(model, image, seen, model.labels.index(label))
            for name, shown in maps.items():
                found.setdefault(name, []).append(score(shown, scene.masks, own))
            coarse = next(iter(maps.values()))
            every = [score_at(coarse.grid, *cell, scene.masks, own) for cell in np.ndindex(coarse.grid.shape)]
            found.setdefault("chance", []).append((*np.mean(every, axis=0), float(mask.mean())))
    return found


def distance(mask: np.ndarray, u: int, v: int) -> int:
    """How far the pixel (u, v) is from the mask, in pixels, as the larger of down and across; 0 inside."""
    rows, cols = np.nonzero(mask)
    return int(np.maximum(abs(rows - v), abs(cols - u)).min())


def score_at(grid, row: int, col: int, masks, own: int) -> tuple[float, float, float]:
    """Whether the middle of a patch lies within half a patch of the object, on it, and nearer to it than to others."""
    u, v = (int(x) for x in grid.centre(row, col))
    here = [distance(mask, u, v) for mask in masks]
    others = [far for i, far in enumerate(here) if i != own]
    return (
        float(here[own] <= max(grid.stride) / 2),
        float(here[own] == 0),
        float(here[own] < min(others, default=np.inf)),
    )


def score(shown, masks, own: int) -> tuple[float, float, float, float]:
    """The same for the largest value of a map, and how much of the map's sum lies inside the mask."""
    values = np.maximum(shown.values, 0)
    row, col = divmod(int(values.argmax()), shown.grid.cols)
    high, wide = (round(side) for side in shown.grid.stride)
    mask = masks[own]
    inside = mask.reshape(shown.grid.rows, high, shown.grid.cols, wide).mean((1, 3))
    total = values.sum()
    mass = float((values * inside).sum() / total) if total > 0 else float(mask.mean())
    return (*score_at(shown.grid, row, col, masks, own), mass)


if __name__ == "__main__":
    main()
