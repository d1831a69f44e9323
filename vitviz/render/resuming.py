"""Which figures of a folder are there already, and which name is free for one that isn't."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from vitviz.images import MAX_BYTES
from vitviz.render.folders import Item
from vitviz.render.recipe import VERSION

if TYPE_CHECKING:
    from vitviz.models.model import Model

MAX_SIDECAR = 2**20


def key_of(digest: str, model: Model, item: Item, wish: str) -> str:
    """What a file must have been asked for as, to be the one that is asked for now: a copy of a picture has its own."""
    place = (item.folder / item.stem).as_posix()
    # A class that is named may be another one with other labels; the model's own come with its weights.
    labels = [model.labels] if model.labels_given else []
    identity = json.dumps([VERSION, digest, place, model.identity, model.device.name, wish, *labels], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()


def digest_of(path: Path) -> str:
    """sha256 of an ordinary file of a sound size, "" for anything else: reading it will say what is wrong."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or not 0 < found.st_size <= MAX_BYTES:
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Made:
    """What a recipe says of its file: what it was asked for as, and which part it is of how many.

    Attributes:
        picture: sha256 of the picture that the figure is of.
    """

    path: Path
    picture: str
    asked: str
    part: int
    parts: int
    sha256: str


def made_in(folders: Iterable[Path]) -> list[Made]:
    """What the recipes in folders, which need not be there, say of files that were made."""
    found = []
    for folder in folders:
        for path in folder.glob("*.json") if folder.is_dir() else ():
            try:
                if path.stat().st_size > MAX_SIDECAR:
                    continue
                recipe = json.loads(path.read_bytes())
                made, picture = recipe["made"], str((recipe.get("picture") or {}).get("sha256", ""))
                # Files that were made one by one were asked for as nothing.
                asked, part, parts = str(made.get("asked", "")), int(made.get("part", 0)), int(made.get("parts", 1))
                found.append(Made(path.with_suffix(""), picture, asked, part, parts, str(made["sha256"])))
            except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue
    return found


def is_done(files: list[Made]) -> bool:
    """Whether all files of a picture are there, and are still what was written."""
    if not files or {f.part for f in files} != set(range(files[0].parts)):
        return False
    try:
        return all(digest_of(f.path) == f.sha256 for f in files)
    except OSError:
        return False


def free_path(path: Path, picture: str, owners: dict[Path, str]) -> Path:
    """The path, or the first one with a number that is no figure of another picture; `owners` learns it."""
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    return next(each for each in chain([path], numbered) if owners.setdefault(each, picture) == picture)
