"""`vitviz export`: maps over pictures as files, each with the recipe that makes it again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitviz.cli.arguments import SOURCE_HELP, colormap, fraction, limits, load, model_arguments, number_or, query
from vitviz.errors import FileError, VitvizError

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace
    from vitviz.attention.values import Head
    from vitviz.images import Image
    from vitviz.models.model import Model


def parser() -> argparse.ArgumentParser:
    """Its arguments."""
    made = argparse.ArgumentParser(
        prog="vitviz export",
        description="Write attention maps over pictures as PNG at the picture's own size, each with a JSON recipe.",
    )
    made.add_argument("pictures", nargs="*", type=Path, metavar="PICTURE")
    made.add_argument("--model", metavar="SOURCE", default="demo", help=SOURCE_HELP)
    model_arguments(made)
    made.add_argument("--method", choices=("attention",), default="attention")
    made.add_argument("--layer", type=number_or("all"), default=-1, metavar="N|all", help="default: the last")
    made.add_argument(
        "--head", type=number_or("mean", "max", "min", "all"), default="mean", metavar="N|mean|max|min|all"
    )
    made.add_argument(
        "--query", type=query, default=None, help="cls, mean, dist, reg0, a patch ROW,COL or a pixel @X,Y"
    )
    made.add_argument(
        "--direction", choices=("from", "to"), default="from", help="what it looks at, or what looks at it"
    )
    made.add_argument("--colormap", type=colormap, default="viridis", help="viridis, inferno, magma, cividis, gray…")
    made.add_argument("--opacity", type=fraction, default=0.6, metavar="0..1")
    made.add_argument(
        "--limits", type=limits, default="map", metavar="map|layer|all|LOW,HIGH", help="ends of the colours"
    )
    made.add_argument("--smooth", action="store_true", help="interpolate between the patches")
    made.add_argument("--no-outline", action="store_true", help="do not outline the query")
    made.add_argument("--format", choices=("png",), default="png")
    made.add_argument("--out", type=Path, default=Path(), metavar="DIR")
    made.add_argument("--recipe", type=Path, metavar="FILE", help="make an exported figure again from its .json")
    return made


def run(arguments: argparse.Namespace) -> int:
    """Write the files; the exit status."""
    from vitviz.images import read_image

    if arguments.recipe is None and not arguments.pictures:
        print("vitviz export: name at least one PICTURE, or a --recipe.", file=sys.stderr)
        return 2
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"The folder {arguments.out} can't be made: {error.strerror}; choose another --out.") from error
    if arguments.recipe is not None:
        return _again(arguments)
    images = [read_image(path) for path in arguments.pictures]
    model = load(arguments.model, arguments)
    for image in images:
        _export_one(image, model, arguments)
    return 0


def _export_one(image: Image, model: Model, arguments: argparse.Namespace) -> None:
    from vitviz.attention.maps import head_maps, map_of
    from vitviz.attention.trace import trace
    from vitviz.attention.values import Selection
    from vitviz.render.recipe import export, figure, figure_name, recipe
    from vitviz.render.style import Style, limits_of

    seen = trace(model, image)
    style = Style(
        arguments.colormap,
        arguments.opacity,
        arguments.limits,
        "smooth" if arguments.smooth else "nearest",
        not arguments.no_outline,
    )
    maps = head_maps(seen, arguments.query, arguments.direction)
    for layer in _layers(seen, arguments.layer):
        for head in _heads(seen, layer, arguments.head):
            shown = map_of(seen, Selection(layer, head, arguments.query, arguments.direction))
            limits = limits_of(shown.values, style.limits, maps.values[layer], maps.values)
            path = arguments.out / figure_name(shown)
            export(path, figure(image, shown, style, limits), recipe(image, shown, style, limits, model.identity))
            print(path)


def _again(arguments: argparse.Namespace) -> int:
    """Make an exported figure again; what differs from then is said."""
    from vitviz.attention.maps import map_of
    from vitviz.attention.trace import trace
    from vitviz.images import read_image
    from vitviz.models.loading import load_model
    from vitviz.render.recipe import export, figure, figure_name, read_recipe, recipe

    content, selection, style = read_recipe(arguments.recipe)
    picture, identity = content["picture"], content["model"]
    if not arguments.pictures and not picture.get("path"):
        raise VitvizError("The recipe names no picture file (it was pasted): name the PICTURE on the command line.")
    image = read_image(arguments.pictures[0] if arguments.pictures else Path(str(picture["path"])))
    if image.sha256 != picture["sha256"]:
        raise VitvizError(
            f"{image.name} is not the picture of the recipe ({picture['name']}, sha256 {picture['sha256'][:16]}): "
            "name that picture on the command line."
        )
    options: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in dict(identity.get("options", {})).items()
    }
    known = {
        "architecture",
        "network",
        "mean",
        "std",
        "image_size",
        "patch_size",
        "crop",
        "num_heads",
        "precision",
        "pretrained",
    }
    model = load_model(
        str(identity["source"]), device=arguments.device, **{k: v for k, v in options.items() if k in known}
    )
    if model.sha256 != identity.get("sha256"):
        raise VitvizError(f"The weights of {identity['source']} are not those of the recipe: the hashes differ.")
    shown = map_of(trace(model, image), selection)
    assert isinstance(style.limits, tuple)
    path = arguments.out / figure_name(shown)
    export(path, figure(image, shown, style, style.limits), recipe(image, shown, style, style.limits, model.identity))
    print(path)
    return 0


def _layers(seen: Trace, wish: int | str) -> list[int]:
    if wish == "all":
        return list(range(len(seen.layers)))
    return [seen.layer(int(wish)).index]


def _heads(seen: Trace, layer: int, wish: Head | str) -> list[Head]:
    if wish == "all":
        return list(range(seen.layers[layer].num_heads))
    return [wish]  # type: ignore[list-item]
