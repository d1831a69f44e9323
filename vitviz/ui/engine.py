"""torch and timm, imported once by the worker and without long pauses of the window."""

from __future__ import annotations

import gc
import sys


def start() -> None:
    """Import what opening needs; called in the worker, a second call costs nothing.

    The half million objects that the import makes never go away. The garbage collector would look through all of them
    several times on the way and now and then afterwards, 0.1 to 0.3 s each time with the interpreter held: it waits
    until they are there, and leaves them out from then on.
    """
    if "vitviz.attention.trace" in sys.modules:
        return
    collecting = gc.isenabled()
    gc.disable()
    try:
        import timm

        import vitviz.attention.trace
        import vitviz.models.loading

        del timm, vitviz
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
