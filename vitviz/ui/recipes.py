"""What the recipe of an exported figure says to a pane: which model, which picture, which state."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vitviz.errors import FileError, ImageError
from vitviz.images import Image, read_image
from vitviz.models.names import DEMOS
from vitviz.render.studies.study import StudyPlan
from vitviz.ui.opening import ModelWish
from vitviz.ui.store import State

if TYPE_CHECKING:
    from vitviz.render.reading import Recipe


def state_of(state: State, recipe: Recipe) -> State:
    """A pane's state for the view of a recipe; what that says nothing of stays."""
    plan = recipe.plan
    if isinstance(plan, StudyPlan):
        return replace(state, ablation=recipe.ablation if plan.study.needs == "trace" else state.ablation, hover=None)
    chosen = plan.selection
    named = {f.name for f in fields(chosen)} & {f.name for f in fields(State)}
    found = {name: getattr(chosen, name) for name in named}
    found = {k: v for k, v in found.items() if not (k == "options" and v is None)}
    style, scale = plan.style, plan.scale
    limits = style.limits if scale == "fixed" else scale
    return replace(state, **found, style=replace(style, limits=limits), ablation=recipe.ablation, hover=None)


def picture_of(recipe: Recipe, shown: Image | None, recent: list[Path]) -> Path | Image | None:
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


def source_of(recipe: Recipe) -> str:
    """The model's file beside the figure where the recipe knows but its name."""
    source = recipe.source
    beside = recipe.path.parent / source
    if source not in DEMOS and "/" not in source and not Path(source).exists() and beside.exists():
        return str(beside)
    return source


def needs_network(wish: ModelWish) -> bool:
    """Whether a model is named by what may have to be fetched."""
    return wish.pretrained and wish.source not in DEMOS and not Path(wish.source).expanduser().exists()


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
