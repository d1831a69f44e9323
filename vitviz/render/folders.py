"""Names of files, folders and patterns -> pictures, each with a place for its figures that no other has."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitviz.atomic import slug
from vitviz.errors import ImageError
from vitviz.ordinary import is_file, is_folder, is_there
from vitviz.picture_files import PICTURE_SUFFIXES
from vitviz.render.product import sidecar_of
from vitviz.render.reading import is_recipe


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
        for path in _below(name, Path(os.path.realpath(out))) if is_folder(name) else ():
            if path.suffix.lower() not in PICTURE_SUFFIXES and not _is_figure(path) and not _is_of_figure(path):
                found[path.suffix.lower() or "no ending"] += 1
    if not found:
        return ""
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.most_common(5))
    more = ", …" if len(found) > 5 else ""
    total = found.total()
    return f"{total} other {'file was' if total == 1 else 'files were'} passed over ({kinds}{more})"


def _is_figure(path: Path) -> bool:
    """Whether a file was exported: its recipe lies beside it, which JSON of another program is not."""
    return is_file(sidecar := sidecar_of(path)) and is_recipe(sidecar)


def _is_of_figure(path: Path) -> bool:
    """Whether a file is the recipe of one that lies beside it."""
    return path.suffix == ".json" and is_there(path.with_suffix("")) and is_recipe(path)


def _below(name: Path, out: Path) -> list[Path]:
    """The files in a folder and below it, by name, but for hidden ones and the folder of the figures."""
    root = os.path.realpath(name)
    inside = out != Path(root) and out.is_relative_to(root)

    def kept(place: str, names: list[str], *, only_links: bool) -> Iterator[Path]:
        for path in (Path(place, each) for each in names if not each.startswith(".")):
            asked = inside and (not only_links or os.path.islink(path))  # noqa: PTH114  Path's may raise
            if not asked or not Path(os.path.realpath(path)).is_relative_to(out):
                yield path

    found: list[Path] = []
    for place, folders, files in os.walk(name):
        folders[:] = [path.name for path in kept(place, folders, only_links=False)]
        found += kept(place, files, only_links=True)  # any other is where its folder is
    return sorted(found)


def _listed(name: Path, out: Path) -> Iterable[tuple[Path, Path]]:
    if is_folder(name):
        pictures = [path for path in _below(name, out) if path.suffix.lower() in PICTURE_SUFFIXES]
        if not pictures:
            raise ImageError(f"There is no picture in the folder {name}: expected {', '.join(PICTURE_SUFFIXES)} files.")
        new = [(path, path.parent.relative_to(name)) for path in pictures if not _is_figure(path)]
        if not new:
            raise ImageError(f"There is no picture in the folder {name} but exported figures: choose another one.")
        return new
    if is_there(name):
        return [(name, Path())]
    if any(mark in str(name) for mark in "*?["):
        return [(path, Path()) for path in _matched(name)]
    raise ImageError(f"There is no picture or folder {str(name)!r}: check the path.")


def _matched(name: Path) -> list[Path]:
    """The pictures that are called like a pattern."""
    parts = [f"**/{re.sub('[*]+', '*', part)}" if "**" in part and part != "**" else part for part in name.parts]
    if (meant := Path(*parts)) != name:
        raise ImageError(f"The pattern {str(name)!r} has ** beside other letters: write {str(meant)!r}.")
    start = Path(name.anchor) if name.is_absolute() else Path()
    pattern = str(name.relative_to(name.anchor)) if name.is_absolute() else str(name)
    try:
        matched = [p for p in sorted(start.glob(pattern)) if p.suffix.lower() in PICTURE_SUFFIXES and not is_folder(p)]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"Pictures like {str(name)!r} can't be looked for: {reason}. Check the pattern.") from error
    if not (new := [path for path in matched if not _is_figure(path)]):
        raise ImageError(f"No picture is called like {str(name)!r}: check the pattern and the folder.")
    return new


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
