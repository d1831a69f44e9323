"""Makes the README's screenshots from the real window: `python resources/screenshots/make.py [--platform xcb]`."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--platform", default="offscreen", help="Qt platform: offscreen needs no display")
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    os.environ["QT_QPA_PLATFORM"] = arguments.platform

    from PySide6.QtCore import QEventLoop, QTimer

    from vitviz.attention.values import Place
    from vitviz.models.wish import ModelWish
    from vitviz.ui import samples
    from vitviz.ui.app import application, create
    from vitviz.ui.opening import Wish

    app = application()

    def wait(milliseconds: int) -> None:
        # QTest.qWait keeps Python's lock: what is timed in the worker meanwhile would be forty times as slow.
        loop = QEventLoop()
        QTimer.singleShot(milliseconds, loop.quit)
        loop.exec()

    def shoot(name: str, wish: Wish, prepare: Callable[[Any], None], theme: str = "light") -> None:
        os.environ["VITVIZ_CONFIG_DIR"] = tempfile.mkdtemp(prefix="vitviz-screenshots-")  # each as on the first day
        window = create(wish)
        window.set_theme(theme)
        window.resize(1440, 900)
        loop = QEventLoop()
        window.opened.connect(lambda _: QTimer.singleShot(300, loop.quit))
        window.opener.failed.connect(lambda _, error: (print(error), loop.quit()))
        window.show()
        loop.exec()
        prepare(window)
        wait(500)
        window.grab().save(str(arguments.out / name))
        window.close()
        app.processEvents()
        print(arguments.out / name)

    pictures = {path.stem: path for path in samples.pictures()}

    def idle(window: Any) -> None:
        """Wait for a second in which nothing ran: one job begins the next."""
        quiet = 0
        for _ in range(3600):
            wait(50)
            quiet = 0 if window.worker.is_busy() else quiet + 1
            if quiet == 20:
                return

    def ring(window: Any) -> None:
        window.store.update(layer=5, head=1)
        window.store.update(query=Place(0.52 * 512, 0.56 * 512))

    def shifted(window: Any) -> None:
        window.store.update(layer=5, head=5)
        window.store.update(query=Place(0.82 * 512, 0.62 * 512))

    def patch_sizes(window: Any) -> None:
        window.comparing.compare_patch_sizes()
        idle(window)
        window.panes.set_current(window.panes.columns[0])
        window.store.update(query=Place(0.28 * 512, 0.3 * 512))
        idle(window)

    def explained(window: Any) -> None:
        window.store.update(method="relevance")
        window.docks.show("Methods side by side")
        window.docks.show("Rollout")
        idle(window)

    def weights(window: Any) -> None:
        window.docks.show("Positions")
        window.store.update(layer=3, query=Place(0.3 * 512, 0.3 * 512))
        idle(window)

    first = samples.pictures()[0]
    two = pictures.get("triangle_and_disc", first)
    shoot("window.png", Wish(first, ModelWish("demo")), ring)
    shoot("swin.png", Wish(two, ModelWish("demo-swin")), shifted, "dark")
    shoot("compare.png", Wish(first, ModelWish("demo")), patch_sizes)
    shoot("methods.png", Wish(first, ModelWish("demo")), explained)
    shoot("positions.png", Wish(two, ModelWish("demo")), weights, "dark")


if __name__ == "__main__":
    main()
