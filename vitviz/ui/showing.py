"""The window from a script or a notebook: `vitviz.show(trace)`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from vitviz.errors import VitvizError

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace
    from vitviz.ui.window import MainWindow

_open: list[MainWindow] = []  # a window that nobody holds would be gone at once


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
    if prompt is not None:
        prompt.enable_gui("qt")
    app = application()
    window = create(wish)
    devices = tuple((f"{d.name}: {d.title}", d.name) for d in available())
    window.present(Opened(wish, image, model, trace, devices))
    _open.append(window)
    window.destroyed.connect(lambda: _open.clear())
    window.show()
    if block if block is not None else prompt is None:
        app.exec()
    return window


def _prompt() -> Any:
    """IPython's shell, None where there is none."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()
