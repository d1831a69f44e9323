"""The pair of pictures of position similarity: the map of one position above the map of each, on one scale."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QWidget

from vitviz.attention.values import Place
from vitviz.ui.axed_view import AxedView
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.position_grid import GridOfGrids

Cell = tuple[int, int]


class PositionPictures(QWidget):
    """Draws both, and says which patch of which map lies under the mouse.

    `hovered(cell, other)` with the position whose map it is, (row, column), and the patch that it is compared with
    there, None over the single map; `clicked(cell)`, None beside all patches, `unclicked()` where that was the first
    half of a double click, `left()`.
    """

    hovered = Signal(object, object)
    clicked = Signal(object)
    unclicked = Signal()
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shape: Cell = (0, 0)
        self.single = AxedView("Similarity of the query's position with every patch", parent=self)
        self.mosaic = GridOfGrids(self)
        self.bar = ColorBar(self)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.single)
        split.addWidget(self.mosaic)
        split.setSizes([240, 420])
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(split, 1)
        row.addWidget(self.bar)  # for both
        for view in (self.single, self.mosaic):
            view.hovered.connect(lambda place, view=view: self._hovered(view, place))
            view.clicked.connect(lambda place, view=view: self._clicked(view, place))
            view.unclicked.connect(self.unclicked)
            view.left.connect(self.left)

    def set_canvas(self, background: QColor, foreground: QColor) -> None:
        """The colours around the pictures and of their numbers."""
        for view in (self.single, self.mosaic):
            view.set_canvas(background, foreground)

    def set_shape(self, shape: Cell) -> None:
        """Positions on another grid of (rows, columns)."""
        self._shape = shape
        self.single.set_cells(shape)

    def draw_single(self, values: np.ndarray, limits: tuple[float, float], colormap: str) -> None:
        """Draw the map (rows, columns) of one position."""
        from vitviz.render.weights import map_indices

        self.single.show_indices(map_indices(values, limits), colormap)

    def mark(self, position: Cell | str) -> None:
        """Frame a position in both; a named token lies in neither."""
        cell = None if isinstance(position, str) else position
        self.single.mark(None if cell is None else QRectF(cell[1], cell[0], 1, 1))
        self.mosaic.frame(cell)

    def _cell_at(self, view: AxedView, place: Place) -> tuple[Cell | None, Cell | None]:
        if view is self.mosaic:
            return self.mosaic.cell_at(place) or (None, None)
        rows, cols = self._shape
        inside = 0 <= place.x < cols and 0 <= place.y < rows
        return ((int(place.y), int(place.x)) if inside else None), None

    def _hovered(self, view: AxedView, place: Place) -> None:
        cell, other = self._cell_at(view, place)
        if cell is not None:
            self.hovered.emit(cell, other)

    def _clicked(self, view: AxedView, place: Place) -> None:
        cell, _ = self._cell_at(view, place)
        self.clicked.emit(cell)
