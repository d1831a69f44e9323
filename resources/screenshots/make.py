"""Makes the README's screenshots from the real window: `python resources/screenshots/make.py [--platform xcb]`."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--platform", default="offscreen", help="Qt platform: offscreen needs no display")
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    os.environ["QT_QPA_PLATFORM"] = arguments.platform
    os.environ["VITVIZ_CONFIG_DIR"] = tempfile.mkdtemp(prefix="vitviz-screenshots-")

    from PySide6.QtCore import QEventLoop, QTimer
    from PySide6.QtTest import QTest

    from vitviz.attention.values import Place
    from vitviz.ui import samples
    from vitviz.ui.app import application, create
    from vitviz.ui.opening import ModelWish, Wish

    app = application()

    def shoot(name: str, wish: Wish, prepare: Callable[..., None], theme: str = "light") -> None:
        window = create(wish)
        window.set_theme(theme)
        window.resize(1440, 900)
        loop = QEventLoop()
        window.opened.connect(lambda _: QTimer.singleShot(300, loop.quit))
        window.opener.failed.connect(lambda _, error: (print(error), loop.quit()))
        window.show()
        loop.exec()
        prepare(window)
        QTest.qWait(500)
        window.grab().save(str(arguments.out / name))
        window.close()
        app.processEvents()
        print(arguments.out / name)

    pictures = {path.stem: path for path in samples.pictures()}

    def ring(window: object) -> None:
        window.store.update(layer=5, head=1)  # type: ignore[attr-defined]
        window.store.update(query=Place(0.52 * 512, 0.56 * 512))  # type: ignore[attr-defined]

    def shifted(window: object) -> None:
        window.store.update(layer=5, head=5)  # type: ignore[attr-defined]
        window.store.update(query=Place(0.45 * 512, 0.45 * 512))  # type: ignore[attr-defined]

    first = samples.pictures()[0]
    shoot("window.png", Wish(first, ModelWish("demo")), ring)
    shoot("swin.png", Wish(pictures.get("triangle_and_disc", first), ModelWish("demo-swin")), shifted, "dark")


if __name__ == "__main__":
    main()
