"""What it means to a picture to be a sequence: how many tokens, and what attention between them costs, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace

REFERENCE = (224 // 16) ** 2  # patches of 16 px in a view of 224 px
EXAMPLE = (512 // 16) ** 2
_NAMES = {"cls": "CLS", "dist": "DIST", "mean": "MEAN"}


def token_name(token: str) -> str:
    """A token's name as it stands on its chip: "CLS", "REG0"."""
    return _NAMES.get(token, token.upper())


def count_text(trace: Trace) -> str:
    """N = H/P · W/P with this view's numbers, and the tokens in front."""
    height, width = trace.view.size
    grid = trace.layers[0].query_grid
    high, wide = (f"{stride:g}" for stride in grid.stride)
    prefix = trace.prefix_tokens
    text = f"N = H/P · W/P = {height}/{high} · {width}/{wide} = {grid.rows} · {grid.cols} = {grid.size} patches"
    if prefix:
        names = ", ".join(token_name(name) for name in prefix[:5]) + (", …" if len(prefix) > 5 else "")
        text += f", with {names} in front: {grid.size + len(prefix)} tokens"
    return text + "."


def cost_text(trace: Trace) -> str:
    """What attention compares, beside a view of 224 px at patch 16 and one of 512 px."""
    first = trace.layers[0]
    patches = first.query_grid.size
    whole = (patches / REFERENCE) ** 2
    if first.windows is not None:
        high, wide = first.windows.window
        pairs = patches * high * wide
        return (
            f"Attention stays within windows of {high} x {wide}: {patches:,} · {high * wide} = {pairs:,} pairs a head "
            f"in the first layer, {_times(pairs / REFERENCE**2)} the pairs of a view of 224 px at patch 16 "
            f"({REFERENCE}² = {REFERENCE**2:,}). Between all {patches:,} it would be {_times(whole)}."
        )
    return (
        f"Attention compares every patch with every patch: {patches:,}² = {patches**2:,} pairs a head and layer "
        f"(patches only), {_times(whole)} the pairs of a view of 224 px at patch 16 ({REFERENCE}² = "
        f"{REFERENCE**2:,}). A view of 512 px at patch 16 has {EXAMPLE:,} patches and "
        f"{_times((EXAMPLE / REFERENCE) ** 2)} those pairs."
    )


def stages_text(trace: Trace) -> str:
    """How the number of tokens falls from stage to stage, "" where it does not."""
    grids = list(dict.fromkeys(layer.query_grid.shape for layer in trace.layers if layer.kind != "pool"))
    if len(grids) < 2:
        return ""
    counts = ", ".join(f"{rows} x {cols} = {rows * cols:,}" for rows, cols in grids)
    return f"From stage to stage neighbouring tokens are merged into one: {counts}."


def _times(factor: float) -> str:
    return f"{factor:.3g} times" if factor < 100 else f"{factor:,.0f} times"
