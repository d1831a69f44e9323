"""What an exported file is made of, as JSON beside it and inside PNG files: enough to make the same bytes again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

from vitviz import __version__
from vitviz.atomic import slug, write_bytes
from vitviz.attention.trace import Trace
from vitviz.attention.values import Ablation, HeadMaps, Map, Place, RolloutOptions, Selection
from vitviz.errors import FileError
from vitviz.images import Image
from vitviz.models.model import Model
from vitviz.render.codec import to_json
from vitviz.render.compose import Tile
from vitviz.render.making import limits_for, make, map_for, tiles_of
from vitviz.render.plan import Plan, Seen, settled

FORMAT, VERSION = "vitviz figure", 2
COMPARISON = "vitviz comparison"  # the format of the recipe of a comparison: several models on one picture
_LABEL = 40  # bytes of a label in a name of a file
PACKAGES = ("torch", "timm", "numpy", "pillow", "reportlab")


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A file that was made: the name it should have, its bytes, and its recipe."""

    name: str
    data: bytes = field(repr=False)
    recipe: dict[str, Any] = field(repr=False)

    def write(self, path: Path) -> Path:
        """Write the file and, beside it, its recipe as `NAME.json`; the path of the recipe."""
        sidecar = sidecar_of(path)
        write_bytes(path, self.data)
        write_bytes(sidecar, json.dumps(self.recipe, indent=1, ensure_ascii=False, allow_nan=False).encode())
        return sidecar


def sidecar_of(path: Path) -> Path:
    """Where the recipe of a file lies."""
    return path.with_name(path.name + ".json")


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A file of which all maps are there, so that what is left needs no torch and may be done in another thread.

    Attributes:
        stem: what its name begins with.
        made: what else the sidecar is to say.
    """

    plan: Plan
    seen: Seen
    tiles: list[Tile] = field(repr=False)
    recipe: dict[str, Any] = field(repr=False)
    name: str
    made: dict[str, Any] = field(default_factory=dict)

    def finish(self) -> Product:
        """Draw and pack it; nothing is written."""
        data = make(self.plan, self.seen, self.tiles, published(self.recipe), text_of(self.recipe))
        made = {"sha256": hashlib.sha256(data).hexdigest(), **self.made}
        return Product(self.name, data, {**self.recipe, "made": made})


def prepare(
    plan: Plan, seen: Seen, *, shown: Map | None = None, maps: HeadMaps | None = None, batch: int = 1, stem: str = ""
) -> Prepared:
    """Take all maps of a plan from the trace.

    Args:
        shown, maps: the map of the plan's selection and all maps of its query, where they are there already.
        batch: how many pictures went through the model together with this one.
        stem: what the file's name begins with; the picture's name where empty.
    """
    shown = map_for(seen, plan.selection, maps) if shown is None else shown
    plan = settled(plan, shown, limits_for(seen, shown, plan.style.limits, maps))
    assert isinstance(plan.style.limits, tuple) or plan.over != "map"
    single = plan.over == "map" and isinstance(plan.style.limits, tuple)
    tiles = [Tile(shown, "", plan.style.limits)] if single else tiles_of(plan, seen)  # type: ignore[arg-type]
    return Prepared(plan, seen, tiles, recipe_of(plan, seen, shown, batch), name_of(shown, plan, seen, stem))


def produce(
    plan: Plan, seen: Seen, *, shown: Map | None = None, maps: HeadMaps | None = None, batch: int = 1
) -> Product:
    """`prepare`, then finish it: a file and its recipe; nothing is written."""
    return prepare(plan, seen, shown=shown, maps=maps, batch=batch).finish()


def recipe_of(plan: Plan, seen: Seen, shown: Map, batch: int = 1) -> dict[str, Any]:
    """Picture, model, selection, style, figure, file, values and versions, as JSON values."""
    parts = to_json(plan)
    what = {
        "selection": parts.pop("selection"),
        "style": parts.pop("style"),
        "figure": parts.pop("figure"),
        "file": parts,
        "values": {
            "layer_name": shown.layer_name,
            "grid": list(shown.grid.shape),
            "smallest": float(shown.values.min()),
            "largest": float(shown.values.max()),
            "sum": float(shown.values.sum()),
            "prefix": shown.prefix_weights,
            "padding": shown.padding_mass,
        },
    }
    return envelope(what, seen.model, seen.image, shown.ablation, batch)


def envelope(
    what: Mapping[str, Any], model: Model, image: Image | None, ablation: Ablation | None = None, batch: int = 1
) -> dict[str, Any]:
    """The recipe of a file of one model: what it shows, `what`, and what that was made from and made with.

    Args:
        image: None where no picture has part in it.
        ablation: the heads that were off.
        batch: how many pictures went through the model together.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "picture": None if image is None else picture_of(image),
        "model": model_of(model),
        **({"ablation": to_json(ablation)} if ablation else {}),
        **what,
        "run": {**run_of(model), "batch": batch},
        "versions": versions(),
    }


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
    return {**model.identity, "assumptions": [to_json(finding) for finding in assumed]}


def run_of(model: Model) -> dict[str, Any]:
    """Where a model ran, and in what precision."""
    return {"device": model.device.name, "precision": model.precision}


def versions() -> dict[str, str]:
    """Of this program and of what it rests on."""
    return {"vitviz": __version__, **{name: version_of(name) for name in PACKAGES}}


def published(content: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe as it goes into files that are given away: names of files without their folders."""
    picture = content["picture"]
    parts: dict[str, Any] = {"picture": None if picture is None else {**picture, "path": None}}
    if "model" in content:
        parts["model"] = _published_model(content["model"])
    if "models" in content:
        parts["models"] = [{**each, "model": _published_model(each["model"])} for each in content["models"]]
    return {k: v for k, v in content.items() if k not in ("made", "command")} | parts


def _published_model(model: Mapping[str, Any]) -> dict[str, Any]:
    source = _name_alone(str(model["source"]))
    assumptions = [
        {**finding, "text": finding["text"].replace(model["source"], source)}
        for finding in model.get("assumptions", [])
    ]
    return {**model, "source": source, "assumptions": assumptions}


def text_of(content: Mapping[str, Any]) -> str:
    """The published recipe as one line of JSON."""
    return json.dumps(published(content), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _name_alone(source: str) -> str:
    # A repository of the hub has a slash too, but is no file.
    path = PurePath(source)
    return path.name if path.is_absolute() or Path(source).exists() else source


def name_of(shown: Map, plan: Plan, seen: Seen, stem: str = "") -> str:
    """A file name that says what is shown, so that other figures get other names."""
    trace = seen.trace
    chosen, picture = shown.selection, stem or slug(Path(shown.image_name).stem, limit=60)
    what = {
        "map": f"layer {chosen.layer} head {chosen.head}" if chosen.method == "attention" else _made_how(chosen, trace),
        "heads": "all heads" if plan.format not in ("gif", "apng") else f"layer {chosen.layer} heads",
        "layers": f"all layers head {chosen.head}",
        "queries": f"layer {chosen.layer} head {chosen.head} all queries",
        "methods": "all methods",
    }[plan.over]
    method = "" if chosen.method == "attention" or plan.over == "methods" else f"{chosen.method} "
    # Two places in one patch are one query, unless the sheet has layers with smaller patches.
    same = plan.over == "map" or len({layer.grid for layer in trace.layers}) == 1
    asked = shown.query_cell if same and isinstance(chosen.query, Place) and shown.query_cell else chosen.query
    query = "" if plan.over == "queries" else f" {_query_name(asked)}"
    way = " to" if chosen.direction == "to" else ""
    off = f" without {_some(shown.ablation)}" if shown.ablation else ""
    # Cut one by one: a long name of a picture or model must not take away what tells the figures apart.
    parts = picture, slug(shown.model_name, limit=50), slug(f"{method}{what}{way}{query}{off}", limit=90)
    return f"{'-'.join(parts)}{plan.suffix}"


def _some(ablation: Ablation) -> str:
    """The heads that are off, told apart from others by a hash where they are too many for a name."""
    if len(ablation.heads) <= 6:
        return ablation.text
    digest = hashlib.sha256(ablation.text.encode()).hexdigest()[:6]
    return f"{len(ablation.heads)} heads {digest}"


def _made_how(chosen: Selection, seen: Trace) -> str:
    """What tells two maps of one method apart: the class, or the options that are not the usual ones."""
    if chosen.target is not None:
        labels = [slug(label, limit=_LABEL) for label in seen.labels[: seen.logits.size]]
        label = slug(seen.label(chosen.target), limit=_LABEL)
        return f"{label} class {chosen.target}" if labels.count(label) > 1 else label
    usual, options = RolloutOptions(), chosen.options or RolloutOptions()
    parts = [f"layers {options.first_layer} to {options.last_layer}"]
    parts += [
        str(value) if isinstance(value, str) else f"{name} {value:g}"
        for name in ("fusion", "discard", "residual", "variant")
        if (value := getattr(options, name)) != getattr(usual, name)
    ]
    return " ".join(parts)


def _query_name(query: object) -> str:
    if isinstance(query, Place):
        return f"x{query.x:.0f} y{query.y:.0f}"
    return f"r{query[0]} c{query[1]}" if isinstance(query, tuple) else str(query)


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


def version_of(package: str) -> str:
    """The installed version of a package, "unknown" where it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
