"""Recipes read back: the JSON beside a file or inside a PNG, validated, size-capped, never run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitviz.attention.batches import traces
from vitviz.attention.threads import with_threads
from vitviz.attention.trace import Trace, trace
from vitviz.attention.values import Ablation
from vitviz.errors import FileError
from vitviz.images import Image
from vitviz.models.model import Model
from vitviz.ordinary import is_file, read_ordinary
from vitviz.render import comparison_recipe
from vitviz.render.codec import from_json
from vitviz.render.comparison_recipe import ComparisonRecipe
from vitviz.render.figure import Figure
from vitviz.render.labels import Labels, labels_in, with_labels
from vitviz.render.plan import Plan, Seen
from vitviz.render.png import text_in
from vitviz.render.product import Product, Run, sidecar_of, text_of
from vitviz.render.recipe import FORMAT, VERSION, produce
from vitviz.render.studies import STUDIES
from vitviz.render.studies.making import produce_study
from vitviz.render.studies.study import StudyPlan, Subject
from vitviz.render.style import color_table
from vitviz.render.wanted import Recipe, check_common, model_in, of

MAX_BYTES = 2**20  # of a recipe
MAX_PICTURE = 512 * 2**20  # of a PNG that carries one


@dataclass(frozen=True, slots=True, eq=False)
class FigureRecipe(Recipe):
    """The recipe of a file of one model: maps, or a study.

    Attributes:
        plan: what is to be made.
        ablation: the heads that were switched off.
        run: how the picture went through the model, which is how it does again.
        labels: what the classes that it is of were called, where that was not the model's own name for them.
    """

    plan: Plan | StudyPlan
    ablation: Ablation
    run: Run
    labels: Labels = ()

    def produce(self, image: Image | None, models: Sequence[Model]) -> Product:
        # Another size of batch or number of threads may round otherwise in the last digit.
        with with_threads(self.run.threads):
            return self._produce(image, *(with_labels(model, self.labels) for model in models))

    def _produce(self, image: Image | None, model: Model) -> Product:
        plan = self.plan
        if isinstance(plan, Plan):
            assert image is not None
            return produce(plan, Seen(image, model, self._trace(model, image)), run=self.run)
        traced = self._trace(model, image) if image is not None and plan.study.needs == "trace" else None
        return produce_study(plan, Subject(model, image, traced))

    def _trace(self, model: Model, image: Image) -> Trace:
        plain = traces(model, [image] * self.run.batch)[0]
        return trace(model, image, ablation=self.ablation, plain=plain) if self.ablation else plain


AnyRecipe = FigureRecipe | ComparisonRecipe


def read_recipe(path: Path) -> AnyRecipe:
    """The recipe in a .json file, or that of an exported PNG or other file; FileError for anything else.

    The file beside an exported one is preferred where it says the same: it knows the folders, too.
    """
    data = read_ordinary(path, MAX_PICTURE, "figure")
    if data[:1] == b"\x89":
        return _of_png(path, data)
    if data.lstrip()[:1] != b"{" and is_file(beside := sidecar_of(path)):
        return read_recipe(beside)
    if len(data) > MAX_BYTES:
        raise FileError(f"{path.name} is larger than {MAX_BYTES} bytes: it is no recipe of vitviz.")
    return _parsed(path, data)


def is_recipe(path: Path) -> bool:
    """Whether a file calls itself a recipe of ours; only `read_recipe` says whether it is a sound one."""
    try:
        content = json.loads(read_ordinary(path, MAX_BYTES, "recipe"))
    except (FileError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("format") in list(_KINDS)


def _of_png(path: Path, data: bytes) -> AnyRecipe:
    try:
        text = text_in(data, MAX_BYTES)
    except ValueError as error:
        raise FileError(f"{path.name} is no figure of vitviz: {error}.") from error
    beside = sidecar_of(path)
    if text is None:
        if is_file(beside):
            return read_recipe(beside)
        raise FileError(f"{path.name} is a picture without a recipe: name an exported figure or the .json beside it.")
    inside = _parsed(path, text.encode())
    if is_file(beside):
        try:
            outside = read_recipe(beside)
        except FileError:
            return inside
        if text_of(outside.content) == text:
            return outside
    return inside


def _parsed(path: Path, data: bytes) -> AnyRecipe:
    try:
        content = json.loads(data, parse_constant=_refuse)
        kind = content.get("format") if isinstance(content, dict) else None
        if kind not in _KINDS:
            raise ValueError(f"its format is not {FORMAT!r}")
        version, parse = _KINDS[kind]
        if content.get("version") != version:
            raise ValueError(f"its version is {content.get('version')!r}, this program reads {version}")
        return parse(path, content)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise FileError(
            f"{path.name} is no recipe of vitviz ({' '.join(reason.split())[:200]}): "
            "name an exported figure or the .json beside it."
        ) from error


def _of_figure(path: Path, content: dict[str, Any]) -> FigureRecipe:
    check_common(content)
    plan = _study(content) if "study" in content else _of_maps(content)
    if (content["picture"] is None) != (isinstance(plan, StudyPlan) and plan.study.needs == "model"):
        raise ValueError("it has a picture that it does not need, or needs one that it does not have")
    of(content.get("values", {}), dict)
    models, ablation = (model_in(path, content["model"]),), from_json(Ablation, content.get("ablation", {}))
    return FigureRecipe(content, path, models, plan, ablation, _run(content.get("run", {})), labels_in(content))


def _run(given: dict[str, Any]) -> Run:
    for key, most in (("batch", 4096), ("threads", 256)):
        if not 1 <= of(given.get(key, 1), int) <= most:
            raise ValueError(f"its {key} is no number from 1 to {most}")
    return Run(given.get("batch", 1), given.get("threads"))


def _of_maps(content: dict[str, Any]) -> Plan:
    whole = {key: of(content[key], dict) for key in ("selection", "style", "figure")}
    pinned = {"pinned": content["pinned"]} if "pinned" in content else {}
    plan = from_json(Plan, {**of(content["file"], dict), **whole, **pinned})
    color_table(plan.style.colormap)
    return plan


def _study(content: dict[str, Any]) -> StudyPlan:
    fields = dict(of(content["study"], dict))
    name = of(fields.pop("name"), str)
    if name not in STUDIES:
        raise ValueError(f"its figure of {name[:60]!r} is unknown here")
    study, figure, file = from_json(STUDIES[name], fields), from_json(Figure, content["figure"]), content["file"]
    return StudyPlan(study, figure, of(file["format"], str), float(of(file["seconds"], int, float)))


# By the format that a recipe says: the version that is read, and what makes a recipe of its content; that may raise
# KeyError, TypeError or ValueError.
_KINDS: dict[str, tuple[int, Callable[[Path, dict[str, Any]], AnyRecipe]]] = {
    FORMAT: (VERSION, _of_figure),
    comparison_recipe.FORMAT: (comparison_recipe.VERSION, comparison_recipe.read),
}


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
