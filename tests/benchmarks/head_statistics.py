"""What heads and tokens do, as a table, and what it costs beside the pass that it comes from.

For each model: the mean over the heads of every layer (distance by both definitions, entropy, weight on the class token
and on the strongest sink) and of the tokens after it (median and largest norm), read once through the logit lens. Then
medians over alternating rounds: statistics over a traced pass, and a traced pass with features over one without. With
--hover: from a mouse move to painted pixels while the panel of tokens is seen.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np


def table(model, image):
    """Print a row for every layer."""
    import vitviz
    from vitviz.attention.statistics import head_statistics
    from vitviz.errors import VitvizError

    trace = vitviz.trace(model, image)
    found = head_statistics(trace)
    try:
        lens = vitviz.logit_lens(model, trace)
    except VitvizError as error:
        lens = None
        print(f"no lens: {error}")
    random = ", random weights" if model.random else ""
    print(f"\n{model.name}{random}: {image.name}; the mean over the heads of a layer\n")
    print(
        "| layer | distance vit px | renormalised px | entropy nats | on CLS | on sink | median norm | largest | lens |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    cls = found.prefix_mass.get("cls")
    for layer in trace.layers:
        numbers = [found.distance_vit, found.distance_renormalised, found.entropy]
        cells = [f"{np.nanmean(each[layer.index]):.3f}" for each in numbers]
        cells.append("-" if cls is None else f"{np.nanmean(cls[layer.index]):.3f}")
        cells.append(f"{np.nanmean(found.sink_mass[layer.index]):.4f}")
        norms = vitviz.token_norms(trace, layer.index).values
        cells += [f"{np.median(norms):.2f}", f"{norms.max():.2f}"]
        if lens is None or lens.layers[layer.index] is None:
            cells.append("-")
        else:
            best = int(lens.probabilities[layer.index].argmax())
            cells.append(f"{lens.label(best)[:20]} {lens.probabilities[layer.index][best]:.1%}")
        print(f"| {layer.index} | {' | '.join(cells)} |")
    if lens is not None:
        print(f"\nlast layer through the lens: max |logits - model's| = {lens.error:.1e}")


def timed(run):
    """Seconds of one run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def costs(model, image, rounds):
    """Print ratios of medians of one run."""
    import vitviz
    from vitviz.attention.statistics import head_statistics

    trace = vitviz.trace(model, image)
    runs = {
        "without": lambda: vitviz.trace(model, image, features=False),
        "with": lambda: vitviz.trace(model, image),
        "statistics": lambda: head_statistics(trace),
        "lens": lambda: vitviz.logit_lens(model, trace),
        "components": lambda: vitviz.feature_components(trace, -1),
    }
    times = {name: [] for name in runs}
    for run in runs.values():  # the first of each kind fills caches
        run()
    for turn in range(rounds):
        for name in list(runs)[:: 1 if turn % 2 else -1]:
            times[name].append(timed(runs[name]))
    medians = {name: float(np.median(each)) for name, each in times.items()}
    kept = vitviz.trace(model, image, features=False).bytes
    base = medians["without"]
    print(
        f"| {model.name} | {base * 1000:.0f} | {medians['with'] / base:.2f} | {trace.bytes / kept:.2f} "
        f"| {medians['statistics'] / base:.2f} | {medians['lens'] / base:.2f} | {medians['components'] / base:.3f} |"
    )


def hovering(architecture, moves):
    """Print how long after a mouse move map, atlas' tab mate and tokens are painted."""
    from hover import LIMIT_MS, Painted, move_mouse, window_of
    from PySide6.QtWidgets import QApplication

    window = window_of(architecture, 224, (375, 500))
    panel = window.tokens.features
    next(dock for dock in window.docks if dock.windowTitle() == "Tokens").raise_()
    panel.what.setCurrentIndex(panel.what.findData("likeness"))
    panel.what.activated.emit(panel.what.currentIndex())
    QApplication.processEvents()
    painted = Painted(window.map_view.view, panel.view)
    places = np.random.default_rng(1).random((moves + 5, 2)) * 0.9 + 0.05
    times = [
        1000 * painted.wait(lambda x=x, y=y: move_mouse(window.map_view.view, x * 500, y * 375)) for x, y in places
    ][5:]
    p50, p95 = np.percentile(times, [50, 95])
    print("\n| hover with the tokens panel seen | p50 ms | p95 ms | p95 at most 16.7 ms |")
    print("|---|---|---|---|")
    print(f"| {architecture} | {p50:.1f} | {p95:.1f} | {'yes' if p95 <= LIMIT_MS else 'no'} |")
    window.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["demo", "demo-swin", "vit_base_patch16_224"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hover", action="store_true")
    parser.add_argument("--moves", type=int, default=60)
    arguments = parser.parse_args()
    import vitviz
    from vitviz.ui.samples import pictures

    image = vitviz.read_image(pictures()[0])
    models = [vitviz.load_model(name, pretrained=name.startswith("demo")) for name in arguments.models]
    for model in models:
        table(model, image)
    print("\n| model | pass ms | with features | kept | statistics | lens | components of one layer |")
    print("|---|---|---|---|---|---|---|")
    for model in models:
        costs(model, image, arguments.rounds)
    if arguments.hover:
        hovering("vit_base_patch16_224", arguments.moves)
    return 0


if __name__ == "__main__":
    sys.exit(main())
