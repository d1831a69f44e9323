"""What a model costs: its floating-point operations for one view, and the published row of its family."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vitviz.models.twin import meta_twin


@dataclass(frozen=True, slots=True)
class Published:
    """A row of a paper's table of models."""

    name: str
    layers: int
    width: int
    heads: int
    parameters: str


# Dosovitskiy et al. 2020 (arXiv 2010.11929), table 1, and Touvron et al. 2020 (arXiv 2012.12877), table 1.
PUBLISHED = (
    Published("ViT-Ti/16", 12, 192, 3, "5M"),
    Published("ViT-S/16", 12, 384, 6, "22M"),
    Published("ViT-B/16", 12, 768, 12, "86M"),
    Published("ViT-L/16", 24, 1024, 16, "307M"),
    Published("ViT-H/14", 32, 1280, 16, "632M"),
)


@dataclass(frozen=True, slots=True)
class Flops:
    """Operations of one forward pass on one view, a multiplication and an addition counted as two.

    Attributes:
        total: all of them.
        attention: the products of queries with keys and of weights with values.
        pixels: convolutions that read the view, the patch embedding above all; they grow with its pixels.
        head: the classifier, which does not grow.
    """

    total: int
    attention: int
    pixels: int
    head: int


def count_flops(module: nn.Module, view_size: tuple[int, int], channels: int = 3) -> int | None:
    """Operations of one forward pass on one view, as `Flops.total`; None where the network can't run on meta."""
    counted = flops_of(module, view_size, channels)
    return None if counted is None else counted.total


def flops_of(module: nn.Module, view_size: tuple[int, int], channels: int = 3) -> Flops | None:
    """The operations of one forward pass and what they are spent on.

    Counted by torch's own counter on the meta device, so that nothing is computed and fused attention is counted as
    the products that it stands for; None where the network can't run there.
    """
    counter = FlopCounterMode(display=False)
    try:
        twin, dtype = meta_twin(module)
        with torch.no_grad(), counter:
            twin(torch.empty(1, channels, *view_size, device="meta", dtype=dtype))
    except (RuntimeError, NotImplementedError, TypeError, ValueError, AssertionError):
        return None
    total: int = counter.get_total_flops()
    if not total:
        return None
    by_kind = {str(kind): count for kind, count in counter.get_flop_counts().get("Global", {}).items()}
    return Flops(
        total=total,
        attention=sum(n for kind, n in by_kind.items() if "bmm" in kind or "attention" in kind),
        pixels=sum(n for kind, n in by_kind.items() if "convolution" in kind),
        head=_head(module),
    )


def _head(module: nn.Module) -> int:
    """A linear classifier reads one vector a view."""
    classifier = getattr(module, "head", None)
    if not isinstance(classifier, nn.Linear):
        classifier = getattr(classifier, "fc", None)
    return 2 * classifier.in_features * classifier.out_features if isinstance(classifier, nn.Linear) else 0


def published_row(layers: int, width: int, heads: int) -> Published | None:
    """The row of the papers' tables with these numbers, None where there is none."""
    return next((row for row in PUBLISHED if (row.layers, row.width, row.heads) == (layers, width, heads)), None)
