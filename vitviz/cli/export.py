"""`vitviz export`: maps over pictures as files, each with the recipe that makes it again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vitviz.cli.ablation import ablation_arguments, without
from vitviz.cli.again import again
from vitviz.cli.arguments import SOURCE_HELP, load, model_arguments
from vitviz.cli.figures import figure_arguments, plan_of, selection_arguments, spread
from vitviz.errors import FileError


def parser() -> argparse.ArgumentParser:
    """Its arguments."""
    made = argparse.ArgumentParser(
        prog="vitviz export",
        description="Write attention maps over pictures, sheets of them, animations or numbers, each with a JSON "
        "recipe that makes the same bytes again.",
    )
    made.add_argument("pictures", nargs="*", type=Path, metavar="PICTURE")
    made.add_argument("--model", metavar="SOURCE", default=None, help=f"{SOURCE_HELP} (default: demo)")
    model_arguments(made)
    selection_arguments(made)
    ablation_arguments(made)
    figure_arguments(made)
    made.add_argument("--out", type=Path, default=Path(), metavar="DIR")
    made.add_argument("--recipe", type=Path, metavar="FILE", help="make an exported file again, from it or its .json")
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
        return again(arguments)
    plan = plan_of(arguments)
    images = [read_image(path) for path in arguments.pictures]
    model = load(arguments.model or "demo", arguments)

    from vitviz.attention.trace import trace
    from vitviz.render.plan import Seen
    from vitviz.render.recipe import produce

    for image in images:
        seen = Seen(image, model, without(trace(model, image), model, image, arguments))
        for each in spread(plan, seen, arguments):
            product = produce(each, seen)
            path = arguments.out / product.name
            product.write(path)
            print(path)
    return 0
