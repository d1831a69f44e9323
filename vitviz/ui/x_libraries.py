"""The libraries of the system that Qt needs for a window on an X display: where one is missing, Qt would abort.

Nothing of Qt is imported before it is known that it can be.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from vitviz.errors import VitvizError

PACKAGES = (
    "libegl1 libgl1 libdbus-1-3 libfontconfig1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 "
    "libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1"
)


def check(plugin: Path | None = None, environment: Mapping[str, str] = os.environ) -> None:
    """VitvizError where Qt's plugin for X is sure to fail: it is the one that Qt will take, and a library is missing.

    Args:
        plugin: the file of the plugin, Qt's own where None.
        environment: says which display there is.
    """
    x_only = environment.get("DISPLAY") and not environment.get("WAYLAND_DISPLAY")
    if not sys.platform.startswith("linux") or not x_only or environment.get("QT_QPA_PLATFORM"):
        return
    path = plugin or _plugin()
    if not path.is_file():
        return
    try:
        # Qt opens the same file a moment later, and finds it loaded.
        ctypes.CDLL(str(path))
    except OSError as error:
        if (missing := missing_library(error)) is not None:
            raise VitvizError(sentence(missing)) from error


def missing_library(error: Exception) -> str | None:
    """The library that the loader did not find, or None where something else is wrong."""
    found = re.match(r"(lib[\w.+-]+): cannot open shared object file: No such file", str(error))
    return found[1] if found else None


def sentence(missing: str) -> str:
    """What is to be done about a missing library."""
    return (
        f"Qt can't open a window, because {missing} is not installed here: on Debian or Ubuntu run "
        f"sudo apt-get install -y {PACKAGES}, then start again."
    )


def _plugin() -> Path:
    from PySide6.QtCore import QLibraryInfo

    return Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)) / "platforms" / "libqxcb.so"
