"""`vitviz info`: what a model is and how it was opened."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from vitviz.cli.arguments import load, source_arguments
from vitviz.cli.parser import Parser
from vitviz.errors import VitvizError

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace
    from vitviz.models.model import Model


def parser() -> Parser:
    """Its arguments."""
    made = Parser(
        "info",
        "Say what a model is, how it was opened, and which layers attend between tokens. Where none "
        "does, say so first; the exit status is then 1.",
    )
    source_arguments(made)
    return made


def run(arguments: argparse.Namespace) -> int:
    """Print the report with what one pass shows; where that is nothing, this first, and why."""
    model = load(arguments.source, arguments)
    status = 0
    try:
        lines = _layers(_seen(model))
    except VitvizError as error:
        print(f"vitviz: This model can't be looked into. {error}", file=sys.stderr, flush=True)
        lines, status = [("layers", "none that can be shown")], 1
    print(model.name)
    for topic, text in lines:
        model.report.add(topic, text)
    print(model.report)
    return status


def _seen(model: Model) -> Trace:
    """One pass over a grey picture; AttentionError where nothing attends between tokens."""
    import numpy as np

    from vitviz.attention.trace import trace
    from vitviz.images import Image

    return trace(model, Image.from_array(np.full((64, 64, 3), 128, dtype=np.uint8), name="grey"))


def _layers(seen: Trace) -> list[tuple[str, str]]:
    from vitviz.attention.proving import proof_text

    heads = [layer.num_heads for layer in seen.layers]
    text = f"{len(heads)}, heads {', '.join(map(str, sorted(set(heads))))}"
    grids = dict.fromkeys(f"{layer.grid.rows} x {layer.grid.cols}" for layer in seen.layers)
    lines = [("layers", text), ("grids", ", ".join(grids))]
    windows = dict.fromkeys(f"{w[0]} x {w[1]}" for layer in seen.layers if (w := layer.window_size) is not None)
    if windows:
        lines.append(("windows", ", ".join(windows)))
    if (proof := proof_text(seen)) is not None:
        lines.append(("proof", proof))
    return lines + [("not shown", gap) for gap in seen.gaps]
