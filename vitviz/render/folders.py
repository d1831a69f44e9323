"""Names of files, folders and patterns -> pictures, each with a place for its figures that no other has."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitviz.atomic import slug
from vitviz.errors import ImageError
from vitviz.picture_files import PICTURE_SUFFIXES
from vitviz.render.product import sidecar_of


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


def passed_over(names: Sequence[Path], out: Path) -> str:
    """What else lies in the folders that were named, in words; "" where all of it is a picture or was exported.

    A picture of a kind that is not read, such as AVIF, is never silently left out.
    """
    found: Counter[str] = Counter()
    for name in dict.fromkeys(names):
        for path in _below(name, Path(os.path.realpath(out))) if name.is_dir() else ():
            figure = path.with_suffix("")
            exported = sidecar_of(path).exists() or (path.suffix == ".json" and figure.exists())
            if path.suffix.lower() not in PICTURE_SUFFIXES and not exported:
                found[path.suffix.lower() or "no ending"] += 1
    if not found:
        return ""
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.most_common(5))
    more = ", …" if len(found) > 5 else ""
    total = found.total()
    return f"{total} other {'file was' if total == 1 else 'files were'} passed over ({kinds}{more})"


def _below(name: Path, out: Path) -> Iterator[Path]:
    """The files in a folder and below it, but for hidden ones and the folder of the figures."""
    inside = out != Path(os.path.realpath(name)) and out.is_relative_to(os.path.realpath(name))
    for path in sorted(name.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(name).parts)
        if not path.is_dir() and not hidden and not (inside and Path(os.path.realpath(path)).is_relative_to(out)):
            yield path


def _listed(name: Path, out: Path) -> Iterable[tuple[Path, Path]]:
    if name.is_dir():
        pictures = [
            path
            for path in _below(name, out)
            if path.suffix.lower() in PICTURE_SUFFIXES and not sidecar_of(path).exists()
        ]
        if not pictures:
            raise ImageError(f"There is no picture in the folder {name}: expected {', '.join(PICTURE_SUFFIXES)} files.")
        return [(path, path.parent.relative_to(name)) for path in pictures]
    if not name.exists() and any(mark in str(name) for mark in "*?["):
        start = Path(name.anchor) if name.is_absolute() else Path()
        pattern = str(name.relative_to(name.anchor)) if name.is_absolute() else str(name)
        matched = [p for p in sorted(start.glob(pattern)) if p.suffix.lower() in PICTURE_SUFFIXES and not p.is_dir()]
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
