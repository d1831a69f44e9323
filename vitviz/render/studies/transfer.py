"""The position embedding at another size of view as a figure: similarity with one place, and the prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vitviz.atomic import slug
from vitviz.render.figure import WIDTHS, Figure
from vitviz.render.page import Page
from vitviz.render.studies.study import Needs, Study, Subject
from vitviz.render.style import color_table
from vitviz.render.weights import row_page

if TYPE_CHECKING:
    from vitviz.embeddings.transfer import Transfer

TITLES = {None: "As it is", "bicubic": "Bicubic", "bilinear": "Bilinear", "naive": "Naive"}
LIMITS = (-1.0, 1.0)


def title_of(transfer: Transfer) -> str:
    """How the positions were carried over, and the size of the view."""
    return f"{TITLES[transfer.way]} · {transfer.size[0]} x {transfer.size[1]} px"


def cell_of(transfer: Transfer, place: tuple[float, float]) -> tuple[int, int]:
    """The patch at a place of the view, in shares of its height and width."""
    rows, cols = transfer.patches.shape[:2]
    return int(place[0] * rows), int(place[1] * cols)


def similar(transfer: Transfer, place: tuple[float, float]) -> np.ndarray:
    """Cosine similarity of the position at a place with every patch, (gh, gw) float32; 0 where a row is 0."""
    patches = transfer.patches
    lengths = np.linalg.norm(patches, axis=-1, keepdims=True)
    unit: np.ndarray = np.divide(patches, lengths, out=np.zeros_like(patches), where=lengths > 0)
    result: np.ndarray = unit @ unit[cell_of(transfer, place)]
    return result


@dataclass(frozen=True, slots=True)
class TransferStudy(Study["Sequence[Transfer]"]):
    """The network on a picture with a view of `size` (height, width) pixels.

    Attributes:
        place: whose similarities are shown, in shares of the view's height and width, 0 <= share < 1.
    """

    name: ClassVar[str] = "positions at another size"
    needs: ClassVar[Needs] = "picture"
    figure: ClassVar[Figure] = Figure(width=WIDTHS["two columns"], color_bar=True)

    size: tuple[int, int]
    place: tuple[float, float] = (0.5, 0.5)
    colormap: str = "viridis"

    def __post_init__(self) -> None:
        color_table(self.colormap)
        if not all(0 <= share < 1 for share in self.place):
            raise ValueError(f"The place {self.place} does not lie in the view: give shares from 0 to below 1.")
        if not all(1 <= side <= 16384 for side in self.size):
            raise ValueError(f"A view of {self.size} pixels can't be made.")

    def found(self, subject: Subject) -> Sequence[Transfer]:
        from vitviz.embeddings.transfer import transfers

        assert subject.image is not None
        return transfers(subject.model, subject.image, self.size)

    def page(self, found: Sequence[Transfer], subject: Subject, figure: Figure) -> Page:
        maps, titles = [similar(each, self.place) for each in found], [title_of(each) for each in found]
        words = [f"Top 1: {_said(each)}" for each in found]
        return row_page(maps, titles, words, LIMITS, self.colormap, label="Cosine similarity", figure=figure)

    def arrays(self, found: Sequence[Transfer]) -> dict[str, np.ndarray]:
        return {each.way or "as it is": similar(each, self.place) for each in found}

    def about(self, found: Sequence[Transfer]) -> dict[str, Any]:
        predictions = {title_of(each): _said(each) for each in found}
        return {"unit": "cosine similarity", "axes": "row, column of the patches", "predictions": predictions}

    def stem(self, subject: Subject) -> str:
        assert subject.image is not None
        return slug(f"{subject.image.name} {subject.model.name} positions at {self.size[1]} px")


def _said(transfer: Transfer) -> str:
    return f"{transfer.top[0][0]} {transfer.top[0][1]:.1%}" if transfer.top else "no classes"
