"""`vitviz save`: a model of any format as safetensors with a config that opens without assumptions."""

from __future__ import annotations

import argparse
from pathlib import Path

from vitviz.cli.arguments import SOURCE_HELP, load, model_arguments


def parser() -> argparse.ArgumentParser:
    """Its arguments."""
    made = argparse.ArgumentParser(
        prog="vitviz save",
        description="Write a model, as it was found or corrected by the options, into a folder with model.safetensors "
        "and config.json, which opens without assumptions next time.",
    )
    made.add_argument("source", metavar="SOURCE", help=SOURCE_HELP)
    model_arguments(made)
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    return made


def run(arguments: argparse.Namespace) -> int:
    """Write the folder and print its path; the exit status."""
    from vitviz.models.saving import save_model

    print(save_model(load(arguments.source, arguments), arguments.out))
    return 0
