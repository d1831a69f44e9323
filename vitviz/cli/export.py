"""`vitviz export`: maps over pictures as files, each with the recipe that makes it again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vitviz.cli.ablation import ablation_arguments, without
from vitviz.cli.again import again
from vitviz.cli.arguments import SOURCE_HELP, load, model_arguments
from vitviz.cli.failing import Failures, say_lacking
from vitviz.cli.figures import check_idle, figure_arguments, plan_of, selection_arguments, spread
from vitviz.cli.parser import Parser, WrongCall
from vitviz.cli.values import whole
from vitviz.errors import Cancelled

if TYPE_CHECKING:
    from vitviz.render.many import Outcome
    from vitviz.render.plan import Seen

_EPILOG = """examples:
  vitviz export cat.jpg --layer all --head mean --out figures
  vitviz export photos --model dinov2.pth --over heads --columns 2 --format pdf --out figures
  vitviz export "photos/**/*.jpg" --format npz --over heads --out numbers    (run it again to go on)
  vitviz export --recipe figures/cat-demo-layer-5-head-mean-cls.png --out again
"""


def parser() -> Parser:
    """Its arguments."""
    made = Parser(
        "export",
        "Write attention maps over pictures, sheets of them, animations or numbers, each with a JSON "
        "recipe that makes the same bytes again. Pictures that are done are skipped; one that fails does not stop "
        "the others.",
        _EPILOG,
    )
    made.add_argument("pictures", nargs="*", type=Path, metavar="PICTURE", help="files, folders, patterns")
    made.add_argument("--model", metavar="SOURCE", default=None, help=f"{SOURCE_HELP} (default: demo)")
    model_arguments(made)
    selection_arguments(made)
    ablation_arguments(made)
    figure_arguments(made)
    made.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where to write (default: here)")
    made.add_argument(
        "--batch", type=whole(1, 1024), metavar="N", help="pictures in a pass (default: 1 on the CPU, else 16)"
    )
    made.add_argument(
        "--again", action="store_true", help="make files that are there anew; with --recipe, in place of another file"
    )
    made.add_argument("--recipe", type=Path, metavar="FILE", help="make an exported file FILE or FILE.json again")
    return made


def run(arguments: argparse.Namespace) -> int:
    """Write the files; the exit status: 1 if any picture failed."""
    if arguments.recipe is None:
        if not arguments.pictures:
            raise WrongCall("PICTURE is missing: name at least one, or a --recipe.")
        check_idle(arguments)
    elif len(arguments.pictures) > 1 or any(path.suffix.lower() == ".json" for path in arguments.pictures):
        raise WrongCall("--recipe makes one file again, from one PICTURE: make a call for each recipe.")
    from vitviz.render.folders import items_of, passed_over
    from vitviz.render.many import Job, checked_folder, export_many, wish_of
    from vitviz.render.plan import NUMBERS

    checked_folder(arguments.out)
    if arguments.recipe is not None:
        return again(arguments)
    plan = plan_of(arguments)
    if plan.format not in ("svg", "mask", *NUMBERS):
        say_lacking([plan.figure.title, plan.figure.label])
    items = items_of(arguments.pictures, arguments.out)
    model = load(arguments.model or "demo", arguments)
    batch = arguments.batch or (1 if model.device.name == "cpu" else 16)

    def altered(seen: Seen) -> Seen:
        return replace(seen, trace=without(seen.trace, seen.model, seen.image, arguments))

    job = Job(
        lambda seen: spread(plan, seen, arguments),
        wish_of(plan, arguments.layer, arguments.head, arguments.without, arguments.without_to, arguments.target),
        arguments.out,
        batch,
        not arguments.again,
        altered,
    )
    return _report(export_many(model, items, job), len(items), passed_over(arguments.pictures, arguments.out))


def _report(outcomes: Iterator[Outcome], count: int, others: str) -> int:
    """Print the paths as they are written, a bar while that lasts, and at the end what failed or was passed over."""
    from vitviz.cli.progress import Pictures
    from vitviz.render.tally import Tally

    tally = Tally()
    with Pictures(count) as shown:
        failures = Failures(shown)
        try:
            for outcome in outcomes:
                tally.add(outcome)
                if outcome.problem:
                    failures.add(outcome.item.path, outcome.problem)
                (shown.pass_over if outcome.skipped else shown.update)()
                for path in outcome.written:
                    shown.print(str(path))
        except (KeyboardInterrupt, Cancelled):
            shown.close()
            failures.say(stopped=True)
            print(
                f"vitviz: Interrupted after {tally.seen} of {count} pictures: run it again to go on.", file=sys.stderr
            )
            return 130
    for note in tally.notes:
        print(f"vitviz: {note}", file=sys.stderr)
    status = failures.say()
    if count > 1 or tally.skipped or others or tally.replaced:
        print(f"vitviz: {tally.text(others=others)}", file=sys.stderr)
    return status
