"""Where the files that come with vitviz lie: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

from vitviz.errors import FileError

_PLACES = (Path(__file__).parent / "_resources", Path(__file__).parent.parent / "resources")


def path(name: str) -> Path:
    """The path of a resource such as "demo/pictures"; FileError where the installation lacks it."""
    for place in _PLACES:
        if (place / name).exists():
            return place / name
    raise FileError(f"This installation of vitviz lacks its file {name!r}: install it again with pip.")
