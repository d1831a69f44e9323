"""Names of files, folders and patterns -> pictures, each with a place for its figures that no other has."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitviz.atomic import slug
from vitviz.errors import ImageError
from vitviz.render.product import sidecar_of

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")


@dataclass(frozen=True, slots=True)
class Item:
    """A picture to be read.

    Attributes:
        path: of its file.
        folder: where its figures go, relative to the folder of all figures.
        stem: what their names begin with.
    """

    path: Path
    folder: Path
    stem: str


def items_of(names: Sequence[Path], out: Path) -> list[Item]:
    """The pictures that were named, in order, each once; ImageError where a name is nothing or a folder is empty.

    A folder stands for all pictures in it and below it, whose figures keep its structure. What was exported before
    is no picture to export again.
    """
    found: dict[Path, Path] = {}
    for name in names:
        for path, folder in _listed(name, Path(os.path.realpath(out))):
            found.setdefault(path, folder)
    return _apart(found)


def _listed(name: Path, out: Path) -> Iterable[tuple[Path, Path]]:
    if name.is_dir():
        inside = out != Path(os.path.realpath(name)) and out.is_relative_to(os.path.realpath(name))
        pictures = [
            path
            for path in sorted(name.rglob("*"))
            if path.suffix.lower() in SUFFIXES
            and not path.is_dir()
            and not any(part.startswith(".") for part in path.relative_to(name).parts)
            and not sidecar_of(path).exists()
            and not (inside and Path(os.path.realpath(path)).is_relative_to(out))
        ]
        if not pictures:
            raise ImageError(f"There is no picture in the folder {name}: expected {', '.join(SUFFIXES)} files.")
        return [(path, path.parent.relative_to(name)) for path in pictures]
    if not name.exists() and any(mark in str(name) for mark in "*?["):
        start = Path(name.anchor) if name.is_absolute() else Path()
        pattern = str(name.relative_to(name.anchor)) if name.is_absolute() else str(name)
        matched = [p for p in sorted(start.glob(pattern)) if p.suffix.lower() in SUFFIXES and not p.is_dir()]
        matched = [path for path in matched if not sidecar_of(path).exists()]
        if not matched:
            raise ImageError(f"No picture is called like {str(name)!r}: check the pattern and the folder.")
        return [(path, Path()) for path in matched]
    if not name.exists():
        raise ImageError(f"There is no picture or folder {str(name)!r}: check the path.")
    return [(name, Path())]


def _apart(found: dict[Path, Path]) -> list[Item]:
    """Two pictures whose figures would have the same names get other ones."""
    counts: dict[tuple[Path, str], int] = {}
    for path, folder in found.items():
        key = folder, slug(path.stem, limit=60)
        counts[key] = counts.get(key, 0) + 1
    items, taken = [], set()
    for path, folder in found.items():
        stem = slug(path.stem, limit=60)
        if counts[folder, stem] > 1:
            stem = slug(path.name, limit=60)
            number = 1
            while (folder, stem) in taken:
                number += 1
                stem = f"{slug(path.name, limit=54)}-{number}"
        taken.add((folder, stem))
        items.append(Item(path, folder, stem))
    return items
