"""`vitviz compare`: models, patch sizes and resolutions on one picture, as a figure with its table of costs."""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

from vitviz.cli.arguments import PICTURE_HELP, SOURCE_HELP, check_out, model_arguments, model_options
from vitviz.cli.failing import say_lacking
from vitviz.cli.figures import SEEN_HELP, THEME_HELP, check_idle, limits_and_scale, selection_arguments, style_of
from vitviz.cli.parser import Parser, WrongCall
from vitviz.cli.values import positive, whole
from vitviz.errors import VitvizError

_MOST = 8
_EPILOG = """examples:
  vitviz compare cat.jpg --patch-size 8,16,32 --out demo.png
  vitviz compare cat.jpg --model vit_small_patch16_224 --model vit_base_patch16_224 --random --out sizes.pdf
  vitviz compare cat.jpg --model flexivit_small --patch-size 8,16,32 --image-size 240,480 --out flexi.svg

Beside demo.png lie the table, demo.png.csv, and the recipe, demo.png.json: vitviz export --recipe makes figure and
table again, with the times of then.
"""


def parser() -> Parser:
    """Its arguments."""
    made = Parser(
        "compare",
        "Compare models, patch sizes and resolutions on one picture: maps side by side, and what each "
        "costs on this device. Every model is taken at every patch size and every size of the view.",
        _EPILOG,
    )
    made.add_argument("picture", type=Path, metavar="PICTURE", help=PICTURE_HELP)
    made.add_argument(
        "--model", metavar="SOURCE", action="append", help=f"{SOURCE_HELP}; once for each (default: demo)"
    )
    model_arguments(made, several=True)
    selection_arguments(made, several=False)
    made.add_argument(
        "--runs", type=whole(1), default=5, metavar="N", help="timed passes, more of quick ones (default: 5)"
    )
    made.add_argument("--width", type=positive, default=174.0, metavar="MM", help="of the figure (default: 174)")
    made.add_argument("--font-size", type=positive, default=7.0, metavar="PT", help="of all letters (default: 7)")
    made.add_argument("--seen-only", action="store_true", help=SEEN_HELP)
    made.add_argument("--theme", choices=("light", "dark"), default="light", help=THEME_HELP)
    made.add_argument(
        "--out", type=Path, metavar="FILE", help="comparison.png, .svg or .pdf (default: the table alone)"
    )
    return made


def run(arguments: argparse.Namespace) -> int:
    """Print the table, write the figure; the exit status."""
    from vitviz.attention.costs import measure_in_turns
    from vitviz.cli.progress import Steps
    from vitviz.images import read_image
    from vitviz.render.comparison import notes_of, table_of
    from vitviz.render.comparison_recipe import KINDS, write_comparison
    from vitviz.render.figure import Figure

    check_idle(arguments)
    if arguments.out is not None and arguments.out.suffix.lower().lstrip(".") not in KINDS:
        raise WrongCall(f"--out {arguments.out} has no ending that can be written: give .png, .svg or .pdf.")
    check_out(arguments.out)
    wishes = _variants(arguments)
    try:
        asked = {name: getattr(arguments, name) for name in ("width", "font_size", "theme", "seen_only")}
        figure = Figure(**asked)
    except ValueError as error:
        raise VitvizError(str(error)) from error
    image = read_image(arguments.picture)
    limits, scale = limits_and_scale(arguments)
    style = style_of(arguments, limits)
    with Steps() as told:
        models = [_compared(image, source, options, arguments, style, told) for source, options in wishes]
        if scale == "figure":
            limits = min(each.limits[0] for each in models), max(each.limits[1] for each in models)
            style, models = replace(style, limits=limits), [replace(each, limits=limits) for each in models]
        traced = [(each.seen.model, image, each.seen.trace) for each in models]
        costs = measure_in_turns(traced, runs=arguments.runs, progress=told)
    models = [replace(each, cost=cost) for each, cost in zip(models, costs, strict=True)]
    rows = [["", *(model.name for model in models)]]
    rows += [[row.name, *(cell.words for cell in row.cells)] for row in table_of(models)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    for note in notes_of(models):
        print(note)
    if arguments.out is not None:
        if arguments.out.suffix.lower() != ".svg":
            say_lacking(text for row in rows for text in row)
        for path in write_comparison(arguments.out, models, style, figure, "figure" if scale == "figure" else None):
            print(path)
    return 0


def _variants(arguments: argparse.Namespace) -> list[tuple[str, dict[str, Any]]]:
    """Every model at every patch size and every size of the view."""
    options = model_options(arguments)
    variants = [
        (source, {**options, "patch_size": patch, "image_size": view})
        for source, patch, view in itertools.product(
            arguments.model or ["demo"], arguments.patch_size or [None], arguments.image_size or [None]
        )
    ]
    if len(variants) > _MOST:
        raise WrongCall(f"these are {len(variants)} models, and {_MOST} fit into a figure: name fewer.")
    return variants


def _compared(
    image: Any, source: str, options: dict[str, Any], arguments: argparse.Namespace, style: Any, told: Any
) -> Any:
    from vitviz.attention.classes import class_named
    from vitviz.attention.trace import trace
    from vitviz.cli.figures import selection_of
    from vitviz.models.loading import load_model
    from vitviz.render.comparison import Compared
    from vitviz.render.making import limits_for, map_for
    from vitviz.render.plan import Seen

    model = load_model(source, **options, progress=told)
    seen = Seen(image, model, trace(model, image, progress=told))
    selection = selection_of(arguments, arguments.layer, arguments.head)
    if arguments.target is not None:
        selection = replace(selection, target=class_named(seen.trace, arguments.target))
    shown = map_for(seen, selection)
    return Compared(seen, shown, limits_for(seen, shown, style.limits))
