"""`vitviz export --recipe FILE`: an exported file made again, byte for byte, and what differs from then."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitviz.errors import FileError, VitvizError

if TYPE_CHECKING:
    from vitviz.images import Image
    from vitviz.render.product import Product
    from vitviz.render.wanted import Recipe


def again(arguments: argparse.Namespace) -> int:
    """Make the file of a recipe again; the exit status is 1 where its bytes are not those of then.

    A recipe that is there and says these bytes stays as it is: it may know more, such as what an export asked for.
    """
    from vitviz.cli.progress import Steps
    from vitviz.models.loading import load_model
    from vitviz.render.product import sidecar_of
    from vitviz.render.reading import read_recipe

    recipe = read_recipe(arguments.recipe)
    wanted = [replace(each.wish, device=arguments.device, labels=arguments.labels) for each in recipe.models]
    if arguments.model is not None:
        if len(wanted) > 1:
            raise VitvizError(
                f"The recipe is of {len(wanted)} models, and --model can't say which of them is elsewhere: "
                "put their files where they were, or beside the recipe."
            )
        wanted = [replace(wanted[0], source=arguments.model)]
    image = _picture(recipe, arguments)
    with Steps() as told:
        models = [load_model(wish.source, **wish.options, progress=told) for wish in wanted]
    for each, model in zip(recipe.models, models, strict=True):
        each.check(model)
    product = recipe.produce(image, models)
    target = arguments.out / name_again(arguments.recipe.name, product.name)
    before, now = recipe.content.get("made", {}).get("sha256"), product.recipe["made"]["sha256"]
    changed = "" if before in (None, now) else f"The bytes of {target} are not those of then: {_why(recipe, product)}."
    stays = _bytes_of(sidecar_of(target)) == now
    if not arguments.again:
        _check_free(target, product, changed, stays)
    for path in product.write(target, recipe=not stays):
        if path != sidecar_of(target):
            print(path)
    if changed:
        print(f"vitviz: {changed}", file=sys.stderr)
    return 1 if changed else 0


def _why(recipe: Recipe, product: Product) -> str:
    """What may have changed the bytes."""
    from vitviz.render.labels import labels_differ
    from vitviz.render.product import differences

    reasons = differences(recipe.content, product.recipe)
    reasons += ["labels that are not those of the recipe"] if labels_differ(recipe.content, product.recipe) else []
    return "; ".join(reasons or ["the machine, the name of the weights, or labels that an older recipe does not hold"])


def _bytes_of(recipe: Path) -> str | None:
    """The sha256 of the bytes that a recipe is of; None where there is no recipe, or it doesn't say."""
    from vitviz.render.reading import read_recipe

    try:
        found = read_recipe(recipe).content.get("made", {}).get("sha256")
    except FileError:
        return None
    return found if isinstance(found, str) else None


def _check_free(target: Path, product: Product, changed: str, stays: bool) -> None:
    """FileError where another file is there, or a recipe that is not to stay: the only one of a lost figure, say."""
    from vitviz.ordinary import is_there
    from vitviz.render.product import sidecar_of

    way_out = "choose another --out, or add --again."
    if is_there(target) and not _is(target, product.data):
        raise FileError(f"{target} is there and another file than this: {way_out}")
    if is_there(sidecar := sidecar_of(target)) and not stays:
        told = f"{changed} " if changed else ""
        raise FileError(f"{told}{sidecar} is there and not the recipe of these bytes: {way_out}")


def _is(path: Path, data: bytes) -> bool:
    """Whether a file has these bytes."""
    from vitviz.ordinary import NotOrdinaryError, open_ordinary

    try:
        with open_ordinary(path) as file:
            return file.read(len(data) + 1) == data
    except (OSError, NotOrdinaryError):
        return False


def name_again(recipe: str, usual: str) -> str:
    """The name of a remade file: that of its recipe without .json, with the ending of the name that it usually has."""
    name = recipe[: -len(".json")] if recipe.lower().endswith(".json") else recipe
    ending = Path(usual).suffix
    return name if name.lower().endswith(ending) and name.lower() != ending else f"{name}{ending}"


def _picture(recipe: Recipe, arguments: argparse.Namespace) -> Image | None:
    """The picture of a recipe, which its hash says that it is; None where it needs none."""
    from vitviz.render.product import same_picture

    if recipe.picture is None:
        return None
    image = _read(recipe.picture, recipe.path, arguments)
    same_picture(image, recipe.content)
    # Only its file may have been renamed since.
    return replace(image, name=recipe.picture["name"])


def _read(picture: dict[str, Any], beside: Path, arguments: argparse.Namespace) -> Image:
    """The picture that is named on the command line, where the recipe says, or beside the figure."""
    from vitviz.images import read_image
    from vitviz.ordinary import is_file, is_there

    if arguments.pictures:
        return read_image(Path(arguments.pictures[0]))
    told, name = picture["path"], picture["name"]
    if told and is_there(Path(told)):
        return read_image(told)
    if not told and is_file(there := beside.parent / name):
        return read_image(there)
    if told:
        raise FileError(f"The picture of the recipe is no longer at {told}: name it on the command line.")
    raise FileError(f"The recipe names no picture file, only {name!r}: name the PICTURE on the command line.")
