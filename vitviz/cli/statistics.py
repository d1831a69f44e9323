"""`vitviz statistics`: distance, entropy and the weight on special tokens of every head, as a table."""

from __future__ import annotations

import argparse
import sys

from vitviz.cli.arguments import check_out, load, out_argument, picture_arguments, write_table
from vitviz.cli.failing import Failures
from vitviz.cli.parser import Parser
from vitviz.errors import AttentionError


def parser() -> Parser:
    """Its arguments."""
    made = Parser(
        "statistics",
        "Mean attention distance, entropy and the weight on class token, registers and the strongest sink, "
        "for every head of every layer; the mean over several pictures. One that fails does not stop the others.",
    )
    picture_arguments(made, many=True)
    out_argument(made)
    return made


def run(arguments: argparse.Namespace) -> int:
    """Write the table; the exit status: 1 if any picture failed."""
    from vitviz.attention.tables import csv_text, statistics_over
    from vitviz.cli.progress import Pictures
    from vitviz.picture_files import picture_files

    check_out(arguments.out)
    pictures = picture_files(arguments.pictures)
    model = load(arguments.model, arguments)
    try:
        with Pictures(len(pictures)) as shown:
            failures = Failures(shown)
            failed = failures.add if len(pictures) > 1 else None
            found = statistics_over(model, pictures, progress=shown.reach, failed=failed)
            shown.reach(1.0, "")
    except AttentionError:
        # What every picture failed by says more than that they all did.
        failures.say()
        raise
    write_table(csv_text(found), arguments.out)
    status = failures.say()
    if failures:
        print(f"vitviz: Mean over {len(found.pictures)} pictures, {len(failures)} failed.", file=sys.stderr)
    return status
