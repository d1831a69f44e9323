"""Which files are pictures, by their names, and those of a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vitviz.errors import ImageError
from vitviz.ordinary import is_file, is_folder, is_there

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def picture_files(paths: Iterable[Path]) -> list[Path]:
    """Picture files as they are named, and for a folder the pictures in it, by name; folders within are not entered.

    Raises ImageError for a path that is not there, and for a folder without pictures.
    """
    found: list[Path] = []
    for path in paths:
        if not is_there(path):
            raise ImageError(f"There is no picture or folder {str(path)!r}: check the path.")
        if not is_folder(path):
            found.append(path)
            continue
        try:
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and is_file(p))
        except OSError as error:
            raise ImageError(f"The folder {path} can't be read ({error.strerror}): choose another one.") from error
        if not inside:
            kinds = ", ".join(PICTURE_SUFFIXES)
            raise ImageError(f"There is no picture in the folder {path} ({kinds}): choose another one.")
        found += inside
    return found
