"""A file that was made, with its recipe beside it: what the recipes of all kinds of files have in common."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

from vitviz import __version__
from vitviz.atomic import write_bytes
from vitviz.errors import FileError
from vitviz.images import Image
from vitviz.models.model import Model
from vitviz.models.names import DEMOS
from vitviz.ordinary import is_there
from vitviz.render.codec import to_json

PACKAGES = ("torch", "timm", "numpy", "pillow", "reportlab")


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A file that was made: the name it should have, its bytes, and its recipe.

    Attributes:
        beside: other files, by what their names have after the file's own.
    """

    name: str
    data: bytes = field(repr=False)
    recipe: dict[str, Any] = field(repr=False)
    beside: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        name: str,
        data: bytes,
        content: Mapping[str, Any],
        *,
        made: Mapping[str, Any] | None = None,
        beside: Mapping[str, bytes] | None = None,
    ) -> Product:
        """A product whose recipe says what its bytes are; `made` is what else it says of them."""
        about = {"sha256": hashlib.sha256(data).hexdigest(), **(made or {})}
        return cls(name, data, {**content, "made": about}, beside or {})

    def write(self, path: Path, *, recipe: bool = True) -> list[Path]:
        """Write the file, what belongs beside it and, as the last one, its recipe `NAME.json`; their paths.

        Without `recipe` the one that is there stays.
        """
        others = {path.with_name(path.name + suffix): data for suffix, data in self.beside.items()}
        files = {path: self.data, **others}
        if recipe:
            words = json.dumps(self.recipe, indent=1, ensure_ascii=False, allow_nan=False)
            # A path that is no UTF-8 is written as JSON writes its letters.
            files[sidecar_of(path)] = words.encode(errors="backslashreplace")
        for target, data in files.items():
            write_bytes(target, data)
        return list(files)


def sidecar_of(path: Path) -> Path:
    """Where the recipe of a file lies."""
    return path.with_name(path.name + ".json")


def picture_of(image: Image) -> dict[str, Any]:
    """What it takes to find a picture again, and to know it."""
    return {
        "path": str(image.path.resolve()) if image.path else None,
        "name": image.name,
        "size": list(image.size),
        "sha256": image.sha256,
    }


def model_of(model: Model) -> dict[str, Any]:
    """What it takes to load a model again, and what was assumed about it."""
    assumed = [finding for finding in model.report if finding.certainty != "found"]
    source = Path(model.source).expanduser()
    # From any folder; a demo's name is none of a file.
    named = str(source.resolve()) if model.source not in DEMOS and is_there(source) else model.source
    return {**model.identity, "source": named, "assumptions": [to_json(finding) for finding in assumed]}


@dataclass(frozen=True, slots=True)
class Run:
    """What else the last digits of a pass depend on.

    Attributes:
        batch: how many pictures went through the model together.
        threads: that torch computed with, None where that is not known.
    """

    batch: int = 1
    threads: int | None = None


def run_of(model: Model, run: Run | None = None) -> dict[str, Any]:
    """Where a model ran, in what precision, and how."""
    where = {"device": model.device.name, "precision": model.precision}
    return where if run is None else where | {k: v for k, v in asdict(run).items() if v is not None}


def versions() -> dict[str, str]:
    """Of this program and of what its files' bytes depend on."""
    return {"vitviz": __version__, **{name: version_of(name) for name in PACKAGES}, "zlib": zlib.ZLIB_RUNTIME_VERSION}


def published(content: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe as it goes into files that are given away: names of files without their folders."""
    found = {k: v for k, v in content.items() if k != "made"}
    if found.get("picture") is not None:
        found["picture"] = {**found["picture"], "path": None}
    if "model" in found:
        found["model"] = _without_folder(found["model"])
    if "models" in found:
        found["models"] = [{**each, "model": _without_folder(each["model"])} for each in found["models"]]
    return found


def _without_folder(model: Mapping[str, Any]) -> dict[str, Any]:
    source = str(model["source"])
    name = _name_alone(source)
    told = [{**each, "text": each["text"].replace(source, name)} for each in model.get("assumptions", [])]
    return {**model, "source": name, "assumptions": told}


def _name_alone(source: str) -> str:
    # A repository of the hub has a slash too, but is no file.
    path = PurePath(source)
    return path.name if path.is_absolute() or is_there(Path(source)) else source


def text_of(content: Mapping[str, Any]) -> str:
    """The published recipe as one line of JSON."""
    return json.dumps(published(content), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def same_picture(image: Image, content: Mapping[str, Any]) -> None:
    """FileError where an image is not the one of the recipe."""
    picture = content["picture"]
    if image.sha256 != picture["sha256"]:
        raise FileError(
            f"{image.name} is not the picture of the recipe ({picture['name']}, sha256 {picture['sha256'][:16]}): "
            "name that picture."
        )


def differences(content: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of versions, device and precision is not as it was, in words."""
    found = []
    for part in ("versions", "run"):
        before, after = dict(content.get(part, {})), dict(now.get(part, {}))
        found += [f"{k} {before[k]} then, {after[k]} now" for k in before if k in after and before[k] != after[k]]
    return found


@cache  # found in files, which takes longer than to draw a small figure
def version_of(package: str) -> str:
    """The installed version of a package, "unknown" where it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
