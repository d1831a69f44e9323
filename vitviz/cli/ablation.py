"""Heads switched off from the command line, and `vitviz ablation`: what the target logit owes to every head."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from vitviz.cli.arguments import out_argument, picture_arguments, seen_by, write_table
from vitviz.cli.parser import Parser
from vitviz.cli.values import heads

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace
    from vitviz.images import Image
    from vitviz.models.model import Model


def parser() -> Parser:
    """Its arguments."""
    made = Parser(
        "ablation",
        "Switch every head off, one at a time, and print the change of the target logit as CSV: a row a "
        "layer, a column a head.",
    )
    picture_arguments(made)
    target_argument(made)
    made.add_argument(
        "--to", choices=("zero", "mean"), default="zero", help="what a head gives instead (default: zero)"
    )
    out_argument(made)
    return made


def run(arguments: argparse.Namespace) -> int:
    """Print or write the table."""
    from vitviz.attention.ablation import changes_csv, head_ablation
    from vitviz.attention.classes import class_named
    from vitviz.cli.progress import Steps

    image, model, seen = seen_by(arguments)
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
        "--without", type=heads, default=[], metavar="LAYER.HEAD,…",
        help="switch heads off first, 3.0,3.5; 4 alone: all heads of the layer",
    )  # fmt: skip
    parser.add_argument(
        "--without-to", choices=("zero", "mean"), default="zero", help="what these heads give instead (default: zero)"
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
