"""`vitviz faithfulness`: deletion and insertion of the maps of every method, as CSV."""

from __future__ import annotations

import argparse
import sys

from vitviz.cli.ablation import ablation_arguments, target_argument, without
from vitviz.cli.arguments import out_argument, picture_arguments, seen_by, write_table
from vitviz.cli.parser import Parser
from vitviz.cli.values import whole


def parser() -> Parser:
    """Its arguments."""
    made = Parser(
        "faithfulness",
        "Take the patches of every method's map away, most important first, and print as CSV what the "
        "model says meanwhile: areas under the curves of deletion (small is true) and insertion (large is true), "
        "beside random orders, and the curves, a row a number.",
    )
    picture_arguments(made)
    target_argument(made)
    ablation_arguments(made)
    made.add_argument(
        "--removal", choices=("grey", "blurred"), default="grey", help="what a patch becomes (default: grey)"
    )
    made.add_argument(
        "--score",
        choices=("probability", "logit"),
        default="probability",
        help="what the curves show (default: probability)",
    )
    made.add_argument("--steps", type=whole(1), default=24, metavar="N", help="points of a curve (default: 24)")
    made.add_argument("--seeds", type=whole(0), default=5, metavar="N", help="random orders (default: 5; 0: none)")
    out_argument(made)
    return made


def run(arguments: argparse.Namespace) -> int:
    """Print areas and curves; methods that the model can't have are named on stderr."""
    from vitviz.attention.classes import class_named
    from vitviz.attention.contenders import contenders
    from vitviz.attention.faithfulness import faithfulness
    from vitviz.cli.progress import Steps

    image, model, plain = seen_by(arguments)
    seen = without(plain, model, image, arguments)
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
