"""Numbers of a model with the unit that suits their size."""

from __future__ import annotations


def flops_text(flops: float) -> str:
    """Operations in MFLOPs, GFLOPs or TFLOPs."""
    for unit, size in (("TFLOPs", 1e12), ("GFLOPs", 1e9)):
        if flops >= size:
            return f"{flops / size:.3g} {unit}"
    return f"{flops / 1e6:.3g} MFLOPs"
