"""`vitviz export --recipe FILE`: an exported file made again, byte for byte, and what differs from then."""

from __future__ import annotations

import argparse
import hashlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitviz.errors import FileError, VitvizError

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace
    from vitviz.images import Image
    from vitviz.models.model import Model
    from vitviz.render.reading import Recipe
    from vitviz.render.recipe import Product


def again(arguments: argparse.Namespace) -> int:
    """Make the file of a recipe again; the exit status is 1 where its bytes are not those of then."""
    from vitviz.models.loading import load_model
    from vitviz.render.reading import read_recipe
    from vitviz.render.recipe import differences

    recipe = read_recipe(arguments.recipe)
    image = _picture(recipe, arguments)
    source = arguments.model or recipe.source
    model = load_model(source, device=arguments.device, **recipe.options)
    if model.sha256 != recipe.model_hash:
        raise VitvizError(f"The weights of {source} are not those of the recipe: the hashes differ.")
    product = _made(recipe, model, image)
    path = arguments.out / product.name
    product.write(path)
    print(path)
    before = recipe.content.get("made", {}).get("sha256")
    if before is None or before == hashlib.sha256(product.data).hexdigest():
        return 0
    reasons = differences(recipe.content, product.recipe) or ["the machine, or the name of the weights"]
    print(f"vitviz: The bytes of {path} are not those of then: {'; '.join(reasons)}.", file=sys.stderr)
    return 1


def _made(recipe: Recipe, model: Model, image: Image | None) -> Product:
    """The file, and its recipe as it is now."""
    from vitviz.render.plan import Plan, Seen
    from vitviz.render.recipe import produce
    from vitviz.render.studies.making import produce_study
    from vitviz.render.studies.study import Subject

    plan = recipe.plan
    if isinstance(plan, Plan):
        assert image is not None
        return produce(plan, Seen(image, model, _trace(recipe, model, image)), batch=recipe.batch)
    traced = _trace(recipe, model, image) if image is not None and plan.study.needs == "trace" else None
    return produce_study(plan, Subject(model, image, traced))


def _trace(recipe: Recipe, model: Model, image: Image) -> Trace:
    from vitviz.attention.batches import traces
    from vitviz.attention.trace import trace

    # With as many beside it as then: another size of batch may round otherwise in the last digit.
    plain = traces(model, [image] * recipe.batch)[0]
    return trace(model, image, ablation=recipe.ablation, plain=plain) if recipe.ablation else plain


def _picture(recipe: Recipe, arguments: argparse.Namespace) -> Image | None:
    """The picture of a recipe, which its hash says that it is; None where it needs none."""
    from vitviz.render.recipe import same_picture

    if recipe.picture is None:
        return None
    image = _read(recipe.picture, recipe.path, arguments)
    same_picture(image, recipe.content)
    # Only its file may have been renamed since.
    return replace(image, name=recipe.picture["name"])


def _read(picture: dict[str, Any], beside: Path, arguments: argparse.Namespace) -> Image:
    """The picture that is named on the command line, where the recipe says, or beside the figure."""
    from vitviz.images import read_image

    if arguments.pictures:
        return read_image(Path(arguments.pictures[0]))
    told, name = picture["path"], picture["name"]
    if told and Path(told).exists():
        return read_image(told)
    if not told and (there := beside.parent / name).is_file():
        return read_image(there)
    if told:
        raise FileError(f"The picture of the recipe is no longer at {told}: name it on the command line.")
    raise FileError(f"The recipe names no picture file, only {name!r}: name the PICTURE on the command line.")
