"""The filters by which pixels become tokens: their principal components, or all of them, as tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QRectF, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vitviz.attention.values import Place
from vitviz.errors import VitvizError
from vitviz.render.mosaic import Tiles
from vitviz.render.studies.filters import FilterStudy
from vitviz.render.studies.study import Subject
from vitviz.ui.choice_box import choice_box
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.labels import plain_label
from vitviz.ui.lazy import GIVEN_UP, LazyPanel
from vitviz.ui.marks import frame_item, set_frame
from vitviz.ui.newest import Newest
from vitviz.ui.pane import Pane
from vitviz.ui.picture_view import PictureView
from vitviz.ui.settings import Settings
from vitviz.ui.study_buttons import ShownStudy, StudyButtons
from vitviz.ui.wrapping import Wrapping, narrow

if TYPE_CHECKING:
    from vitviz.embeddings.filters import Components, Filters
    from vitviz.models.model import Model

KIND = "filters"
CHOICES = (("First 28 principal components", "components"), ("All filters", "filters"))


class FiltersPanel(LazyPanel):
    """Tiles in reading order; the one under the mouse is named with its share of the variance, or its size."""

    def __init__(self, pane: Pane, worker: Worker, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane, self._job = pane, Newest(worker, KIND, self)
        self._model: Model | None = None
        self.filters: Filters | None = None
        self.components: Components | None = None
        self.tiles: Tiles | None = None
        self._background = QColor("#1b1b1b")
        self.text, self.caption = plain_label(wrap=True), plain_label(wrap=True)
        self.choice = choice_box(
            CHOICES,
            "What the tiles are: principal components over all filters, or the filters themselves",
            name="Components or all filters",
        )
        self.view = PictureView(self)
        self.view.setAccessibleName("Patch embedding filters")
        self._frame = frame_item(self.view.box, (255, 80, 60), 2.0)
        self.buttons = StudyButtons(worker, settings, self._shown, "filters", self)
        narrow(self.choice)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.text)
        layout.addWidget(self.choice)
        layout.addWidget(self.view, 1)
        layout.addLayout(Wrapping(self.caption, self.buttons))
        self.choice.activated.connect(self._redraw)
        self.view.hovered.connect(self._hovered)
        self.view.left.connect(self._left)
        pane.traced.connect(self.touch)
        self._job.finished.connect(self._finished)
        self._job.cancelled.connect(self._cancelled)

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours between the tiles."""
        self._background = background
        self.view.set_colors(background)
        self._redraw()

    def refresh(self) -> None:
        """Read the filters of another model; another picture changes nothing about them."""
        opened = self._pane.opened
        if opened is None or opened.model is self._model:
            self._redraw()
            return
        self._model = model = opened.model
        self._show(None, None, "Reading the filters…")

        def work(progress: Progress) -> object:
            from vitviz.embeddings.filters import patch_filters

            try:
                filters = patch_filters(model)
                return model, filters, filters.components(), filters.text
            except VitvizError as error:
                return model, None, None, str(error)

        self._job.submit(work)

    @Slot(object)
    def _finished(self, result: Any) -> None:
        if result[0] is self._model:
            self._show(*result[1:])

    @Slot()
    def _cancelled(self) -> None:
        self._model, self._stale = None, True
        self.text.setText(GIVEN_UP)

    def _show(self, filters: Filters | None, components: Components | None, words: str) -> None:
        self.filters, self.components = filters, components
        self.text.setText(words)
        for widget in (self.choice, self.view, self.caption, self.buttons):
            widget.setVisible(filters is not None)
        self._redraw()

    @property
    def _of_components(self) -> bool:
        return self.choice.currentData() == "components"

    def _kernels(self) -> np.ndarray | None:
        if self.filters is None or self.components is None:
            return None
        return self.components.tiles if self._of_components else self.filters.kernels

    @Slot()
    def _redraw(self) -> None:
        kernels = self._kernels()
        if kernels is None:
            return
        if not self.is_seen():
            self._stale = True
            return
        from vitviz.render.weights import filter_pixels, filter_tiles, tile_colors

        color = self._background
        pixels = filter_pixels(tile_colors(kernels), (color.red(), color.green(), color.blue()))
        tiles = filter_tiles(len(kernels), kernels.shape[2:])
        if tiles != self.tiles:
            self.tiles = tiles
            self.view.set_extent(*tiles.size)
        self.view.set_pixels(pixels)
        self._left()

    def _index_at(self, place: Place) -> int | None:
        found = self.tiles.at(place.x, place.y) if self.tiles is not None else None
        if found is None or self.tiles is None:
            return None
        return found[0] * max(self.tiles.heads) + found[1]

    @Slot(object)
    def _hovered(self, place: Place) -> None:
        index = self._index_at(place)
        if index is None or self.tiles is None:
            self._left()
            return
        x, y, width, height = self.tiles.box(*divmod(index, max(self.tiles.heads)))
        set_frame(self._frame, QRectF(x, y, width, height))
        self.caption.setText(self.words(index))

    @Slot()
    def _left(self) -> None:
        set_frame(self._frame, None)
        self.caption.setText(self.words(None))

    def words(self, index: int | None) -> str:
        """What is said about a tile, or about all of them."""
        if self.filters is None or self.components is None:
            return " "
        shares = self.components.explained
        if not self._of_components:
            if index is None:
                return f"{len(self.filters.kernels)} filters, each on its own scale, 0 is grey"
            kernel = self.filters.kernels[index]
            return f"filter {index} · norm {float(np.linalg.norm(kernel)):.3f} · largest {float(abs(kernel).max()):.3f}"
        if index is None:
            return f"{len(shares)} components explain {shares.sum():.1%} of the variance of the filters"
        return f"component {index} · {shares[index]:.2%} of the variance, {shares[: index + 1].sum():.1%} up to here"

    def _shown(self) -> ShownStudy | None:
        if self._model is None or self.filters is None or self.components is None:
            return None
        study = FilterStudy(self.choice.currentData())
        return ShownStudy(study, Subject(self._model), (self.filters, self.components))

    def show_study(self, study: FilterStudy) -> None:
        """Show what an exported figure shows."""
        self.choice.setCurrentIndex(self.choice.findData(study.shown))
        self._redraw()
