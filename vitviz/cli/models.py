"""`vitviz models`: the names that timm knows."""

from __future__ import annotations

import argparse

from vitviz.cli.parser import Parser
from vitviz.errors import VitvizError


def parser() -> Parser:
    """Its arguments."""
    made = Parser("models", "List the models that timm knows by name.")
    made.add_argument("pattern", nargs="?", default="*", metavar="PATTERN", help='such as "swin*" or "*dinov2*"')
    made.add_argument("--all", action="store_true", help="also those without trained weights")
    return made


def run(arguments: argparse.Namespace) -> int:
    """Print the names; the exit status."""
    import timm

    from vitviz.models.names import DEMOS

    pattern = arguments.pattern if "*" in arguments.pattern else f"*{arguments.pattern}*"
    names = timm.list_models(pattern, pretrained=not arguments.all)
    if arguments.pattern == "*":
        names = [*DEMOS, *names]
    if not names:
        raise VitvizError(f"timm knows no model like {arguments.pattern!r}: try a shorter pattern.")
    print("\n".join(names))
    return 0
