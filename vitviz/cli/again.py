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
    from vitviz.render.wanted import Recipe


def again(arguments: argparse.Namespace) -> int:
    """Make the file of a recipe again; the exit status is 1 where its bytes are not those of then."""
    from vitviz.cli.progress import Steps
    from vitviz.models.loading import load_model
    from vitviz.render.labels import labels_differ
    from vitviz.render.product import differences
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
    if not arguments.again and target.exists() and target.read_bytes() != product.data:
        raise FileError(f"{target} is there and another file than this: choose another --out, or add --again.")
    *paths, _ = product.write(target)
    for path in paths:
        print(path)
    before = recipe.content.get("made", {}).get("sha256")
    if before is None or before == product.recipe["made"]["sha256"]:
        return 0
    reasons = differences(recipe.content, product.recipe)
    reasons += ["labels that are not those of the recipe"] if labels_differ(recipe.content, product.recipe) else []
    reasons = reasons or ["the machine, the name of the weights, or labels that an older recipe does not hold"]
    print(f"vitviz: The bytes of {paths[0]} are not those of then: {'; '.join(reasons)}.", file=sys.stderr)
    return 1


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
