"""How long after a mouse move, a key or a slider the new pixels are painted: the whole atlas and the map.

Real mouse events and real paints; off screen unless QT_QPA_PLATFORM says otherwise.
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
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

LIMIT_MS = 16.7


def move_mouse(view, x, y):
    """A mouse move over the place (x, y) of the picture."""
    from vitviz.attention.values import Place

    at = QPointF(view.position_of(Place(x, y)).toPoint())
    none = Qt.MouseButton.NoButton
    where = view.viewport().mapToGlobal(at)
    event = QMouseEvent(QEvent.Type.MouseMove, at, where, none, none, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(view.viewport(), event)


class Painted:
    """Counts the paints of some widgets."""

    def __init__(self, *views):
        self.counts = dict.fromkeys(range(len(views)), 0)
        for i, view in enumerate(views):
            paint = view.paintEvent

            def counted(event, paint=paint, i=i):
                paint(event)
                self.counts[i] += 1

            view.paintEvent = counted

    def wait(self, act):
        """Seconds from `act` until every view has been painted anew and no event is left."""
        before = dict(self.counts)
        start = time.perf_counter()
        act()
        while any(self.counts[i] == before[i] for i in before):
            QApplication.processEvents()
            if time.perf_counter() - start > 5:
                raise TimeoutError("no new pixels within 5 s")
        return time.perf_counter() - start


def window_of(architecture, size, picture_size):
    """The window with a model of random weights in it."""
    import vitviz
    from vitviz.models.wish import ModelWish
    from vitviz.ui.app import application, create
    from vitviz.ui.opening import Opened, Wish

    app = application()
    window = create()
    window.first_paint = 0.0
    window.show()
    pixels = np.random.default_rng(0).integers(0, 256, (*picture_size, 3), dtype=np.uint8)
    image = vitviz.Image.from_array(pixels)
    model = vitviz.load_model(architecture, pretrained=False, image_size=size, crop="squash")
    opened = Opened(Wish(image, ModelWish(architecture)), image, model, vitviz.trace(model, image))
    window.opener.opened.emit(opened)
    app.processEvents()
    return window


def changes(window):
    """Name -> (which views must be painted, a function that makes the n-th change)."""
    height, width = window.pane.opened.image.size
    store, layers = window.store, len(window.store.reality.heads)
    both, map_only = (window.map_view.view, window.atlas.view), (window.map_view.view,)
    steps = np.random.default_rng(1).random((1000, 2)) * 0.9 + 0.05

    def hover(n):
        move_mouse(window.map_view.view, steps[n, 0] * width, steps[n, 1] * height)

    heads = min(store.reality.heads)
    return {
        "hover": (both, hover),
        "layer": (map_only, lambda n: store.update(layer=n % layers)),
        "head": (map_only, lambda n: store.update(head=n % heads)),
        "opacity": (map_only, lambda n: store.update(opacity=(n * 7 % 100) / 100)),
        "colormap": (both, lambda n: store.update(colormap=("viridis", "magma", "gray")[(n + 1) % 3])),
        "scale": (both, lambda n: store.update(limits=("map", "layer", "all")[(n + 1) % 3])),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="vit_base_patch16_224")
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 1024])
    parser.add_argument("--picture", type=int, nargs=2, default=[375, 500], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--layer", type=int, default=-1, help="the layer that is shown while the mouse moves")
    parser.add_argument("--moves", type=int, default=60)
    arguments = parser.parse_args()
    print(f"| {arguments.model}, change | view px | p50 ms | p95 ms | max ms | CPU ms | p95 at most {LIMIT_MS} ms |")
    print("|---|---|---|---|---|---|---|")
    for size in arguments.sizes:
        window = window_of(arguments.model, size, tuple(arguments.picture))
        window.store.update(layer=arguments.layer)
        for name, (views, change) in changes(window).items():
            painted = Painted(*views)
            for n in range(5):
                painted.wait(lambda n=n, change=change: change(n))
            began = time.process_time()
            times = [1000 * painted.wait(lambda n=n, change=change: change(n)) for n in range(5, 5 + arguments.moves)]
            cpu = 1000 * (time.process_time() - began) / arguments.moves  # what a busy machine leaves as it is
            p50, p95 = np.percentile(times, [50, 95])
            said = "yes" if p95 <= LIMIT_MS else "no"
            print(f"| {name} | {size} | {p50:.1f} | {p95:.1f} | {max(times):.1f} | {cpu:.1f} | {said} |", flush=True)
        window.close()
        del window
    return 0


if __name__ == "__main__":
    sys.exit(main())
