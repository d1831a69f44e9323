"""`vitviz faithfulness`: deletion and insertion of the maps of every method, as CSV."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vitviz.cli.ablation import ablation_arguments, target_argument, without
from vitviz.cli.arguments import SOURCE_HELP, check_out, load, model_arguments, out_argument, write_table


def parser() -> argparse.ArgumentParser:
    """Its arguments."""
    made = argparse.ArgumentParser(
        prog="vitviz faithfulness",
        description="Take the patches of every method's map away, most important first, and print as CSV what the "
        "model says meanwhile: areas under the curves of deletion (small is true) and insertion (large is true), "
        "beside random orders, and the curves, a row a number.",
    )
    made.add_argument("picture", type=Path, metavar="PICTURE")
    made.add_argument("--model", metavar="SOURCE", default="demo", help=SOURCE_HELP)
    model_arguments(made)
    target_argument(made)
    ablation_arguments(made)
    made.add_argument("--removal", choices=("grey", "blurred"), default="grey", help="what a patch becomes")
    made.add_argument("--score", choices=("probability", "logit"), default="probability")
    made.add_argument("--steps", type=int, default=24, metavar="N", help="points of a curve (default: 24)")
    made.add_argument("--seeds", type=int, default=5, metavar="N", help="random orders (default: 5)")
    out_argument(made)
    return made


def run(arguments: argparse.Namespace) -> int:
    """Print areas and curves; methods that the model can't have are named on stderr."""
    from vitviz.attention.classes import class_named
    from vitviz.attention.contenders import contenders
    from vitviz.attention.faithfulness import faithfulness
    from vitviz.attention.trace import trace
    from vitviz.cli.progress import Steps
    from vitviz.images import read_image

    check_out(arguments.out)
    image = read_image(arguments.picture)
    model = load(arguments.model, arguments)
    seen = without(trace(model, image), model, image, arguments)
    target = class_named(seen, arguments.target)
    with Steps() as told:
        maps, gaps = contenders(model, image, seen, target, progress=told)
    for gap in gaps:
        print(f"vitviz: {gap}", file=sys.stderr)
    with Steps() as told:
        found = faithfulness(
            model, image, maps, target,
            removal=arguments.removal, score=arguments.score, steps=arguments.steps, seeds=arguments.seeds, seen=seen,
            progress=told,
        )  # fmt: skip
    write_table(found.csv(), arguments.out)
    return 0
