"""`vitviz save`: a model of any format as safetensors with a config that leaves nothing to guess."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vitviz.cli.arguments import load, source_arguments
from vitviz.cli.parser import Parser, WrongCall


def parser() -> Parser:
    """Its arguments."""
    made = Parser(
        "save",
        "Write a model, as it was found or corrected by the options, into a folder with model.safetensors "
        "and config.json, which leaves nothing to guess next time and says what was a guess when it was written.",
    )
    source_arguments(made)
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    return made


def run(arguments: argparse.Namespace) -> int:
    """Write the folder and print its path; the exit status."""
    from vitviz.models.saving import check_folder, save_model

    if not arguments.pretrained:
        raise WrongCall("weights of --random are worth no file: leave it out.")
    check_folder(arguments.out)
    model = load(arguments.source, arguments)
    print(save_model(model, arguments.out))
    if words := model.report.guess_words:
        print(
            f"vitviz: Saved as it was opened, and not certain: {words}. The config says so too; "
            "see vitviz info, and give what is wrong as an option.",
            file=sys.stderr,
        )
    return 0
