"""`vitviz dataset`: the numbers of every head over many pictures, as a Parquet table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vitviz import __version__
from vitviz.cli.arguments import check_out, load, model_options, picture_arguments
from vitviz.cli.failing import Failures
from vitviz.cli.parser import Parser, WrongCall
from vitviz.cli.values import whole


def parser() -> Parser:
    """Its arguments."""
    made = Parser(
        "dataset",
        "Mean attention distance, entropy, weight on special tokens and sinks, and what each head is "
        "worth, as a Parquet table: one row for each picture, layer and head.",
    )
    picture_arguments(made, many=True)
    made.add_argument("--ablation", action="store_true", help="also switch every head off in turn (a pass a layer)")
    made.add_argument("--out", type=Path, required=True, metavar="FILE.parquet", help="where to write it")
    made.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="ray: on a cluster (RAY_ADDRESS) (default: local)"
    )
    made.add_argument("--workers", type=whole(1), default=2, metavar="N", help="of Ray, each with a model (default: 2)")
    return made


def run(arguments: argparse.Namespace) -> int:
    """Write the table; the exit status: 1 if any picture failed."""
    from vitviz.atomic import write_bytes
    from vitviz.attention.dataset import over, over_ray
    from vitviz.cli.progress import Pictures
    from vitviz.picture_files import picture_files
    from vitviz.render.parquet import check_parquet, parquet

    if arguments.out.suffix.lower() not in (".parquet", ".pq"):
        raise WrongCall(f"--out {arguments.out} would be Parquet: give a name such as {arguments.out.stem}.parquet.")
    check_parquet()
    check_out(arguments.out)
    pictures = picture_files(arguments.pictures)
    if arguments.engine == "ray":
        options = model_options(arguments)
        found = over_ray(arguments.model, options, pictures, ablation=arguments.ablation, workers=arguments.workers)
    else:
        found = over(load(arguments.model, arguments), pictures, ablation=arguments.ablation)
    rows = []
    with Pictures(len(pictures)) as shown:
        failures = Failures(shown)
        for each in found:
            path = str(pictures[each.index])
            rows += [{"path": path, **row} for row in each.rows]
            if each.problem:
                failures.add(pictures[each.index], each.problem)
            shown.update()
    status = failures.say()
    if not rows:
        print("vitviz: No picture could be looked at, so no table was written.", file=sys.stderr)
        return 1
    write_bytes(arguments.out, parquet(rows, {"vitviz": __version__, "model": arguments.model}))
    print(arguments.out)
    return status
