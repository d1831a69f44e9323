"""What head ablation costs: a pass a layer with its heads in the batch, beside a pass for every head, in one run."""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np


def main() -> None:
    """Print a table: seconds of both ways, their ratio, and how far the results are apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["demo", "demo-swin", "vit_tiny_patch16_224"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="of torch (default: its own choice)")
    options = parser.parse_args()
    import torch

    import vitviz

    if options.threads:
        torch.set_num_threads(options.threads)
    pixels = np.random.default_rng(0).integers(0, 255, (224, 224, 3)).astype(np.uint8)
    image = vitviz.Image.from_array(pixels, name="noise")
    print("| model | heads | a pass a layer, s | a pass a head, s | ratio | one plain pass, s | largest difference |")
    print("|---|---|---|---|---|---|---|")
    for name in options.models:
        model = vitviz.load_model(name, device="cpu", pretrained=name.startswith("demo"))
        seen = vitviz.trace(model, image)
        found: list[list] = [[], [], []]
        for _ in range(options.rounds + 1):  # the first warms up
            for i, way in enumerate((in_batches, one_by_one, plain)):
                start = time.perf_counter()
                result = way(model, image, seen)
                found[i].append((time.perf_counter() - start, result))
        batch, single, once = (statistics.median(s for s, _ in rows[1:]) for rows in found)
        apart = float(np.nanmax(np.abs(found[0][-1][1] - found[1][-1][1])))
        heads = sum(layer.num_heads for layer in seen.layers)
        ratios = (one[0] / many[0] for many, one in zip(found[0][1:], found[1][1:], strict=True))
        ratio = statistics.median(ratios)
        print(f"| {name} | {heads} | {batch:.2f} | {single:.2f} | {ratio:.2f} | {once:.3f} | {apart:.1e} |", flush=True)


def in_batches(model, image, seen) -> np.ndarray:
    """As the program does it."""
    import vitviz

    return vitviz.head_ablation(model, image, 0, seen=seen)


def one_by_one(model, image, seen) -> np.ndarray:
    """The same numbers by a pass for each head."""
    import torch

    from vitviz import Ablation
    from vitviz.attention.altering import ablated

    view = model.preprocess(image)
    changes = np.full((len(seen.layers), max(layer.num_heads for layer in seen.layers)), np.nan, dtype=np.float32)
    for layer in seen.layers:
        for head in range(layer.num_heads):
            with torch.inference_mode(), ablated(model.module, seen.layers, Ablation([(layer.index, head)])):
                changes[layer.index, head] = float(model.module(view)[0, 0]) - seen.logits[0]
    return changes


def plain(model, image, seen) -> None:
    """One pass."""
    import torch

    with torch.inference_mode():
        model.module(model.preprocess(image))


if __name__ == "__main__":
    main()
