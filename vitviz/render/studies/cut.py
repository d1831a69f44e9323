"""A picture as a sequence of tokens as a figure: its patches numbered, the tokens in front, what attention costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vitviz.atomic import slug
from vitviz.images import view_pixels
from vitviz.render.cut import cut_page, cut_tiles
from vitviz.render.figure import WIDTHS, Figure
from vitviz.render.page import Page
from vitviz.render.sequence import cost_text, count_text, token_name
from vitviz.render.studies.study import Needs, Study, Subject

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A view (h, w, 3) uint8, its grid of patches of `stride` pixels, the tokens in front, and what is said of them."""

    pixels: np.ndarray
    grid: tuple[int, int]
    stride: tuple[float, float]
    prefix: tuple[str, ...]
    words: tuple[str, ...]


def cut_of(trace: Trace, pixels: np.ndarray) -> Cut:
    """The view's `pixels` cut as the first layer of a trace has its patches."""
    grid = trace.layers[0].query_grid
    return Cut(pixels, grid.shape, grid.stride, trace.prefix_tokens, (count_text(trace), cost_text(trace)))


@dataclass(frozen=True, slots=True)
class CutStudy(Study[Cut]):
    """The picture cut into the patches of the first layer."""

    name: ClassVar[str] = "tokens from pixels"
    needs: ClassVar[Needs] = "trace"
    figure: ClassVar[Figure] = Figure(width=WIDTHS["one column"])

    def found(self, subject: Subject) -> Cut:
        assert subject.image is not None and subject.trace is not None
        return cut_of(subject.trace, view_pixels(subject.image, subject.model.preprocessing))

    def page(self, found: Cut, subject: Subject, figure: Figure) -> Page:
        names = [token_name(name) for name in found.prefix]
        return cut_page(found.pixels, cut_tiles(found.grid, found.stride), names, found.words, figure=figure)

    def arrays(self, found: Cut) -> dict[str, np.ndarray]:
        return {"view": found.pixels}

    def about(self, found: Cut) -> dict[str, Any]:
        return {
            "unit": "8-bit RGB",
            "axes": "row, column, channel of the view",
            "grid": list(found.grid),
            "patch_px_of_view": list(found.stride),
            "prefix_tokens": list(found.prefix),
            "words": list(found.words),
        }

    def stem(self, subject: Subject) -> str:
        assert subject.image is not None
        return slug(f"{subject.image.name} {subject.model.name} tokens")
