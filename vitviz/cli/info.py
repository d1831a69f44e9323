"""`vitviz info`: what a model is and how it was opened."""

from __future__ import annotations

import argparse

from vitviz.cli.arguments import SOURCE_HELP, load, model_arguments


def parser() -> argparse.ArgumentParser:
    """Its arguments."""
    made = argparse.ArgumentParser(prog="vitviz info", description="Say what a model is and how it was opened.")
    made.add_argument("source", metavar="SOURCE", help=SOURCE_HELP)
    model_arguments(made)
    return made


def run(arguments: argparse.Namespace) -> int:
    """Print the report; the exit status."""
    model = load(arguments.source, arguments)
    print(model.name)
    print(model.report)
    return 0
