"""The window from a script or a notebook: `vitviz.show(trace)`."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from vitviz.errors import VitvizError

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace
    from vitviz.ui.window import MainWindow

_open: list[MainWindow] = []  # a window that nobody holds would be gone at once
_PAUSE = 0.015  # seconds between two looks at Qt's events beside a notebook
_pump: asyncio.Task[None] | None = None


def show(trace: Trace, *, block: bool | None = None) -> MainWindow:
    """Open the window on what was traced; nothing is read or run again.

    Args:
        trace: as `vitviz.trace` gives it.
        block: wait until the window is closed, then let the script go on. None waits, but in IPython and Jupyter,
            where Qt's events are handled beside the prompt.

    Returns:
        The window.

    Raises:
        VitvizError: the trace does not know its picture and model, or the model takes no window.
    """
    from vitviz.models.devices import available
    from vitviz.models.wish import ModelWish
    from vitviz.ui.app import application, create
    from vitviz.ui.opening import Opened, Wish

    if trace.model is None or trace.image is None:
        raise VitvizError("This trace does not know its picture and model any more: trace the picture again.")
    model, image = trace.model, trace.image
    options = {k: v for k, v in model.options.items() if v is not None and k in ModelWish.__dataclass_fields__}
    wish = Wish(image.path or image, ModelWish(source=model.source, **{**options, "device": model.device.name}))
    prompt = _prompt()
    kernel = getattr(prompt, "kernel", None) is not None
    if prompt is not None and not kernel:
        prompt.enable_gui("qt")
    app = application()
    window = create(wish)
    devices = tuple((f"{d.name}: {d.title}", d.name) for d in available())
    window.present(Opened(wish, image, model, trace, devices))
    _open.append(window)
    window.destroyed.connect(lambda: _open.clear())
    window.show()
    if kernel:
        _beside_cells()
    if block if block is not None else prompt is None:
        app.exec()
    return window


def _beside_cells() -> None:
    """Handle Qt's events in the loop of a Jupyter kernel, between its cells, as long as a window is open.

    Not `enable_gui`: ipykernel 7 stops in Qt's own loop and misses the next cell now and then.
    """
    global _pump
    if _pump is None or _pump.done():
        _pump = asyncio.get_running_loop().create_task(_handle_events())


async def _handle_events() -> None:
    from PySide6.QtCore import QCoreApplication, QEvent

    while any(window.isVisible() for window in _open):
        QCoreApplication.processEvents()
        # Outside a loop of Qt's these are never due.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        await asyncio.sleep(_PAUSE)


def _prompt() -> Any:
    """IPython's shell, None where there is none."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()
