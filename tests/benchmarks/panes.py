"""How long after a mouse move every pane is painted, with one to four panes beside each other.

The same events and paints as in hover.py. Each pane has a trace of its own; weights are shared, which costs nothing
here. The costs tab is shown under the panes; `--differences` shows that of the differences.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["VITVIZ_CONFIG_DIR"] = tempfile.mkdtemp()

import numpy as np
from hover import Painted, move_mouse, window_of
from PySide6.QtWidgets import QApplication

LIMIT_MS = 33.0


def add_pane(window):
    """Another pane with a trace of its own."""
    import dataclasses

    import vitviz

    first = window.pane.opened
    window.comparing.add.trigger()
    seen = vitviz.trace(first.model, first.image)
    window.opener.opened.emit(dataclasses.replace(first, trace=seen))
    while window.worker.is_busy():
        QApplication.processEvents()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="vit_base_patch16_224")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--moves", type=int, default=60)
    parser.add_argument("--differences", action="store_true")
    arguments = parser.parse_args()
    window = window_of(arguments.model, arguments.size, (375, 500))
    width, height = 500, 375
    places = np.random.default_rng(1).random((1000, 2)) * 0.9 + 0.05
    print(f"| {arguments.model}, panes | p50 ms | p95 ms | max ms | CPU ms | beside one | p95 at most {LIMIT_MS} ms |")
    print("|---|---|---|---|---|---|---|")
    alone = None
    for count in range(1, 5):
        if count > 1:
            add_pane(window)
        if arguments.differences and count == 2:
            window.compare_tabs.setCurrentWidget(window.compare_tabs.differences)
        painted = Painted(*(c.map_view.view for c in window.panes), window.atlas.view)
        hovered = window.panes.columns[0].map_view.view

        def move(n, hovered=hovered):
            move_mouse(hovered, places[n, 0] * width, places[n, 1] * height)

        for n in range(5):
            painted.wait(lambda n=n: move(n))
        began = time.process_time()
        times = [1000 * painted.wait(lambda n=n: move(n)) for n in range(5, 5 + arguments.moves)]
        cpu = 1000 * (time.process_time() - began) / arguments.moves
        p50, p95 = np.percentile(times, [50, 95])
        alone = alone or p50
        said = "yes" if p95 <= LIMIT_MS else "no"
        print(
            f"| {count} | {p50:.1f} | {p95:.1f} | {max(times):.1f} | {cpu:.1f} | {p50 / alone:.1f} | {said} |",
            flush=True,
        )
    window.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
