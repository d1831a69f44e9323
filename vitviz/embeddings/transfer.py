"""A position embedding at another size of view, resampled or carried over naively, and the prediction with it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from vitviz.embeddings.tables import Table, absolute_table
from vitviz.errors import Cancelled, ModelError, in_one_line
from vitviz.images import Image, model_input
from vitviz.models.hooks import in_eval
from vitviz.models.logits import logits_of, probabilities_of
from vitviz.models.model import Model

Way = Literal["bicubic", "bilinear", "naive"]
WAYS: tuple[Way, ...] = ("bicubic", "bilinear", "naive")


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """One way of carrying the position embedding over, and the prediction with it.

    Attributes:
        way: "bicubic" (timm's own, with antialias), "bilinear" (the same otherwise), "naive" (the rows in their order,
            cut off or filled up with zeros at the end), None for the network as it is.
        size: (height, width) of the view in pixels.
        patches: (gh, gw, D) float32, the embedding.
        top: the most probable classes as (label, probability).
        target: the probability of the class that was the most probable one with the network as it is.
    """

    way: Way | None
    size: tuple[int, int]
    patches: np.ndarray = field(repr=False)
    top: tuple[tuple[str, float], ...] = ()
    target: float | None = None


def resampled(patches: np.ndarray, grid: tuple[int, int], way: Way) -> np.ndarray:
    """Position embedding (gh, gw, D) float32 -> the same for another grid of patches."""
    if way == "naive":
        rows = patches.reshape(-1, patches.shape[-1])
        wanted = grid[0] * grid[1]
        kept = np.zeros((wanted, rows.shape[1]), dtype=np.float32)
        kept[: min(wanted, len(rows))] = rows[:wanted]
        return kept.reshape(*grid, -1)
    from timm.layers import resample_abs_pos_embed

    flat = torch.from_numpy(np.ascontiguousarray(patches)).reshape(1, -1, patches.shape[-1])
    made = resample_abs_pos_embed(
        flat, list(grid), old_size=list(patches.shape[:2]), num_prefix_tokens=0, interpolation=way, antialias=True
    )
    result: np.ndarray = made.numpy().reshape(*grid, -1)
    return result


def transfers(
    model: Model,
    image: Image,
    size: tuple[int, int],
    *,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    cancel: Callable[[], bool] = lambda: False,
) -> tuple[Transfer, ...]:
    """The network as it is, then with a view of another size and its position embedding carried over in every way.

    Args:
        size: (height, width) of the view in pixels, multiples of the patch.

    Raises ModelError where the network has no table of positions, or takes no other size.
    """
    table = absolute_table(model)
    if table is None:
        raise ModelError(f"{model.name} adds no position embedding that would have to be carried over.")
    # Of a hybrid this is more than what its patch embedding calls a patch.
    patch = tuple(side // count for side, count in zip(model.preprocessing.input_size, table.grid, strict=True))
    if any(side % p or side < p for side, p in zip(size, patch, strict=True)):
        raise ModelError(
            f"A view of {size[0]} x {size[1]} px can't be cut into whole patches of {patch[0]} x {patch[1]} px: choose "
            "multiples of the patch."
        )
    grid = size[0] // patch[0], size[1] // patch[1]
    progress(0.0, f"Predicting at {model.preprocessing.input_size[1]} px")
    first = _run(model, model.module, image, model.preprocessing.input_size)
    best = int(first.argmax()) if first.size else None
    found = [Transfer(None, model.preprocessing.input_size, table.patches, *_said(model, first, best))]
    for i, way in enumerate(WAYS):
        if cancel():
            raise Cancelled("The comparison was cancelled.")
        progress((i + 1) / 4, f"Predicting at {size[1]} px, {way}")
        patches = resampled(table.patches, grid, way)
        logits = _run(model, _with_positions(model, table, patches, size), image, size)
        found.append(Transfer(way, size, patches, *_said(model, logits, best)))
    return tuple(found)


def _with_positions(model: Model, table: Table, patches: np.ndarray, size: tuple[int, int]) -> nn.Module:
    """The network for views of `size` with this position embedding; all other weights are shared, not copied."""
    module = model.module
    shared = {id(t): t for t in (*module.parameters(), *module.buffers())}
    other: Any = copy.deepcopy(module, shared)
    holder: Any = getattr(other, "embeds", other)
    old = getattr(holder, "pos_embed", None)
    if not isinstance(old, Tensor) or table.separate or (old.dim() == 4 and old.shape[-1] != patches.shape[-1]):
        raise ModelError(f"The positions of {model.name} are no table that could be put in place at another size.")
    if callable(getattr(other, "set_input_size", None)):
        other.set_input_size(img_size=size)
    elif not hasattr(module, "config") and holder is other:
        raise ModelError(f"{model.name} takes no other size of view than its own.")
    flat = torch.from_numpy(np.ascontiguousarray(patches)).to(old)
    if old.dim() == 4:
        value = flat[None]
    else:
        prefix = [torch.from_numpy(row).to(old)[None] for row in table.prefix.values()]
        value = torch.cat([*prefix, flat.reshape(-1, flat.shape[-1])])[None]
    holder.pos_embed = nn.Parameter(value, requires_grad=False)
    return other.eval()  # type: ignore[no-any-return]


def _run(model: Model, module: nn.Module, image: Image, size: tuple[int, int]) -> np.ndarray:
    """Logits (K,) of the picture, empty where the network has no classes."""
    view = torch.from_numpy(model_input(image, replace(model.preprocessing, input_size=size)))
    try:
        with torch.no_grad(), in_eval(module):
            output = module(model.on_device(view))
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        raise ModelError(f"{model.name} failed on a view of {size[0]} x {size[1]} px: {in_one_line(error)}") from error
    return logits_of(output, module)


def _said(model: Model, logits: np.ndarray, target: int | None) -> tuple[tuple[tuple[str, float], ...], float | None]:
    if target is None or logits.size < 2:
        return (), None
    shares = probabilities_of(logits)
    best = np.argsort(-shares)[:3]
    return tuple((model.label(int(i)), float(shares[i])) for i in best), float(shares[target])
