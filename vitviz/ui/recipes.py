"""What the recipe of an exported figure says to the panes: which models, which picture, which states."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitviz.attention.methods import METHODS
from vitviz.attention.values import Ablation, Place, Query, Selection
from vitviz.errors import AttentionError, FileError, ImageError
from vitviz.images import Image, read_image
from vitviz.models.names import DEMOS
from vitviz.models.wish import ModelWish
from vitviz.render.plan import Scale, limits_for, scale_of
from vitviz.render.studies.study import StudyPlan
from vitviz.render.style import Style
from vitviz.ui.files import CHECKPOINT_SUFFIXES
from vitviz.ui.store import State

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace
    from vitviz.render.reading import AnyRecipe


@dataclass(frozen=True, slots=True)
class View:
    """What one pane is to show.

    Attributes:
        fields: what replaces fields of the pane's state.
        sha256: of the weights.
        chosen: what the figure shows; None for one that is no map.
        pinned: the query that was held by hand then, as far as that is known.
    """

    model: ModelWish
    fields: dict[str, Any]
    sha256: str | None
    chosen: Selection | None = None
    pinned: Query | None = None

    def state(self, before: State) -> State:
        """A pane's state with this view; what the recipe says nothing of stays."""
        return replace(before, **self.fields, hover=None)

    def query(self, trace: Trace) -> Query | None:
        """What has to be pinned in a trace so that the pane shows what the figure of this view does.

        A token that is shown with nothing pinned is pinned only where it is known to have been; a patch always.
        """
        from vitviz.attention.maps import place_of

        chosen = self.chosen
        if chosen is None or chosen.query is None or not METHODS[chosen.method].of_query:
            return self.pinned
        try:
            layer = trace.layer(chosen.layer)
            if isinstance(chosen.query, tuple):
                at = self.pinned if isinstance(self.pinned, Place) else None
                seen = at is not None and trace.view.contains(at.x, at.y)
                if at and seen and layer.query_grid.cell_at(*trace.view.to_view(at.x, at.y)) == chosen.query:
                    return at  # the very point, which panes may share whose patches are of different sizes
                # Counted on the grid of its own layer, and a pane holds what it pins in all of them.
                return place_of(trace, layer, chosen.query)
        except AttentionError:  # other weights than those of then, which is said
            return None
        unpinned = trace.default_query if trace.default_query in layer.prefix_tokens else "mean"
        return chosen.query if chosen.query == self.pinned or chosen.query != unpinned else None


def views_of(recipe: AnyRecipe, device: str) -> list[View]:
    """A view for each pane that a recipe fills."""
    from vitviz.render.comparison_recipe import ComparisonRecipe

    found: list[tuple[dict[str, Any], Selection | None, Query | None]]
    if isinstance(recipe, ComparisonRecipe):
        styles = [each.style or recipe.style for each in recipe.shown]
        found = [
            (_fields(each.selection, style, scale_of(style.limits), each.ablation), each.selection, each.pinned)
            for each, style in zip(recipe.shown, styles, strict=True)
        ]
    elif isinstance(recipe.plan, StudyPlan):
        found = [({"ablation": recipe.ablation} if recipe.plan.study.needs == "trace" else {}, None, None)]
    else:
        plan = recipe.plan
        found = [(_fields(plan.selection, plan.style, plan.scale, recipe.ablation), plan.selection, plan.pinned)]
    return [
        View(replace(each.wish, device=device), named, each.sha256, chosen, pinned)
        for each, (named, chosen, pinned) in zip(recipe.models, found, strict=True)
    ]


def _fields(chosen: Selection, style: Style, scale: Scale, ablation: Ablation) -> dict[str, Any]:
    named = {f.name for f in fields(chosen)} & {f.name for f in fields(State)}
    found = {name: getattr(chosen, name) for name in named}
    found = {k: v for k, v in found.items() if not (k == "options" and v is None)}
    # A pane shows one map, which shares its scale with no other of the file.
    style = replace(style, limits=limits_for(scale, style.limits))
    return {**found, "style": style, "ablation": ablation}


def picture_of(recipe: AnyRecipe, shown: Image | None, recent: list[Path]) -> Path | Image | None:
    """The picture of a recipe: what is shown, where the recipe says, beside the figure, among the recent ones.

    FileError says what is missing. Every candidate is told by its hash. None where a recipe needs no picture.
    """
    if recipe.picture is None:
        return None
    wanted, name, told = recipe.picture["sha256"], recipe.picture["name"], recipe.picture["path"]
    if shown is not None and shown.sha256 == wanted:
        return shown.path or shown
    from vitviz.ui import samples

    local = [Path(told)] if told and not str(told).startswith(("\\\\", "//")) else []
    beside = [recipe.path.parent / Path(name).name] if Path(name).name else []
    others = [path for path in [*recent, *samples.pictures()] if path.name == name]
    differs = False
    for path in [*local, *beside, *others]:
        try:
            if not path.is_file():
                continue
            if read_image(path).sha256 == wanted:
                return path
            differs = True
        except (ImageError, OSError, ValueError):
            continue
    what = "there is another picture of that name" if differs else "it is not where it was"
    raise FileError(
        f"The picture of this figure, {name} (sha256 {wanted[:12]}), was not found: {what}. "
        "Open that picture first, then drop the figure again."
    )


def needs_network(wish: ModelWish) -> bool:
    """Whether a model is named by what may have to be fetched; a file that is nowhere can't be."""
    path = Path(wish.source).expanduser()
    is_name = wish.source not in DEMOS and path.suffix not in CHECKPOINT_SUFFIXES
    return wish.pretrained and is_name and not path.exists()


def may_be_restored(path: Path) -> bool:
    """Whether a file is a session, a recipe, or a figure with one: its name tells, of a PNG its first kilobytes."""
    try:
        if path.suffix.lower() == ".json":
            return path.is_file()
        beside = path.with_name(f"{path.name}.json")
        if path.suffix.lower() in (".svg", ".pdf", ".gif", ".npz", ".safetensors"):
            return beside.is_file()
        if path.suffix.lower() != ".png" or not path.is_file():
            return False
        with path.open("rb") as file:
            return b"iTXtvitviz\0" in file.read(4096)
    except OSError:
        return False


def figure_text(path: Path, entry: str) -> str:
    """What is said of an exported figure that was opened as a picture; `entry` of the File menu opens its view."""
    entry = entry.replace("&", "")
    return f"{path.name} is a figure of vitviz, taken as a photograph here: its view opens by File > {entry}"
