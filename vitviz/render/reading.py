"""Recipes read back: the JSON beside a file or inside a PNG, validated, size-capped, never run."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitviz.attention.values import Ablation
from vitviz.errors import FileError
from vitviz.render.codec import from_json
from vitviz.render.figure import Figure
from vitviz.render.plan import Plan
from vitviz.render.png import text_in
from vitviz.render.recipe import COMPARISON, FORMAT, VERSION, sidecar_of, text_of
from vitviz.render.studies import STUDIES
from vitviz.render.studies.study import StudyPlan
from vitviz.render.style import color_table

MAX_BYTES = 2**20  # of a recipe
MAX_PICTURE = 512 * 2**20  # of a PNG that carries one
_OPTIONS: dict[str, tuple[type, ...]] = {
    "architecture": (str,), "network": (str,), "crop": (str,), "precision": (str,), "pretrained": (bool,),
    "num_heads": (int,), "image_size": (int, list), "patch_size": (int, list), "mean": (list,), "std": (list,),
    "norm_eps": (float, int),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """A recipe that was read: its whole content, and what is to be made.

    Attributes:
        path: the file that was read.
        options: arguments of load_model.
        ablation: the heads that were switched off.
    """

    content: dict[str, Any]
    plan: Plan | StudyPlan
    path: Path
    options: dict[str, Any]
    ablation: Ablation

    @property
    def picture(self) -> dict[str, Any] | None:
        """path (None where it is not told), name, size, sha256; None where no picture has part in the figure."""
        picture = self.content["picture"]
        return None if picture is None else dict(picture)

    @property
    def source(self) -> str:
        """What names the model."""
        return str(self.content["model"]["source"])

    @property
    def model_hash(self) -> str | None:
        """sha256 of the weights file."""
        found: str | None = self.content["model"].get("sha256")
        return found

    @property
    def batch(self) -> int:
        """How many pictures went through the model together."""
        return int(self.content.get("run", {}).get("batch", 1))


def read_recipe(path: Path) -> Recipe:
    """The recipe in a .json file, or that of an exported PNG or other file; FileError for anything else.

    The file beside an exported one is preferred where it says the same: it knows the folders, too.
    """
    data = _bytes_of(path)
    if data[:1] == b"\x89":
        return _of_png(path, data)
    if data.lstrip()[:1] != b"{" and (beside := sidecar_of(path)).is_file():
        return read_recipe(beside)
    if len(data) > MAX_BYTES:
        raise FileError(f"{path.name} is larger than {MAX_BYTES} bytes: it is no recipe of vitviz.")
    return _parsed(path, data)


def _of_png(path: Path, data: bytes) -> Recipe:
    try:
        text = text_in(data, MAX_BYTES)
    except ValueError as error:
        raise FileError(f"{path.name} is no figure of vitviz: {error}.") from error
    beside = sidecar_of(path)
    if text is None:
        if beside.is_file():
            return read_recipe(beside)
        raise FileError(f"{path.name} is a picture without a recipe: name an exported figure or the .json beside it.")
    inside = _parsed(path, text.encode())
    if beside.is_file():
        try:
            outside = read_recipe(beside)
        except FileError:
            return inside
        if text_of(outside.content) == text:
            return outside
    return inside


def _bytes_of(path: Path) -> bytes:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise FileError(f"{path} can't be read: it is no ordinary file.")
        flags = getattr(os, "O_NONBLOCK", 0)
        with open(path, "rb", opener=lambda file, mode: os.open(file, mode | flags)) as file:
            data = file.read(MAX_PICTURE + 1)
    except (OSError, ValueError) as error:
        raise FileError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}.") from error
    if len(data) > MAX_PICTURE:
        raise FileError(f"{path.name} is larger than {MAX_PICTURE // 2**20} MB: it is no figure of vitviz.")
    return data


def _parsed(path: Path, data: bytes) -> Recipe:
    try:
        content = json.loads(data, parse_constant=_refuse)
        if isinstance(content, dict) and content.get("format") == COMPARISON:
            raise FileError(_of_comparison(path, content))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        if content.get("version") != VERSION:
            raise ValueError(f"its version is {content.get('version')!r}, this program reads {VERSION}")
        plan = _study(content) if "study" in content else _of_maps(content)
        picture, model = _of(content["picture"], dict, type(None)), _of(content["model"], dict)
        if (picture is None) != (isinstance(plan, StudyPlan) and plan.study.needs == "model"):
            raise ValueError("it has a picture that it does not need, or needs one that it does not have")
        if picture is not None:
            _of(picture["sha256"], str), _of(picture["name"], str), _of(picture["path"], str, type(None))
        _of(model["source"], str), _of(model.get("sha256"), str, type(None))
        options = _options(_of(model.get("options", {}), dict))
        ablation = from_json(Ablation, content.get("ablation", {}))
        for part in ("versions", "run", "values"):
            _of(content.get(part, {}), dict)
        batch = content.get("run", {}).get("batch", 1)
        if not isinstance(batch, int) or isinstance(batch, bool) or not 1 <= batch <= 4096:
            raise ValueError("its batch is no number of pictures")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise FileError(
            f"{path.name} is no recipe of vitviz ({' '.join(reason.split())[:200]}): "
            "name an exported figure or the .json beside it."
        ) from error
    return Recipe(content, plan, path, options, ablation)


def _of_maps(content: dict[str, Any]) -> Plan:
    whole = {key: _of(content[key], dict) for key in ("selection", "style", "figure")}
    plan = from_json(Plan, {**_of(content["file"], dict), **whole})
    color_table(plan.style.colormap)
    return plan


def _study(content: dict[str, Any]) -> StudyPlan:
    fields = dict(_of(content["study"], dict))
    name = _of(fields.pop("name"), str)
    if name not in STUDIES:
        raise ValueError(f"its figure of {name[:60]!r} is unknown here")
    study, figure, file = from_json(STUDIES[name], fields), from_json(Figure, content["figure"]), content["file"]
    return StudyPlan(study, figure, _of(file["format"], str), float(_of(file["seconds"], int, float)))


def _of_comparison(path: Path, content: dict[str, Any]) -> str:
    command = content.get("command")
    if isinstance(command, str) and command.isprintable() and command.startswith("vitviz compare "):
        return f"{path.name} is the record of a comparison, which is made again, but for its times, with: {command}"
    return (
        f"{path.name} is the record of a comparison made in the window: open its models there again, or name them "
        "with vitviz compare."
    )


def _options(given: dict[str, Any]) -> dict[str, Any]:
    options = {}
    for name, value in given.items():
        if name not in _OPTIONS:
            raise ValueError(f"unknown option {name[:60]!r} of the model")
        _of(value, *_OPTIONS[name])
        if isinstance(value, list):
            if len(value) > 8:
                raise ValueError(f"the option {name} has {len(value)} numbers")
            value = tuple(_of(each, int, float) for each in value)
        options[name] = value
    return options


def _of(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TypeError(f"{repr(value)[:60]} is no {kinds[0].__name__}")
    return value


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
