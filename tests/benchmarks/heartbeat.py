"""How long the window stops answering: the lateness of a 5 ms timer of the GUI thread while the worker works."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["VITVIZ_CONFIG_DIR"] = tempfile.mkdtemp()

import numpy as np
from PySide6.QtCore import QEventLoop, Qt, QTimer

BEAT_MS = 5.0


class Heartbeat:
    """Notes how late each beat of a timer comes, in milliseconds."""

    def __init__(self):
        self.late = []
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(int(BEAT_MS))
        self._timer.timeout.connect(self._beat)

    def _beat(self):
        now = time.perf_counter()
        self.late.append(max(0.0, 1000 * (now - self._last) - BEAT_MS))
        self._last = now

    def during(self, start, done, timeout=600):
        """Start something and beat until `done()`."""
        self.late.clear()
        loop = QEventLoop()
        check = QTimer()
        check.setInterval(20)
        end = time.monotonic() + timeout
        check.timeout.connect(lambda: loop.quit() if done() or time.monotonic() > end else None)
        self._last = time.perf_counter()
        self._timer.start()
        check.start()
        began = time.perf_counter()
        start()
        loop.exec()
        self._timer.stop()
        check.stop()
        return time.perf_counter() - began, list(self.late)


def imports(progress):
    """The import that the first opening does in the worker."""
    from vitviz.ui import engine

    engine.start()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="vit_base_patch16_224")
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 512])
    parser.add_argument("--moves", type=int, default=200)
    arguments = parser.parse_args()

    from hover import move_mouse

    import vitviz
    from vitviz.models.wish import ModelWish
    from vitviz.ui.app import application, create

    app = application()
    window = create()
    window.first_paint = 0.0
    window.show()
    app.processEvents()
    heart, worker = Heartbeat(), window.worker
    print("| while | seconds | beats | p99 ms | max ms |")
    print("|---|---|---|---|---|")

    def tell(name, start, done):
        seconds, late = heart.during(start, done)
        p99 = np.percentile(late, 99)
        print(f"| {name} | {seconds:.1f} | {len(late)} | {p99:.0f} | {max(late):.0f} |", flush=True)

    def idle():
        return not worker.is_busy()

    tell("nothing", lambda: None, lambda: len(heart.late) > 300)
    tell("importing torch and timm", lambda: worker.submit("import", imports), idle)
    for size in arguments.sizes:
        wish = ModelWish(arguments.model, pretrained=False, image_size=(size, size))
        tell(f"loading and running it, {size} px", lambda wish=wish: window.opener.open(model=wish), idle)
        picture = np.random.default_rng(0).integers(0, 256, (768, 1024, 3), dtype=np.uint8)
        image = vitviz.Image.from_array(picture)
        tell(f"running it, {size} px", lambda image=image: window.opener.open(picture=image), idle)
    points = np.random.default_rng(1).random((arguments.moves, 2))
    left = iter(points)
    mover = QTimer()
    mover.setInterval(8)

    def move():
        point = next(left, None)
        if point is None:
            mover.stop()
        else:
            move_mouse(window.map_view.view, 128 + point[0] * 760, 10 + point[1] * 740)

    mover.timeout.connect(move)
    tell(f"hovering, {arguments.sizes[-1]} px", mover.start, lambda: not mover.isActive())
    window.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
