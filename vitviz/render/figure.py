"""What is around a map in a figure: size, title, colour bar, grid, letters; one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from vitviz.checks import one_of, within
from vitviz.errors import RenderError

Theme = Literal["light", "dark"]
# Millimetres; the widths of one and of two columns in most journals, within a millimetre or two.
WIDTHS = {"one column": 85.0, "two columns": 174.0}
MM_PER_INCH = 25.4
POINTS_PER_MM = 72.0 / MM_PER_INCH


@dataclass(frozen=True, slots=True)
class Figure:
    """How a figure is laid out. The default is the bare overlay at the picture's own size.

    Attributes:
        title: a line or more above the picture, none where empty.
        label: beside the colour bar; where empty, what the values are.
        color_bar: whether there is one.
        grid: draw the patch grid over the picture.
        seen_only: leave out what the model did not see of the picture, which else is grey and hatched.
        labels: write beside each tile of a sheet what it is.
        font_size: of all letters, in points.
        width: of the whole in millimetres; None gives the picture its own pixels times `scale`.
        scale: drawn pixels per picture pixel where there is no width.
        dpi: drawn pixels per inch; also the resolution of the picture in SVG and PDF.
        theme: black on white, or white on near-black.

    Raises RenderError for a number out of its range, or another theme.
    """

    title: str = ""
    label: str = ""
    color_bar: bool = False
    grid: bool = False
    seen_only: bool = False
    labels: bool = True
    font_size: float = 8.0
    width: float | None = None
    scale: float = 1.0
    dpi: int = 300
    theme: Theme = "light"

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("font_size", self.font_size, 3.0, 72.0),
            ("width", self.width, 10.0, 1000.0),
            ("scale", self.scale, 0.05, 16.0),
            ("dpi", self.dpi, 30, 1200),
        ):
            if value is not None or name != "width":
                within(value, low, high, f"The {name} of a figure", RenderError)
        one_of(self.theme, get_args(Theme), "The theme", RenderError)

    @property
    def bare(self) -> bool:
        """Whether nothing is around the picture, and nothing over it but the map."""
        return not (self.title or self.color_bar or self.grid or self.width)

    @property
    def background(self) -> tuple[int, int, int]:
        """The colour behind everything."""
        return (255, 255, 255) if self.theme == "light" else (24, 24, 27)

    @property
    def foreground(self) -> tuple[int, int, int]:
        """The colour of letters and lines."""
        return (0, 0, 0) if self.theme == "light" else (235, 235, 238)

    @classmethod
    def for_paper(cls, columns: int = 1, **fields: object) -> Figure:
        """A figure for one or two columns of a paper: colour bar, 8 point letters, 300 dots per inch."""
        one_of(columns, (1, 2), "The number of columns", RenderError)
        width = WIDTHS["one column" if columns == 1 else "two columns"]
        return replace(cls(width=width, color_bar=True), **fields)  # type: ignore[arg-type]
