"""The filters by which pixels become tokens as a figure: all of them, or their principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from vitviz.atomic import slug
from vitviz.render.figure import WIDTHS, Figure
from vitviz.render.page import Page
from vitviz.render.studies.study import Study, Subject
from vitviz.render.weights import filter_page, tile_colors

if TYPE_CHECKING:
    from vitviz.embeddings.filters import Components, Filters

Shown = Literal["components", "filters"]


@dataclass(frozen=True, slots=True)
class FilterStudy(Study["tuple[Filters, Components]"]):
    """The first 28 principal components of the filters with their share of the variance, or the filters themselves."""

    name: ClassVar[str] = "patch embedding filters"
    figure: ClassVar[Figure] = Figure(width=WIDTHS["one column"])

    shown: Shown = "components"

    def found(self, subject: Subject) -> tuple[Filters, Components]:
        from vitviz.embeddings.filters import patch_filters

        filters = patch_filters(subject.model)
        return filters, filters.components()

    def page(self, found: tuple[Filters, Components], subject: Subject, figure: Figure) -> Page:
        words = [f"{share:.1%}" for share in found[1].explained] if self.shown == "components" else []
        kernels = self.kernels(found)
        note = "Each has its own scale, with 0 in grey."
        if self.shown == "components":
            note = f"Shown are the first {len(kernels)} principal components, with their shares of the variance. {note}"
        return filter_page(tile_colors(kernels), words, f"{found[0].text} {note}", figure=figure)

    def kernels(self, found: tuple[Filters, Components]) -> np.ndarray:
        """The tiles that are shown, (k, C, p, q) float32."""
        return found[1].tiles if self.shown == "components" else found[0].kernels

    def arrays(self, found: tuple[Filters, Components]) -> dict[str, np.ndarray]:
        if self.shown == "filters":
            return {"filters": found[0].kernels}
        return {"components": found[1].tiles, "explained": found[1].explained}

    def about(self, found: tuple[Filters, Components]) -> dict[str, Any]:
        axes = f"{self.shown.removesuffix('s')}, channel, row, column"
        return {"unit": "weight of a pixel (no unit)", "axes": axes, "module": found[0].name}

    def stem(self, subject: Subject) -> str:
        return slug(f"{subject.model.name} {self.shown}")

    def title(self, found: tuple[Filters, Components]) -> str:
        return found[0].text
