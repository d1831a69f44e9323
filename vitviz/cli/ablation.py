"""Heads switched off from the command line, and `vitviz ablation`: what the target logit owes to every head."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vitviz.cli.arguments import SOURCE_HELP, check_out, load, model_arguments, out_argument, write_table

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace
    from vitviz.images import Image
    from vitviz.models.model import Model


def parser() -> argparse.ArgumentParser:
    """Its arguments."""
    made = argparse.ArgumentParser(
        prog="vitviz ablation",
        description="Switch every head off, one at a time, and print the change of the target logit as CSV: a row a "
        "layer, a column a head.",
    )
    made.add_argument("picture", type=Path, metavar="PICTURE")
    made.add_argument("--model", metavar="SOURCE", default="demo", help=SOURCE_HELP)
    model_arguments(made)
    target_argument(made)
    made.add_argument("--to", choices=("zero", "mean"), default="zero", help="what a head gives instead of its output")
    out_argument(made)
    return made


def run(arguments: argparse.Namespace) -> int:
    """Print or write the table."""
    from vitviz.attention.ablation import changes_csv, head_ablation
    from vitviz.attention.classes import class_named
    from vitviz.attention.trace import trace
    from vitviz.cli.progress import Steps
    from vitviz.images import read_image

    check_out(arguments.out)
    image = read_image(arguments.picture)
    model = load(arguments.model, arguments)
    seen = trace(model, image)
    target = class_named(seen, arguments.target)
    with Steps() as told:
        changes = head_ablation(model, image, target, to=arguments.to, seen=seen, progress=told)
    write_table(changes_csv(changes, seen, target, arguments.to), arguments.out)
    return 0


def target_argument(parser: argparse.ArgumentParser) -> None:
    """Add the class that is asked about."""
    parser.add_argument("--target", metavar="CLASS", help="number or name of the class (default: the most probable)")


def ablation_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the heads that are switched off."""
    parser.add_argument(
        "--without", type=_heads, default=[], metavar="LAYER.HEAD,…",
        help="switch heads off first, 3.0,3.5; a layer alone, 4, is all its heads",
    )  # fmt: skip
    parser.add_argument(
        "--without-to", choices=("zero", "mean"), default="zero", help="what these heads give instead of their output"
    )


def without(seen: Trace, model: Model, image: Image, arguments: argparse.Namespace) -> Trace:
    """The trace of the model without the heads that were named; `seen` itself where none was."""
    from vitviz.attention.trace import trace
    from vitviz.attention.values import Ablation

    pairs: list[tuple[int, int]] = []
    for layer, head in arguments.without:
        pairs += [(layer, head)] if head is not None else [(layer, h) for h in range(seen.layer(layer).num_heads)]
    ablation = Ablation(tuple(pairs), arguments.without_to)
    return trace(model, image, ablation=ablation, plain=seen) if ablation else seen


def _heads(text: str) -> list[tuple[int, int | None]]:
    found: list[tuple[int, int | None]] = []
    try:
        for part in text.replace(" ", "").split(","):
            layer, dot, head = part.partition(".")
            found.append((int(layer), int(head) if dot else None))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give heads as LAYER.HEAD,… such as 3.0,3.5") from None
    return found
