"""How alike a network takes all positions to be as a figure: the grid of grids, and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vitviz.atomic import slug
from vitviz.errors import ModelError
from vitviz.render.figure import WIDTHS, Figure
from vitviz.render.page import Page
from vitviz.render.studies.study import Study, Subject
from vitviz.render.style import color_table
from vitviz.render.weights import grid_page, step_for

if TYPE_CHECKING:
    from vitviz.embeddings.positions import Positions

_QUANTITY = {"rotary": "mean cos(Δ phase)"}


def quantity(kind: str) -> str:
    """What the values of a similarity are, in words."""
    return _QUANTITY.get(kind, "cosine similarity")


@dataclass(frozen=True, slots=True, eq=False)
class MadeGrid:
    """A grid of grids as it was made: every `step`-th position of `positions`, of one layer and head."""

    positions: Positions
    layer: int
    head: int | str
    step: int
    values: np.ndarray

    @property
    def numbers(self) -> tuple[list[int], list[int]]:
        """The rows and columns of the positions that have a map."""
        rows, cols = ([self.step // 2 + i * self.step for i in range(n)] for n in self.values.shape[:2])
        return rows, cols


def make_grid(positions: Positions, layer: int, head: int | str) -> MadeGrid:
    """The similarity of as many positions with all others as make a picture of moderate size."""
    step = step_for(positions.grid)
    return MadeGrid(positions, layer, head, step, positions.some(step, layer=layer, head=head))


@dataclass(frozen=True, slots=True)
class PositionStudy(Study[MadeGrid]):
    """The similarity of positions of a kind (as `Positions` has it), of one layer and head where these differ."""

    name: ClassVar[str] = "position similarity"
    figure: ClassVar[Figure] = Figure(width=WIDTHS["one column"], color_bar=True)

    kind: str
    limits: tuple[float, float] = (-1.0, 1.0)
    colormap: str = "viridis"
    layer: int = 0
    head: int | str = "mean"

    def __post_init__(self) -> None:
        color_table(self.colormap)

    def found(self, subject: Subject) -> MadeGrid:
        from vitviz.embeddings.positions import positions_of

        for positions in positions_of(subject.model):
            if positions.kind == self.kind:
                return make_grid(positions, self.layer, self.head)
        raise ModelError(f"{subject.model.name} has no positions of the kind {self.kind!r}.")

    def page(self, found: MadeGrid, subject: Subject, figure: Figure) -> Page:
        label = quantity(self.kind)
        label = label[0].upper() + label[1:]
        return grid_page(
            found.values, self.limits, self.colormap, numbers=found.numbers, label=label, figure=figure
        )  # fmt: skip

    def arrays(self, found: MadeGrid) -> dict[str, np.ndarray]:
        rows, cols = (np.array(numbers, dtype=np.int32) for numbers in found.numbers)
        return {"similarity": found.values, "rows": rows, "columns": cols}

    def about(self, found: MadeGrid) -> dict[str, Any]:
        axes = "row and column of a position, row and column of the patch that it is compared with"
        return {"unit": quantity(self.kind), "axes": axes, "every": found.step}

    def stem(self, subject: Subject) -> str:
        return slug(f"{subject.model.name} positions {self.kind}")

    def title(self, found: MadeGrid) -> str:
        return found.positions.text
