"""Numbers of a model with the unit that suits their size."""

from __future__ import annotations


def flops_text(flops: float) -> str:
    """Operations in MFLOPs, GFLOPs or TFLOPs."""
    for unit, size in (("TFLOPs", 1e12), ("GFLOPs", 1e9)):
        if flops >= size:
            return f"{digits(flops / size)} {unit}"
    return f"{digits(flops / 1e6)} MFLOPs"


def digits(value: float) -> str:
    """Three digits, also where the last ones are 0, so that numbers below each other are equally exact."""
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"
