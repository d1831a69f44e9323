"""What an exported file is made of, as JSON beside it and inside PNG files: enough to make the same bytes again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitviz.atomic import slug
from vitviz.attention.trace import Trace
from vitviz.attention.values import Ablation, HeadMaps, Map, Place, RolloutOptions, Selection
from vitviz.images import Image
from vitviz.models.model import Model
from vitviz.render.codec import canonical, to_json
from vitviz.render.compose import Tile
from vitviz.render.labels import Labels, labels_of
from vitviz.render.making import limits_for, make, map_for, placed, tiles_of
from vitviz.render.plan import Plan, Seen, settled
from vitviz.render.product import Product, Run, model_of, picture_of, published, run_of, text_of, versions

FORMAT, VERSION = "vitviz figure", 2
_ALONE = Run()
_LABEL = 40  # bytes of a label in a name of a file


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A file of which all maps are there, so that what is left needs no torch and may be done in another thread.

    Attributes:
        name: of the file.
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
        return Product.of(self.name, data, self.recipe, made=self.made)


def prepare(
    plan: Plan, seen: Seen, *, shown: Map | None = None, maps: HeadMaps | None = None, run: Run = _ALONE, stem: str = ""
) -> Prepared:
    """Take all maps of a plan from the trace.

    Args:
        shown, maps: the map of the plan's selection and all maps of its query, where they are there already.
        run: how the picture went through the model.
        stem: what the file's name begins with; the picture's name where empty.
    """
    shown = map_for(seen, plan.selection, maps) if shown is None else shown
    plan = canonical(settled(plan, shown, limits_for(seen, shown, plan.style.limits, maps)))
    assert isinstance(plan.style.limits, tuple) or plan.over != "map"
    single = plan.over == "map" and isinstance(plan.style.limits, tuple)
    tiles = [Tile(shown, "", plan.style.limits)] if single else tiles_of(plan, seen)  # type: ignore[arg-type]
    recipe = recipe_of(plan, seen, shown, run, labels_of(seen.model, (tile.shown for tile in tiles)))
    return Prepared(plan, seen, tiles, recipe, name_of(shown, plan, seen, stem))


def produce(
    plan: Plan, seen: Seen, *, shown: Map | None = None, maps: HeadMaps | None = None, run: Run = _ALONE
) -> Product:
    """`prepare`, then finish it: a file and its recipe; nothing is written."""
    return prepare(plan, seen, shown=shown, maps=maps, run=run).finish()


def recipe_of(plan: Plan, seen: Seen, shown: Map, run: Run = _ALONE, labels: Labels = ()) -> dict[str, Any]:
    """Picture, model, selection, labels, style, figure, file, values and versions, as JSON values."""
    parts = to_json(plan)
    pinned = {"pinned": parts.pop("pinned")} if "pinned" in parts else {}
    what = {
        "selection": parts.pop("selection"),
        **pinned,
        **({"labels": to_json(labels)} if labels else {}),
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
    return envelope(what, seen.model, seen.image, shown.ablation, run)


def envelope(
    what: Mapping[str, Any], model: Model, image: Image | None, ablation: Ablation | None = None, run: Run = _ALONE
) -> dict[str, Any]:
    """The recipe of a file of one model: what it shows, `what`, and what that was made from and made with.

    Args:
        image: None where no picture has part in it.
        ablation: the heads that were off.
        run: how the picture went through the model.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "picture": None if image is None else picture_of(image),
        "model": model_of(model),
        **({"ablation": to_json(ablation)} if ablation else {}),
        **what,
        "run": run_of(model, run),
        "versions": versions(),
    }


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
    asked = placed(seen, chosen).query if not same and plan.over in ("heads", "layers") else asked
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
