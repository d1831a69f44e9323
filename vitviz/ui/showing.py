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
        The window; what was chosen in it can be read when it is closed, no more than that.

    Raises:
        VitvizError: the trace does not know its picture and model, or the model takes no window.
    """
    from PySide6.QtCore import Qt

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
    # Qt deletes it when it is closed: left to the garbage collector, any thread might come to do it.
    window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    _open.append(window)
    window.destroyed.connect(lambda: _forget(window))
    window.show()
    if kernel:
        _beside_cells()
    if block if block is not None else prompt is None:
        app.exec()
        _delete_closed()
    return window


def _forget(window: MainWindow) -> None:
    _open[:] = [each for each in _open if each is not window]


def _delete_closed() -> None:
    """Outside a loop of Qt's what is to be deleted later never is."""
    from PySide6.QtCore import QCoreApplication, QEvent

    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def _beside_cells() -> None:
    """Handle Qt's events in the loop of a Jupyter kernel, between its cells, as long as a window is open.

    Not `enable_gui`: ipykernel 7 stops in Qt's own loop and misses the next cell now and then.
    """
    global _pump
    if _pump is None or _pump.done():
        _pump = asyncio.get_running_loop().create_task(_handle_events())


async def _handle_events() -> None:
    from PySide6.QtCore import QCoreApplication

    while _open:
        QCoreApplication.processEvents()
        _delete_closed()
        await asyncio.sleep(_PAUSE)


def _prompt() -> Any:
    """IPython's shell, None where there is none."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()
