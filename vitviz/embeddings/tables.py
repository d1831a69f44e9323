"""Position embeddings that are added to the patches: where a network keeps them, what it adds at its present view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitviz.errors import ModelError
from vitviz.models.layout import Grid
from vitviz.models.model import Model


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What is added to the tokens before the first layer.

    Attributes:
        patches: (gh, gw, D) float32.
        prefix: (D,) float32 of each prefix token that has a row, by name.
        separate: made of one vector per row plus one per column.
        resampled_from: the grid that the network keeps, where it resamples at every pass.
        name: of the parameter in the network.
    """

    patches: np.ndarray = field(repr=False)
    prefix: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    separate: bool = False
    resampled_from: tuple[int, int] | None = None
    name: str = "pos_embed"

    @property
    def grid(self) -> tuple[int, int]:
        """(gh, gw)."""
        return self.patches.shape[0], self.patches.shape[1]


def absolute_table(model: Model) -> Table | None:
    """The position embedding that the network adds to its patches, None where it adds none.

    Raises ModelError where there is one that does not fit the patches.
    """
    holder: Any = getattr(model.module, "embeds", model.module)
    down, across = getattr(holder, "pos_embed_y", None), getattr(holder, "pos_embed_x", None)
    if isinstance(down, Tensor) and isinstance(across, Tensor):
        return _separate(model, holder, down, across)
    found = getattr(holder, "pos_embed", None)
    if not isinstance(found, Tensor):
        return None
    value = found.detach().float().cpu()
    if value.dim() == 4 and value.shape[0] == 1:
        return _square(model, holder, value)
    if value.dim() == 2:
        value = value[None]
    if value.dim() != 3 or value.shape[0] != 1:
        raise ModelError(
            f"The position embedding of {model.name} is {tuple(found.shape)}; (1, tokens, D) or a grid of it can be "
            "shown."
        )
    return _sequence(model, value[0].numpy())


def _sequence(model: Model, rows: np.ndarray) -> Table:
    """(tokens, D): the first rows are those of prefix tokens, as many as there are more than patches."""
    grid = _grid_of(model, len(rows))
    extra = len(rows) - grid[0] * grid[1]
    names = [*model.prefix_tokens, *(f"row{i}" for i in range(len(model.prefix_tokens), extra))][:extra]
    return Table(rows[extra:].reshape(*grid, -1), dict(zip(names, rows[:extra], strict=True)))


def _grid_of(model: Model, count: int) -> tuple[int, int]:
    embed: Any = getattr(model.module, "patch_embed", None)
    size = getattr(embed, "grid_size", None) or getattr(model.module, "tokens_spatial_shape", None)
    most = max(1, len(model.prefix_tokens))
    if isinstance(size, Sequence) and len(size) == 2 and 0 <= count - size[0] * size[1] <= most:
        return int(size[0]), int(size[1])
    # Networks that say no grid of their own: the one that has the view's proportions, with as few rows before it.
    for extra in range(most + 1):
        grid = Grid.of_tokens(model.preprocessing.input_size, count - extra)
        if grid is not None and grid.size >= 4:
            return grid.shape
    raise ModelError(
        f"The position embedding of {model.name} has {count} rows, which fit no grid of patches over a view of "
        f"{model.preprocessing.input_size[0]} x {model.preprocessing.input_size[1]} px with up to {most} more."
    )


def _square(model: Model, holder: nn.Module, value: Tensor) -> Table:
    """A grid of vectors, channels last (NaFlexViT, SAM, VOLO) or first (PiT)."""
    if value.shape[2] == value.shape[3] and value.shape[1] != value.shape[2]:
        value = value.permute(0, 2, 3, 1)
    kept = (value.shape[1], value.shape[2])
    grid = _view_grid(holder, model) or kept
    if grid == kept:
        return Table(value[0].numpy())
    keeps_shape = bool(getattr(holder, "pos_embed_ar_preserving", False))
    resampled = F.interpolate(
        value.permute(0, 3, 1, 2),
        size=(max(grid), max(grid)) if keeps_shape else grid,
        mode=getattr(holder, "pos_embed_interp_mode", "bicubic"),
        align_corners=getattr(holder, "pos_embed_align_corners", False),
        antialias=getattr(holder, "pos_embed_antialias", True),
    )[0, :, : grid[0], : grid[1]]
    return Table(resampled.permute(1, 2, 0).numpy(), resampled_from=kept)


def _separate(model: Model, holder: nn.Module, down: Tensor, across: Tensor) -> Table:
    """One vector per row plus one per column, each resampled linearly, as NaFlexViT does."""
    kept = (down.shape[1], across.shape[1])
    grid = _view_grid(holder, model) or kept
    lengths = (max(grid), max(grid)) if getattr(holder, "pos_embed_ar_preserving", False) else grid
    parts = [
        _line(each.detach().float().cpu(), length)[:size]
        for each, length, size in zip((down, across), lengths, grid, strict=True)
    ]
    added = (parts[0][:, None] + parts[1][None]).numpy()
    return Table(added, separate=True, resampled_from=None if grid == kept else kept, name="pos_embed_y, pos_embed_x")


def _line(table: Tensor, length: int) -> Tensor:
    """(1, L, D) -> (length, D)."""
    if table.shape[1] != length:
        table = F.interpolate(table.mT, size=length, mode="linear", align_corners=False).mT
    return table[0]


def _view_grid(holder: nn.Module, model: Model) -> tuple[int, int] | None:
    """The grid that a network which resamples at every pass lays over the model's view."""
    embed: Any = holder
    if not callable(getattr(embed, "dynamic_feat_size", None)) or not hasattr(holder, "pos_embed_interp_mode"):
        return None
    with torch.no_grad():
        rows, cols = embed.dynamic_feat_size(model.preprocessing.input_size)
    return int(rows), int(cols)
