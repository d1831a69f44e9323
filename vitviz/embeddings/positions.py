"""What a network knows about where a patch lies: how alike it takes two positions to be, from its weights alone.

Learned embeddings are compared as in figures 7 and 10 of Dosovitskiy et al. 2020 (arXiv 2010.11929).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from vitviz.embeddings.relative_bias import has_relative_position_bias
from vitviz.embeddings.rotary import rotary_vectors
from vitviz.embeddings.tables import Table, absolute_table
from vitviz.errors import ModelError
from vitviz.models.model import Model

Kind = Literal["learned", "sin-cos", "separate", "rotary"]
_LAID_OUT = 32  # rows and columns over which it is tested whether similarity follows the offset alone
_ALIKE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """One way in which a network tells positions apart.

    Attributes:
        kind: "learned" (a vector per patch), "separate" (one per row plus one per column), "sin-cos" (fixed waves),
            "rotary" (q and k are turned by angles; similarity is the mean over frequencies of cos(phase difference)).
        text: what it is, in a sentence.
        grid: (gh, gw) patches.
        vectors: (layers, heads, gh*gw, D) float32 of length 1, 0 where the embedding is 0; layers and heads are 1 where
            they don't differ.
        prefix: vector of length 1 of each prefix token that has a position, by name.
        table: what is added to the patches, as it lies in the network; None for rotary positions.
    """

    kind: Kind
    text: str
    grid: tuple[int, int]
    vectors: np.ndarray = field(repr=False)
    prefix: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    table: Table | None = field(default=None, repr=False)

    @property
    def per_head(self) -> bool:
        """Whether layers or heads differ."""
        return self.vectors.shape[:2] != (1, 1)

    def row(self, position: tuple[int, int] | str, *, layer: int = 0, head: int | str = "mean") -> np.ndarray:
        """Similarity of one position with every patch, (gh, gw) float32 from -1 to 1.

        Args:
            position: (row, column), or the name of a prefix token that has a position.
            layer, head: which ones, where they differ; "mean" is the mean over the heads.

        Raises ModelError where there is no such position.
        """
        found = self._of(layer, head)
        if isinstance(position, str):
            if position not in self.prefix:
                raise ModelError(f"{position!r} has no position here; the patches have, and {list(self.prefix)}.")
            one = np.broadcast_to(self.prefix[position], (len(found), found.shape[-1]))
        else:
            row, col = position
            if not (0 <= row < self.grid[0] and 0 <= col < self.grid[1]):
                raise ModelError(f"There is no patch {position} on a grid of {self.grid[0]} x {self.grid[1]}.")
            one = found[:, row * self.grid[1] + col]
        result: np.ndarray = np.matmul(found, one[..., None])[..., 0].mean(0).reshape(self.grid)
        return result

    def all(self, *, layer: int = 0, head: int | str = "mean") -> np.ndarray:
        """Similarity of every patch with every patch, (gh, gw, gh, gw) float32."""
        found = self._of(layer, head)
        total = sum(one @ one.T for one in found) / np.float32(len(found))
        return np.ascontiguousarray(total, dtype=np.float32).reshape(*self.grid, *self.grid)

    def some(self, step: int, *, layer: int = 0, head: int | str = "mean") -> np.ndarray:
        """The same for the positions of every `step`-th row and column alone, (rows, cols, gh, gw) float32."""
        found = self._of(layer, head)
        rows, cols = (np.arange(step // 2, size, step) for size in self.grid)
        chosen = (rows[:, None] * self.grid[1] + cols).ravel()
        total = sum(one[chosen] @ one.T for one in found) / np.float32(len(found))
        return np.ascontiguousarray(total, dtype=np.float32).reshape(len(rows), len(cols), *self.grid)

    def _of(self, layer: int, head: int | str) -> np.ndarray:
        """(heads, N, D): the vectors that a layer and head use."""
        layers, heads = self.vectors.shape[:2]
        found: np.ndarray = self.vectors[min(layer, layers - 1)]
        return found[min(head, heads - 1)][None] if isinstance(head, int) else found


def positions_of(model: Model) -> tuple[Positions, ...]:
    """Every way in which the weights place the patches, added ones before rotary ones; () where there is none.

    Raises ModelError where its position embedding does not fit its patches.
    """
    found: list[Positions] = []
    table = absolute_table(model)
    if table is not None:
        found.append(_added(table, model))
    turned = rotary_vectors(model)
    if turned is not None:
        vectors, grid = turned
        heads = "; layers and heads have angles of their own" if vectors.shape[:2] != (1, 1) else ""
        found.append(
            Positions(
                "rotary",
                f"Rotary: queries and keys are turned by angles that grow with row and column{heads}. "
                "Similarity is the mean over the frequencies of cos(phase difference).",
                grid,
                vectors,
            )
        )
    return tuple(found)


def position_similarity(model: Model, *, layer: int = 0, head: int | str = "mean") -> np.ndarray:
    """How alike a network takes every two positions to be, (gh, gw, gh, gw) float32 from -1 to 1.

    Cosine similarity of position embeddings (Dosovitskiy et al. 2020, figures 7 and 10), and for networks with rotary
    positions alone the mean over the frequencies of cos(phase difference).

    Args:
        model: as load_model gives it.
        layer, head: which ones, where rotary angles differ between them; "mean" is the mean over the heads.

    Raises ModelError, which says why, where the network has neither.
    """
    found = positions_of(model)
    if not found:
        instead = " Ask relative_position_bias for it." if has_relative_position_bias(model.module) else ""
        raise ModelError(f"{model.name} has no position embedding to compare: {why_none(model)}{instead}")
    return found[0].all(layer=layer, head=head)


def why_none(model: Model) -> str:
    """Where a network without position embedding knows positions from, in a sentence."""
    names = [name for name, _ in (*model.module.named_parameters(), *model.module.named_buffers())]
    parts = " ".join(names)
    own = next((name for name in names if re.search(r"(^|\.)(pos_embed|patch_pos)", name)), None)
    if any(word in parts for word in ("relative_position", "rel_pos", "cpb_mlp", "attention_bias", "logit_scale")):
        return "it adds a bias to its attention that depends on how far two patches lie apart."
    if own is not None:
        return f"it keeps its positions in a form of its own ({own})."
    if "conv" in parts or "pos_block" in parts:
        return "its convolutions alone tell it what lies beside what."
    return "the order of its patches makes no difference to it."


def _added(table: Table, model: Model) -> Positions:
    flat = table.patches.reshape(-1, table.patches.shape[-1])
    unit = _unit(flat)
    count = len(table.prefix)
    also = f", with rows for {', '.join(name.upper() for name in table.prefix)}" if count else ""
    rows, cols = table.grid
    if table.separate:
        text = f"Separate: one learned vector for each of {rows} rows plus one for each of {cols} columns"
        return Positions("separate", text + _resampled(table) + ".", table.grid, unit[None, None], table=table)
    waves = _waves(unit.reshape(*table.grid, -1), np.linalg.norm(flat, axis=1))
    kind: Kind = "sin-cos" if waves else "learned"
    if waves:
        text = f"Sin-cos: fixed waves over {waves}, so similarity depends on the offset of two patches alone{also}"
    else:
        text = f"Learned: one vector for each of {rows} x {cols} patches{also}, added before the first layer"
    text += _resampled(table) or _resampled_once(table, model)
    prefix = {name: _unit(row[None])[0] for name, row in table.prefix.items()}
    return Positions(kind, text + ".", table.grid, unit[None, None], prefix, table)


def _resampled_once(table: Table, model: Model) -> str:
    """Says what the table was in the file, where opening the model resampled it; "" where it did not."""
    if model.resampled_places is None:
        return ""
    given, now = model.resampled_places
    count = given - (now - table.grid[0] * table.grid[1])
    side = math.isqrt(max(count, 0))
    kept = f"{side} x {side}" if side * side == count else f"{count} places"
    return f"; the file has {kept}, resampled for this view when it was opened"


def _resampled(table: Table) -> str:
    kept = table.resampled_from
    return f"; kept as {kept[0]} x {kept[1]} and resampled for this view" if kept else ""


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    result: np.ndarray = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return result


def _waves(unit: np.ndarray, lengths: np.ndarray) -> str:
    """What the waves of a fixed embedding run over, "" where the embedding is learned.

    Whatever the order of sines and cosines, and whatever their base: all vectors have the same length, and the
    similarity of two patches depends on their offset alone. No trained table does that.
    """
    if lengths.max() == 0 or lengths.max() - lengths.min() > _ALIKE * lengths.max():
        return ""
    some = unit[:_LAID_OUT, :_LAID_OUT]
    rows, cols = some.shape[:2]
    if min(rows, cols) < 2:
        return ""
    flat = some.reshape(rows * cols, -1)
    alike = flat @ flat.T
    if alike.min() > 1 - _ALIKE:
        return ""
    if cols == unit.shape[1] and np.abs(alike[1:, 1:] - alike[:-1, :-1]).max() < _ALIKE:
        return "the index in the sequence"
    laid = alike.reshape(rows, cols, rows, cols)
    down = np.abs(laid[1:, :, 1:] - laid[:-1, :, :-1]).max()
    across = np.abs(laid[:, 1:, :, 1:] - laid[:, :-1, :, :-1]).max()
    return "rows and columns" if max(down, across) < _ALIKE else ""
