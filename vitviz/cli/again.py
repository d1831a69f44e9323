"""`vitviz export --recipe FILE`: an exported file made again, byte for byte, and what differs from then."""

from __future__ import annotations

import argparse
import hashlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vitviz.errors import FileError, VitvizError

if TYPE_CHECKING:
    from vitviz.images import Image
    from vitviz.render.reading import Recipe


def again(arguments: argparse.Namespace) -> int:
    """Make the file of a recipe again; the exit status is 1 where its bytes are not those of then."""
    from vitviz.attention.batches import traces
    from vitviz.attention.trace import trace
    from vitviz.models.loading import load_model
    from vitviz.render.plan import Seen
    from vitviz.render.reading import read_recipe
    from vitviz.render.recipe import differences, produce, same_picture

    recipe = read_recipe(arguments.recipe)
    image = _picture(recipe, arguments)
    same_picture(image, recipe.content)
    # Its hash says that it is the picture; only its file may have been renamed since.
    image = replace(image, name=recipe.picture["name"])
    source = arguments.model or recipe.source
    model = load_model(source, device=arguments.device, **recipe.options)
    if model.sha256 != recipe.model_hash:
        raise VitvizError(f"The weights of {source} are not those of the recipe: the hashes differ.")
    # With as many beside it as then: another size of batch may round otherwise in the last digit.
    seen = Seen(image, model, traces(model, [image] * recipe.batch)[0])
    if recipe.ablation:
        seen = replace(seen, trace=trace(model, image, ablation=recipe.ablation, plain=seen.trace))
    product = produce(recipe.plan, seen, batch=recipe.batch)
    path = arguments.out / product.name
    product.write(path)
    print(path)
    before = recipe.content.get("made", {}).get("sha256")
    if before is None or before == hashlib.sha256(product.data).hexdigest():
        return 0
    reasons = differences(recipe.content, product.recipe) or ["the machine, or the name of the weights"]
    print(f"vitviz: The bytes of {path} are not those of then: {'; '.join(reasons)}.", file=sys.stderr)
    return 1


def _picture(recipe: Recipe, arguments: argparse.Namespace) -> Image:
    """The picture of a recipe: named on the command line, where the recipe says, or beside the figure."""
    from vitviz.images import read_image

    if arguments.pictures:
        return read_image(Path(arguments.pictures[0]))
    told = recipe.picture["path"]
    name = recipe.picture["name"]
    if told and Path(told).exists():
        return read_image(told)
    if not told and (beside := recipe.path.parent / name).is_file():
        return read_image(beside)
    if told:
        raise FileError(f"The picture of the recipe is no longer at {told}: name it on the command line.")
    raise FileError(f"The recipe names no picture file, only {name!r}: name the PICTURE on the command line.")
