"""`vitviz statistics`: distance, entropy and the weight on special tokens of every head, as a table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vitviz.cli.arguments import SOURCE_HELP, load, model_arguments
from vitviz.cli.failing import say_failed
from vitviz.errors import AttentionError, FileError, VitvizError


def parser() -> argparse.ArgumentParser:
    """Its arguments."""
    made = argparse.ArgumentParser(
        prog="vitviz statistics",
        description="Mean attention distance, entropy and the weight on class token, registers and the strongest sink, "
        "for every head of every layer; the mean over several pictures. One that fails does not stop the others.",
    )
    made.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE|FOLDER")
    made.add_argument("--model", metavar="SOURCE", default="demo", help=SOURCE_HELP)
    model_arguments(made)
    made.add_argument("--out", type=Path, metavar="FILE.csv", help="where to write the table (default: the terminal)")
    return made


def run(arguments: argparse.Namespace) -> int:
    """Write the table; the exit status: 1 if any picture failed."""
    from vitviz.atomic import write_bytes
    from vitviz.attention.tables import csv_text, statistics_over
    from vitviz.picture_files import picture_files

    if arguments.out is not None and not (folder := arguments.out.absolute().parent).is_dir():
        # Said before the work of an hour, not after it.
        raise FileError(f"There is no folder {folder} to write to: create it or choose another.")
    pictures = picture_files(arguments.pictures)
    model = load(arguments.model, arguments)
    problems: list[str] = []
    try:
        found = statistics_over(
            model,
            pictures,
            progress=_say,
            failed=(lambda path, error: problems.append(_with_name(path, error))) if len(pictures) > 1 else None,
        )
    except AttentionError:
        # What every picture failed by says more than that they all did.
        say_failed(problems)
        raise
    if arguments.out is None:
        print(csv_text(found), end="")
    else:
        write_bytes(arguments.out, csv_text(found).encode())
        print(arguments.out)
    status = say_failed(problems)
    if problems:
        print(f"vitviz: Mean over {len(found.pictures)} pictures, {len(problems)} failed.", file=sys.stderr)
    return status


def _with_name(path: Path, error: VitvizError) -> str:
    text = str(error)
    return text if path.name in text else f"{path.name}: {text}"


def _say(fraction: float | None, text: str) -> None:
    print(f"{(fraction or 0.0):4.0%} {text}", file=sys.stderr)
