"""Deletion and insertion curves of several maps, their areas, and both as a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Removal = Literal["grey", "blurred"]
Score = Literal["probability", "logit"]
RANDOM = "random order"


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """What the model says of the class, by the share of the patches that are gone (deletion) or there (insertion).

    Attributes:
        shares: (n,) float32 from 0 to 1.
        scores: (n,) float32, probability or logit of the class.
        spread: (n,) float32, standard deviation over random orders; None for a map's own order.
    """

    shares: np.ndarray = field(repr=False)
    scores: np.ndarray = field(repr=False)
    spread: np.ndarray | None = field(default=None, repr=False)

    @property
    def area(self) -> float:
        """The area under the curve, by trapezoids, both ends included."""
        return float(np.trapezoid(self.scores, self.shares))


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Both curves of one order of the patches; of random orders the means.

    Attributes:
        grid: (rows, columns) of the patches: curves of other grids are no match for each other.
        spreads: standard deviations over random orders of the areas of deletion and insertion and of the gain; None
            for a map's own order.
    """

    deletion: Curve
    insertion: Curve
    grid: tuple[int, int] = (0, 0)
    spreads: tuple[float, float, float] | None = None

    @property
    def gain(self) -> float:
        """Area of insertion minus that of deletion: about 0 for random orders, larger is truer."""
        return self.insertion.area - self.deletion.area


@dataclass(frozen=True, slots=True, eq=False)
class Faithfulness:
    """The curves of several maps, and those of random orders.

    Attributes:
        curves: by the name of the map; random orders by RANDOM, and by their grid where there are several grids.
        target: the class.
        label: its name.
        removal, score: how patches were taken away, what the curves are of.
        model_name, picture, without: what was judged, and the heads that were off in it, in words.
        steps, seeds: points of a curve, random orders.
    """

    curves: dict[str, Curves]
    target: int
    label: str
    removal: Removal
    score: Score
    model_name: str = ""
    picture: str = ""
    without: str = ""
    steps: int = 0
    seeds: int = 0

    @property
    def grids(self) -> tuple[tuple[int, int], ...]:
        """The grids of the maps; orders on more than one are to be compared each with the random ones of its own."""
        return tuple(dict.fromkeys(curves.grid for curves in self.curves.values()))

    def rows(self) -> list[tuple[str, float, float, float]]:
        """(name, area of deletion, area of insertion, gain), in the order in which the maps were given."""
        return [(name, c.deletion.area, c.insertion.area, c.gain) for name, c in self.curves.items()]

    def csv(self) -> str:
        """One table in long form, a comment line above it.

        Columns: method, grid, curve (deletion, insertion, gain), quantity (area, or score at a point), fraction of the
        patches, value, and the standard deviation over the orders where they are random.
        """
        model = f"{self.model_name} {self.without}".strip()
        seeds = f"{self.seeds} random orders" + (f" (seeds 0 to {self.seeds - 1})" if self.seeds else "")
        lines = [
            f"# {self.score} of {self.label}, patches {self.removal}, model {model}, picture {self.picture}, "
            f"{self.steps} steps, {seeds}",
            "method,grid,curve,quantity,fraction,value,spread",
        ]
        for name, both in self.curves.items():
            first = f"{_quoted(name)},{both.grid[0]} x {both.grid[1]}"
            areas = both.deletion.area, both.insertion.area, both.gain
            for kind, area, width in zip(
                ("deletion", "insertion", "gain"), areas, both.spreads or (None,) * 3, strict=True
            ):
                lines.append(f"{first},{kind},area,,{_number(area)},{'' if width is None else _number(width)}")
            for kind, curve in (("deletion", both.deletion), ("insertion", both.insertion)):
                spread = [""] * len(curve.shares) if curve.spread is None else [_number(s) for s in curve.spread]
                for share, score, text in zip(curve.shares, curve.scores, spread, strict=True):
                    lines.append(f"{first},{kind},score,{share:.4f},{_number(score)},{text}")
        return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    # A zero that comes from below is none to be seen.
    return f"{round(float(value), 6) + 0.0:.6f}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text
