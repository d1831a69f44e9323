"""How alike the network takes two places to be: the map of the hovered patch, and the grid of all such maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from vitviz.attention.values import Place
from vitviz.errors import VitvizError
from vitviz.models.layout import Grid
from vitviz.render.studies.positions import PositionStudy, make_grid, quantity
from vitviz.render.studies.study import Subject
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.labels import plain_label
from vitviz.ui.lazy import GIVEN_UP, LazyPanel
from vitviz.ui.newest import Newest
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.patch_link import PatchLink
from vitviz.ui.position_choices import PositionChoices
from vitviz.ui.position_grid import reading
from vitviz.ui.position_pictures import PositionPictures
from vitviz.ui.settings import Settings
from vitviz.ui.steady_label import SteadyLabel
from vitviz.ui.study_buttons import ShownStudy, StudyButtons
from vitviz.ui.wrapping import Wrapping

if TYPE_CHECKING:
    from vitviz.embeddings.positions import Positions

KIND, MOSAIC = "positions", "positions grid"


class PositionsPanel(LazyPanel):
    """Follows the query of the pane; hovering one of its pictures makes that patch the query.

    Reads the weights in the worker, once a model, and nothing at all while it is hidden. `bias_asked()` when the user
    wants to see the relative position bias of a network that has one.
    """

    bias_asked = Signal()

    def __init__(self, pane: Pane, worker: Worker, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane = pane
        self._job, self._grids = Newest(worker, KIND, self), Newest(worker, MOSAIC, self)
        self._link = PatchLink(pane)
        self._opened: Opened | None = None
        self._grid: Grid | None = None
        self.found: tuple[Positions, ...] = ()
        self._position: tuple[int, int] | str | None = None
        self._asked: tuple[object, ...] = ()
        self.values: np.ndarray | None = None
        self.text = plain_label(wrap=True)
        self.caption = SteadyLabel()  # its words change under the mouse
        self.choices = PositionChoices(self)
        self.kinds, self.scales, self.chips = self.choices.kinds, self.choices.scales, self.choices.chips
        self.pictures = PositionPictures(self)
        self.single, self.mosaic, self.bar = self.pictures.single, self.pictures.mosaic, self.pictures.bar
        self.bias_button = QPushButton("Show the relative bias")
        self.bias_button.setToolTip("What every head adds to its attention for the offset between two patches")
        self.bias_button.clicked.connect(self.bias_asked)
        self.bias_button.hide()
        self.buttons = StudyButtons(worker, settings, self._shown_study, "positions", self)
        self._filler = QWidget()
        self._lay_out()
        self.choices.kind_chosen.connect(self._chosen_kind)
        self.choices.scale_chosen.connect(self._redraw)
        self.pictures.hovered.connect(self._hovered)
        self.pictures.left.connect(self._link.leave)
        self.pictures.clicked.connect(self._clicked)
        self.pictures.unclicked.connect(self._link.unclick)
        self.chips.chosen.connect(self._chip_clicked)
        pane.traced.connect(self.touch)
        pane.restyled.connect(self._redraw)
        self.watch(pane, "effective_query", "layer", "head")
        self._job.finished.connect(self._finished)
        self._job.cancelled.connect(self._cancelled)
        self._grids.finished.connect(self._gridded)
        self._grids.cancelled.connect(self._ungridded)
        self.set_colors(QColor("#1b1b1b"), QColor("#e4e4e4"))

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.text)
        layout.addWidget(self.bias_button, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.choices)
        layout.addWidget(self.pictures, 1)
        layout.addWidget(self._filler, 1)
        layout.addLayout(Wrapping(self.caption, self.buttons))

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours around the pictures and of their numbers."""
        self.pictures.set_canvas(background, foreground)
        self._redraw()

    @property
    def shown(self) -> Positions | None:
        """The position embedding that is shown."""
        index = self.choices.index
        return self.found[index] if index < len(self.found) else None

    def refresh(self) -> None:
        """Read the positions of another model; another picture changes nothing about them."""
        opened = self._pane.opened
        if opened is None:
            return
        if self._opened is not None and self._opened.model is opened.model:
            self._opened = opened
            self.follow()
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

        self._job.submit(work)

    @Slot(object)
    def _finished(self, result: Any) -> None:
        if self._opened is not None and result[0] is self._opened.model:
            self._show(*result[1:])

    @Slot()
    def _cancelled(self) -> None:
        self._opened, self._stale = None, True
        self.text.setText(GIVEN_UP)

    @Slot(object)
    def _gridded(self, made: Any) -> None:
        if made.positions is self.shown:
            self.mosaic.take(made)
            self._redraw()

    @Slot()
    def _ungridded(self) -> None:
        self._asked, self._stale = (), True

    def _show(self, found: tuple[Positions, ...], words: str, biased: bool = False) -> None:
        self.found, self._position, self.values, self._asked = found, None, None, ()
        self.mosaic.forget()
        self.choices.offer(found)
        self.bias_button.setVisible(biased)
        for widget in (self.pictures, self.buttons, self.caption):
            widget.setVisible(bool(found))
        self._filler.setVisible(not found)
        self.text.setText(words)
        self._show_kind()

    @Slot()
    def _chosen_kind(self) -> None:
        self._position, self.values, self._asked = None, None, ()
        self.mosaic.forget()
        self._show_kind()

    def _show_kind(self) -> None:
        shown = self.shown
        self.chips.show_tokens(tuple(shown.prefix) if shown else ())
        if shown is None:
            return
        self.text.setText(shown.text)
        rows, cols = shown.grid
        self._grid = self._link.over(shown.grid)
        self.pictures.set_shape(shown.grid)
        self._position = rows // 2, cols // 2
        self.follow()

    @Slot(str, bool)
    def _chip_clicked(self, token: str, on: bool) -> None:
        self._pane.store.update(query=token if on else None)
        self.follow()

    def follow(self) -> None:
        """Show the query of the store; what has no position here leaves what is shown."""
        shown, state = self.shown, self._pane.store.state
        if shown is None:
            return
        query = state.effective_query
        if isinstance(query, Place):
            self._position = None if self._grid is None else self._link.cell_of(query, self._grid)
        elif isinstance(query, tuple):
            self._position = min(query[0], shown.grid[0] - 1), min(query[1], shown.grid[1] - 1)
        elif query in shown.prefix:
            self._position = query
        elif isinstance(self._position, str):
            self._position = shown.grid[0] // 2, shown.grid[1] // 2
        self.chips.check(state.query)
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
        self._grids.submit(lambda progress: make_grid(shown, layer, head))

    def limits(self) -> tuple[float, float]:
        """The values at the two ends of the colours."""
        if self.choices.whole:
            return -1.0, 1.0
        values = self.mosaic.made.values if self.mosaic.made is not None else self.values
        return (float(values.min()), float(values.max())) if values is not None else (-1.0, 1.0)

    @Slot()
    def _redraw(self) -> None:
        if not self.is_seen():
            self._stale = True
            return
        self.mosaic.draw(self.limits(), self._colormap)
        self._draw_single()

    @property
    def _colormap(self) -> str:
        return self._pane.store.state.style.colormap

    def _draw_single(self) -> None:
        shown, position = self.shown, self._position
        if shown is None or position is None or self.values is None:
            return
        limits = self.limits()
        self.pictures.draw_single(self.values, limits, self._colormap)
        note = "fixed scale" if self.choices.whole else "smallest to largest of the grid"
        self.bar.show_scale(self._colormap, limits, note, quantity(shown.kind))
        self.pictures.mark(position)
        self.caption.setText(self._words(position))

    def _words(self, position: tuple[int, int] | str, other: tuple[int, int] | None = None) -> str:
        shown = self.shown
        assert shown is not None and self.values is not None
        value = None if other is None else (other, float(self.values[other]))
        return reading(shown, *self._layer_and_head(shown), self.mosaic.made, position, value)

    @Slot(object, object)
    def _hovered(self, cell: tuple[int, int], other: tuple[int, int] | None) -> None:
        if self._grid is None:
            return
        self._link.hover(cell, self._grid)
        if self.values is not None and self._position is not None:
            self.caption.setText(self._words(self._position, other or cell))

    @Slot(object)
    def _clicked(self, cell: tuple[int, int] | None) -> None:
        if self._grid is not None:
            self._link.click(cell, self._grid)

    def _shown_study(self) -> ShownStudy | None:
        """The grid of grids."""
        made, opened, shown = self.mosaic.made, self._opened, self.shown
        if made is None or opened is None or shown is None or made.positions is not shown:
            return None
        study = PositionStudy(shown.kind, self.limits(), self._colormap, made.layer, made.head)
        return ShownStudy(study, Subject(opened.model), made)

    def show_study(self, study: PositionStudy) -> None:
        """Show what an exported figure shows, once the positions of the model are read."""
        self._pane.store.update(layer=study.layer, head=study.head, colormap=study.colormap)
        self.choices.wish(study.kind, study.limits == (-1.0, 1.0))
        opened = self._pane.opened
        if self.found and self._opened is not None and opened is not None and self._opened.model is opened.model:
            self.choices.offer(self.found)
            self._chosen_kind()
