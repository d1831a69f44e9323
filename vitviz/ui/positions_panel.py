"""How alike the network takes two places to be: the map of the hovered patch, and the grid of all such maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QRectF, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QSplitter, QToolButton, QVBoxLayout, QWidget

from vitviz.attention.values import Place
from vitviz.errors import VitvizError
from vitviz.models.layout import Grid
from vitviz.render.mosaic import Tiles
from vitviz.render.style import color_table
from vitviz.ui.axed_view import AxedView
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.lazy import LazyPanel
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.store import State
from vitviz.ui.weight_figures import FigureButtons, Make
from vitviz.ui.words import token_name

if TYPE_CHECKING:
    from vitviz.embeddings.positions import Positions

KIND, MOSAIC = "positions", "positions grid"
SCALES = (("Scale: −1 to 1", "whole"), ("Scale: smallest to largest", "own"))
_NAMES = {"learned": "Learned", "separate": "Rows and columns", "sin-cos": "Sin-cos", "rotary": "Rotary"}
_QUANTITY = {"rotary": "mean cos(Δ phase)"}


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """A grid of grids as it was made: every `step`-th position of `positions`, of one layer and head."""

    positions: Positions
    layer: int
    head: int | str
    step: int
    values: np.ndarray


class PositionsPanel(LazyPanel):
    """Follows the query of the pane; hovering one of its pictures makes that patch the query.

    Reads the weights in the worker, once a model, and nothing at all while it is hidden. `bias_asked()` when the user
    wants to see the relative position bias of a network that has one.
    """

    bias_asked = Signal()

    def __init__(self, pane: Pane, worker: Worker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane, self._worker = pane, worker
        self._opened: Opened | None = None
        self.found: tuple[Positions, ...] = ()
        self.grid: _Grid | None = None
        self._tiles: Tiles | None = None
        self._position: tuple[int, int] | str | None = None
        self._asked: tuple[object, ...] = ()
        self.values: np.ndarray | None = None
        self.text = _label(wrap=True)
        self.caption = _label()
        self.kinds, self.scales = QComboBox(), QComboBox()
        self.kinds.setAccessibleName("Which of the network's position embeddings")
        self.kinds.setToolTip("This network has more than one position embedding: which one is shown")
        self.scales.setAccessibleName("Scale of the colours")
        self.scales.setToolTip("Scale of the colours: that of any cosine, or from the smallest to the largest value")
        for title, value in SCALES:
            self.scales.addItem(title, value)
        self.chips: dict[str, QToolButton] = {}
        self._chips = QHBoxLayout()
        self._chips.setSpacing(4)
        self.single = AxedView("Similarity of the query's position with every patch", parent=self)
        self.mosaic = AxedView(
            "Grid of grids: at every patch its similarity with all others", ("patch row", "patch column"), self
        )
        self.bar = ColorBar(self)
        self.bias_button = QPushButton("Show the relative bias")
        self.bias_button.setToolTip("What every head adds to its attention for the offset between two patches")
        self.bias_button.clicked.connect(self.bias_asked)
        self.bias_button.hide()
        self.buttons = FigureButtons(worker, self._figure, "positions", self)
        self._filler = QWidget()
        self._lay_out()
        self.kinds.activated.connect(self._chosen_kind)
        self.scales.activated.connect(self._redraw)
        for view in (self.single, self.mosaic):
            view.hovered.connect(lambda place, view=view: self._hovered(view, place))
            view.left.connect(self._left)
            view.clicked.connect(lambda place, view=view: self._clicked(view, place))
        pane.traced.connect(self.touch)
        pane.restyled.connect(self._redraw)
        pane.store.changed.connect(self._changed)
        worker.finished.connect(self._finished)
        self.set_colors(QColor("#1b1b1b"), QColor("#e4e4e4"))

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.kinds)
        top.addLayout(self._chips)
        top.addStretch(1)
        top.addWidget(self.scales)
        above = QWidget()
        row = QHBoxLayout(above)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.single, 1)
        row.addWidget(self.bar)
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.addWidget(above)
        self.split.addWidget(self.mosaic)
        self.split.setSizes([240, 420])
        below = QHBoxLayout()
        below.addWidget(self.caption, 1)
        below.addWidget(self.buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.text)
        layout.addWidget(self.bias_button, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addLayout(top)
        layout.addWidget(self.split, 1)
        layout.addWidget(self._filler, 1)
        layout.addLayout(below)

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours around the pictures and of their numbers."""
        for view in (self.single, self.mosaic):
            view.set_canvas(background, foreground)
        self._redraw()

    @property
    def shown(self) -> Positions | None:
        """The position embedding that is shown."""
        index = max(0, self.kinds.currentIndex())
        return self.found[index] if index < len(self.found) else None

    def refresh(self) -> None:
        """Read the positions of another model; another picture changes nothing about them."""
        opened = self._pane.opened
        if opened is None:
            return
        if self._opened is not None and self._opened.model is opened.model:
            self._opened = opened
            self._follow()
            self._redraw()
            return
        self._opened = opened
        self._show((), "Reading the position embedding…")
        model = opened.model

        def work(progress: Progress) -> object:
            from vitviz.embeddings.positions import positions_of, why_none
            from vitviz.embeddings.relative_bias import has_relative_position_bias

            biased = has_relative_position_bias(model.module)
            try:
                found = positions_of(model)
            except VitvizError as error:
                return model, (), str(error), biased
            return model, found, "" if found else f"No position embedding: {why_none(model)}", biased

        self._worker.submit(KIND, work)

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        if kind == KIND and self._opened is not None and result[0] is self._opened.model:
            self._show(*result[1:])
        elif kind == MOSAIC and result.positions is self.shown:
            self._take_grid(result)

    def _show(self, found: tuple[Positions, ...], words: str, biased: bool = False) -> None:
        self.found, self.grid, self._position, self.values, self._asked = found, None, None, None, ()
        with QSignalBlocker(self.kinds):
            self.kinds.clear()
            for each in found:
                self.kinds.addItem(_NAMES[each.kind])
        self.kinds.setVisible(len(found) > 1)
        self.bias_button.setVisible(biased)
        for widget in (self.scales, self.split, self.buttons, self.caption):
            widget.setVisible(bool(found))
        self._filler.setVisible(not found)
        self.text.setText(words)
        self._show_kind()

    @Slot()
    def _chosen_kind(self) -> None:
        self.grid, self._position, self.values, self._asked = None, None, None, ()
        self._show_kind()

    def _show_kind(self) -> None:
        shown = self.shown
        self._make_chips(tuple(shown.prefix) if shown else ())
        if shown is None:
            return
        self.text.setText(shown.text)
        rows, cols = shown.grid
        self.single.set_axes(
            shown.grid, [(i + 0.5, str(i)) for i in range(rows)], [(i + 0.5, str(i)) for i in range(cols)]
        )
        self._position = rows // 2, cols // 2
        self._follow()

    def _make_chips(self, tokens: tuple[str, ...]) -> None:
        while item := self._chips.takeAt(0):
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.chips.clear()
        for token in tokens:
            chip = QToolButton()
            chip.setText(token_name(token))
            chip.setCheckable(True)
            chip.setToolTip(f"The row of the position embedding that {token_name(token)} gets")
            chip.clicked.connect(lambda checked, token=token: self._chip_clicked(token, checked))
            self._chips.addWidget(chip)
            self.chips[token] = chip

    def _chip_clicked(self, token: str, checked: bool) -> None:
        self._pane.store.update(query=token if checked else None)
        self._follow()

    @Slot(object, object)
    def _changed(self, old: State, new: State) -> None:
        if not self.is_seen():
            self._stale = True
        elif (old.effective_query, old.layer, old.head) != (new.effective_query, new.layer, new.head):
            self._follow()

    def _cell_of(self, place: Place) -> tuple[int, int] | None:
        """The patch of the shown positions under a place of the picture."""
        shown, opened = self.shown, self._opened
        if shown is None or opened is None:
            return None
        view = opened.trace.view
        return Grid.over(view.size, *shown.grid).cell_at(*view.to_view(place.x, place.y))

    def _follow(self) -> None:
        """Show the query of the store; what has no position here leaves what is shown."""
        shown, state = self.shown, self._pane.store.state
        if shown is None:
            return
        query = state.effective_query
        if isinstance(query, Place):
            self._position = self._cell_of(query)
        elif isinstance(query, tuple):
            self._position = min(query[0], shown.grid[0] - 1), min(query[1], shown.grid[1] - 1)
        elif query in shown.prefix:
            self._position = query
        elif isinstance(self._position, str):
            self._position = shown.grid[0] // 2, shown.grid[1] // 2
        for token, chip in self.chips.items():
            chip.setChecked(token == state.query)
        layer, head = self._layer_and_head(shown)
        self._ask_grid(shown, layer, head)
        if self._position is None:
            return
        self.values = shown.row(self._position, layer=layer, head=head)
        self._draw_single()

    def _layer_and_head(self, shown: Positions) -> tuple[int, int | str]:
        state = self._pane.store.state
        if not shown.per_head:
            return 0, "mean"
        return max(0, state.layer), state.head if isinstance(state.head, int) else "mean"

    def _ask_grid(self, shown: Positions, layer: int, head: int | str) -> None:
        asked = (shown, layer, head)
        if self._asked == asked:
            return
        self._asked = asked

        def work(progress: Progress) -> _Grid:
            from vitviz.render.weights import step_for

            step = step_for(shown.grid)
            return _Grid(shown, layer, head, step, shown.some(step, layer=layer, head=head))

        self._worker.submit(MOSAIC, work)

    def _take_grid(self, made: _Grid) -> None:
        from vitviz.render.weights import grid_tiles

        self.grid, self._tiles = made, grid_tiles(made.values)
        tiles, rows, cols = self._tiles, made.values.shape[0], made.values.shape[1]
        first, step = made.step // 2, made.step
        self.mosaic.set_axes(
            tiles.size,
            [(tiles.box(i, 0)[1] + tiles.tile[0] / 2, str(first + i * step)) for i in range(rows)],
            [(tiles.box(0, i)[0] + tiles.tile[1] / 2, str(first + i * step)) for i in range(cols)],
        )
        self._redraw()

    def limits(self) -> tuple[float, float]:
        """The values at the two ends of the colours."""
        if self.scales.currentData() == "whole":
            return -1.0, 1.0
        values = self.grid.values if self.grid is not None else self.values
        return (float(values.min()), float(values.max())) if values is not None else (-1.0, 1.0)

    @Slot()
    def _redraw(self) -> None:
        if not self.is_seen():
            self._stale = True
            return
        if self.grid is not None:
            from vitviz.render.weights import grid_indices

            self.mosaic.show_indices(grid_indices(self.grid.values, self.limits()), self._colormap)
        self._draw_single()

    @property
    def _colormap(self) -> str:
        return self._pane.store.state.style.colormap

    def _draw_single(self) -> None:
        shown, position = self.shown, self._position
        if shown is None or position is None or self.values is None:
            return
        from vitviz.render.weights import map_indices

        limits = self.limits()
        self.single.show_indices(map_indices(self.values, limits), self._colormap)
        note = "fixed scale" if self.scales.currentData() == "whole" else "smallest to largest"
        self.bar.show_scale(self._colormap, limits, note, _QUANTITY.get(shown.kind, "cosine similarity"))
        self._mark(position)
        self.caption.setText(self._words(position))

    def _mark(self, position: tuple[int, int] | str) -> None:
        if isinstance(position, str):
            self.single.mark(None)
            self.mosaic.mark(None)
            return
        row, col = position
        self.single.mark(QRectF(col, row, 1, 1))
        if self.grid is None or self._tiles is None:
            return
        i, j = (min(at // self.grid.step, size - 1) for at, size in zip(position, self.grid.values.shape, strict=False))
        x, y, width, height = self._tiles.box(i, j)
        self.mosaic.mark(QRectF(x - 0.5, y - 0.5, width + 1, height + 1))

    def _words(self, position: tuple[int, int] | str, other: tuple[int, int] | None = None) -> str:
        shown = self.shown
        assert shown is not None and self.values is not None
        name = token_name(position) if isinstance(position, str) else f"patch ({position[0]}, {position[1]})"
        layer, head = self._layer_and_head(shown)
        which = f" · layer {layer}, {f'head {head}' if isinstance(head, int) else 'mean of heads'}"
        words = f"{name}{which if shown.per_head else ''}"
        if other is not None:
            return f"{words} with ({other[0]}, {other[1]}): {self.values[other]:.3f}"
        if self.grid is not None and self.grid.step > 1:
            words += f" · every {self.grid.step}th row and column"
        return words

    def _place_of(self, cell: tuple[int, int]) -> Place:
        shown, opened = self.shown, self._opened
        assert shown is not None and opened is not None
        view = opened.trace.view
        return Place(*view.to_picture(*Grid.over(view.size, *shown.grid).centre(*cell)))

    def _cell_at(self, view: AxedView, place: Place) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        """The position that a place of one of the pictures stands for, and the patch that it compares with."""
        shown = self.shown
        if shown is None:
            return None, None
        rows, cols = shown.grid
        if view is self.single:
            inside = 0 <= place.x < cols and 0 <= place.y < rows
            return ((int(place.y), int(place.x)) if inside else None), None
        found = self._tiles.at(place.x, place.y) if self._tiles is not None and self.grid is not None else None
        if found is None or self.grid is None:
            return None, None
        i, j, u, v = found
        cell = i * self.grid.step + self.grid.step // 2, j * self.grid.step + self.grid.step // 2
        return cell, (int(v * rows), int(u * cols))

    def _hovered(self, view: AxedView, place: Place) -> None:
        cell, other = self._cell_at(view, place)
        if cell is None:
            return
        if self._pane.store.state.query is None:
            self._pane.store.update(hover=self._place_of(cell))
        if self.values is not None and self._position is not None:
            self.caption.setText(self._words(self._position, other or cell))

    @Slot()
    def _left(self) -> None:
        self._pane.store.update(hover=None)

    def _clicked(self, view: AxedView, place: Place) -> None:
        cell, _ = self._cell_at(view, place)
        if cell is None:
            return
        pinned = self._pane.store.state.query
        same = isinstance(pinned, Place) and self._cell_of(pinned) == cell
        self._pane.store.update(query=None if same else self._place_of(cell))

    def _figure(self) -> tuple[str, Make, Mapping[str, Any]] | None:
        """The grid of grids as a page, with its recipe."""
        made, shown, opened = self.grid, self.shown, self._opened
        if made is None or shown is None or opened is None or made.positions is not shown:
            return None
        from vitviz.atomic import slug
        from vitviz.render.figure import Figure
        from vitviz.render.weights import grid_page, recipe_of

        limits, colormap = self.limits(), self._colormap
        color_table(colormap)
        first = made.step // 2
        numbers = tuple([first + i * made.step for i in range(n)] for n in made.values.shape[:2])
        figure = Figure(width=127.0, color_bar=True)
        label = _QUANTITY.get(shown.kind, "cosine similarity").capitalize()
        which = {"layer": made.layer, "head": made.head} if shown.per_head else {}
        what = {
            "method": "position similarity", "kind": shown.kind, "grid": list(shown.grid), "every": made.step,
            "limits": list(limits), "colormap": colormap, **which,
        }  # fmt: skip
        recipe = recipe_of(opened.model.identity, what, figure)
        name = slug(f"{opened.model.name} positions {shown.kind}")
        return (
            name,
            lambda: grid_page(
                made.values, limits, colormap, numbers=(numbers[0], numbers[1]), label=label, figure=figure
            ),
            recipe,
        )


def _label(wrap: bool = False) -> QLabel:
    label = QLabel(" ")
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(wrap)
    return label
