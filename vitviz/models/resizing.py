"""Other patch and view sizes for a model: which ones fit, and which are more than its training bears.

Patch embeddings are resampled by the pseudo-inverse resize of FlexiViT (Beyer et al. 2022, arXiv 2212.08013), as timm
does it. A model that was trained at many patch sizes keeps its worth so; for any other it is an approximation.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

from vitviz.models.model import Model

PATCH_SIZES = (8, 16, 32)
SIDES = (224, 384, 512)
_FLEXIBLE = ("flexivit",)


def is_flexible(model: Model) -> bool:
    """Whether the weights were trained at many patch sizes."""
    return model.source == "demo" or model.architecture.startswith(_FLEXIBLE)


def own_patch_size(model: Model) -> int | None:
    """The patch side that the weights were trained at; None where it can't be told or patches are not square."""
    size = model.trained_patch_size
    if size is None and model.options.get("patch_size") is None:
        size = model.patch_size
    if size is not None:
        return size[0] if size[0] == size[1] else None
    # Random weights were trained at none: what the architecture is named after.
    found = re.search(r"patch(\d+)", model.architecture)
    return int(found[1]) if found else None


def is_approximation(model: Model) -> bool:
    """Whether the patch embedding was resampled to a size that the weights were not trained for."""
    if model.random or is_flexible(model):
        return False
    if model.trained_patch_size is None:
        return model.options.get("patch_size") is not None
    return model.patch_size not in (None, model.trained_patch_size)


def kinships(models: Sequence[Model]) -> list[str]:
    """Per model that it is one network with others of them, at another patch size or view; "" where it is not.

    Random weights are drawn anew for every size.
    """
    keys: list[Hashable] = [None if m.random or m.sha256 is None else (m.sha256, m.networks[:1]) for m in models]
    found = []
    for key in keys:
        kin = [model for model, other in zip(models, keys, strict=True) if key is not None and other == key]
        if len({model.patch_size for model in kin}) > 1:
            found.append("one network, its patch embedding resampled to each size")
        elif len({model.preprocessing.input_size for model in kin}) > 1:
            found.append("one network at each size of the view")
        else:
            found.append("")
    return found


def variant_text(model: Model, altered: str = "") -> str:
    """ "demo · patch 8 · 128 px", with "≈" before a patch size that the weights were not trained for, and at the end
    how the model is altered: "without L5 H2"."""
    height, width = model.preprocessing.input_size
    parts = [model.name]
    if model.patch_size is not None:
        rows, cols = model.patch_size
        parts.append(f"{'≈ ' if is_approximation(model) else ''}patch {rows}" + ("" if rows == cols else f" x {cols}"))
    parts.append(f"{height} px" if height == width else f"{height} x {width} px")
    return " · ".join([*parts, altered] if altered else parts)


def short_text(model: Model) -> str:
    """ "demo/8@128": what `variant_text` says, as papers write it."""
    height, width = model.preprocessing.input_size
    patch = "" if model.patch_size is None else f"/{'≈' if is_approximation(model) else ''}{model.patch_size[0]}"
    return f"{model.name}{patch}@{height}" + ("" if height == width else f"x{width}")


def patch_sizes(model: Model, most: int = 4) -> list[int]:
    """Patch sides to compare: 8, 16 and 32 as far as they divide the view, and the model's own; empty for Swin.

    A model that was trained at many sizes has instead of one that does not divide its view the nearest that does.
    """
    if model.patch_size is None or not _resizes(model):
        return []
    height, width = model.preprocessing.input_size
    own = own_patch_size(model)
    divisors = [p for p in range(4, min(height, width)) if height % p == 0 and width % p == 0]
    if is_flexible(model) and divisors:
        fitting = [min(divisors, key=lambda p: abs(p - wanted)) for wanted in PATCH_SIZES]
    else:
        fitting = [p for p in PATCH_SIZES if p in divisors]
    return sorted({*fitting[: most - 1], *([] if own is None else [own]), *fitting})[:most]


def sides(model: Model, most: int = 4) -> list[int]:
    """Sides of a square view to compare: the model's own, 224, 384 and 512, then twice and thrice its own; those that
    its patches divide."""
    own = model.preprocessing.input_size[0]
    step = (model.patch_size or (32, 32))[0]
    wanted = [own, *SIDES] if own >= SIDES[0] else [own, own * 3 // 2, own * 2, own * 3]
    return sorted(list(dict.fromkeys(side for side in wanted if side % step == 0))[:most])


def _resizes(model: Model) -> bool:
    # Windows are tied to the grid that they were made for, and position tables to the windows.
    return "swin" not in model.architecture and hasattr(model.module, "pos_embed")
