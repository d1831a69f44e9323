"""The chosen map over its picture, large, with its colour bar."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QRectF, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from vitviz.attention.methods import about
from vitviz.attention.values import Place
from vitviz.images import Image
from vitviz.render.overlay import Canvas
from vitviz.render.scale import note_of
from vitviz.render.sequence import token_name
from vitviz.render.threshold import mass_mask
from vitviz.render.titles import map_text
from vitviz.ui.ablation_badge import AblationBadge
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.elided_label import ElidedLabel
from vitviz.ui.marks import MouseFrame, Pin, cell_rect, cross_item, cross_path, grid_path
from vitviz.ui.opening import LARGEST
from vitviz.ui.pane import Pane
from vitviz.ui.picture_view import PictureView
from vitviz.ui.steady_label import SteadyLabel
from vitviz.ui.window_marks import WindowItems
from vitviz.ui.words import window_text

_NARROW = 230  # pixels; a view that is less wide has its colour bar below
_TITLED = 420  # and one that is less wide has its title and note on two lines each
_LEGEND = (
    "White: the window that the query looks within. Orange: the seam, beyond which it goes on at the other border. "
    "Hatched: keys that the mask shuts out."
)


class MapView(QWidget):
    """Draws the pane's map with the same function that draws the file, and over it the lines of windows.

    `drawn()` after every new drawing, `laid_out()` when the words over the picture may need another height.
    """

    drawn = Signal()
    laid_out = Signal()

    def __init__(self, pane: Pane, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane = pane
        self.canvas: Canvas | None = None
        self.limits = (0.0, 1.0)  # of what is drawn
        self.title = ElidedLabel("Drop a picture or a checkpoint here, or take a sample from the File menu", fills=True)
        self.title.setObjectName("map-title")
        self.note = ElidedLabel(fills=True)
        self.note.setObjectName("map-note")
        self.window_note = SteadyLabel()
        self.window_note.setObjectName("map-window")
        self.window_note.hide()
        self._partitioned = False
        self.view = PictureView(self)
        self.view.setAccessibleName("Map over the picture")
        self.under_mouse, self.pin = MouseFrame(self.view.box), Pin(self.view.box)
        self._windows = WindowItems(self.view.box)
        self._cross = cross_item(self.view.box)
        self._grid = pg.QtWidgets.QGraphicsPathItem()
        self._grid.setPen(pg.mkPen(255, 255, 255, 90, width=1, cosmetic=True))
        self._grid.hide()
        self.view.box.addItem(self._grid)
        self.bar = ColorBar(self)
        self.bar.hide()
        bold = self.title.font()
        bold.setBold(True)
        self.title.setFont(bold)
        self.setMinimumWidth(200)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.title)
        words.addWidget(self.note)
        self.badge = AblationBadge(pane, self)
        words.addWidget(self.badge)
        words.addWidget(self.window_note)
        words.addStretch(1)  # of the room that is kept for words of other panes
        layout = QGridLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(6)
        layout.addLayout(words, 0, 0, 1, 2)
        layout.addWidget(self.view, 1, 0)
        layout.addWidget(self.bar, 1, 1)
        layout.setColumnStretch(0, 1)
        layout.setRowStretch(1, 1)
        self._layout, self._words = layout, words
        pane.traced.connect(self._traced)
        pane.map_changed.connect(self.draw)
        pane.restyled.connect(self.draw)
        pane.store.changed.connect(self._entitle)

    def show_grid(self, visible: bool) -> None:
        """Draw the patch grid of the layer over the map, or not."""
        self._grid.setVisible(visible)

    def mark(self, rect: QRectF | None) -> None:
        """Frame the patch under the mouse, in pixels of the picture."""
        self.under_mouse.show(rect)

    def point_at(self, place: Place | None) -> None:
        """Draw a crosshair at a place of the picture, where another pane has the mouse."""
        self._cross.setVisible(place is not None)
        if place is not None:
            self._cross.setPath(cross_path(place.x, place.y, self.view.extent))

    @Slot(object, object)
    def show_picture(self, image: Image, pixels: np.ndarray) -> None:
        """Show a picture (h, w, 3) uint8 alone, as long as there is no map of it."""
        if self._pane.opened is None:
            self.view.set_extent(*image.size)
            self.view.set_pixels(pixels)

    @Slot(object)
    def _traced(self, opened: object) -> None:
        shown = self._pane.opened
        assert shown is not None
        height, width = shown.image.size
        self.canvas = Canvas.for_screen(shown.image, shown.trace.view, LARGEST)
        self.view.set_extent(height, width)
        self.bar.show()
        # Its line is kept for all layers of a network with windows, so that the picture does not jump.
        self.window_note.setVisible(any(layer.windows is not None for layer in shown.trace.layers))

    @Slot()
    def draw(self) -> None:
        """Draw the map again, after it or its style changed."""
        shown, opened = self._pane.map, self._pane.opened
        if shown is None or opened is None or self.canvas is None:
            return
        style, common = self._pane.store.state.style, self._pane.common_limits()
        self.limits = common or self._pane.own_limits()
        # Lines that Qt draws have one width at every zoom.
        self.view.set_pixels(
            self.canvas.draw(shown, replace(style, show_window=False, show_partition=False), self.limits)
        )
        self._windows.show(shown, style)
        self._grid.setPath(grid_path(shown.grid, shown.view))
        # Its lines must not be taken for the contour of the mass.
        self._grid.setOpacity(0.4 if style.threshold > 0 else 1.0)
        method = about(shown)
        scale: object = "zero" if not method.of_head and style.limits in ("layer", "all") else style.limits
        scale = "panes" if common else scale
        self.bar.show_scale(style.colormap, self.limits, note_of(scale, self.limits), method.unit)
        self._entitle()
        chosen = shown.selection
        notes = [f"{shown.layer_name}", f"{shown.grid.rows} x {shown.grid.cols} patches"]
        if shown.prefix_weights and chosen.direction == "from" and method.unit != "relevance":
            notes.append(
                "on " + ", ".join(f"{token_name(k)} {v:.3f}" for k, v in list(shown.prefix_weights.items())[:5])
            )
        if shown.padding_mass >= 0.0005:
            notes.append(f"on padding {shown.padding_mass:.3f}")
        if style.threshold > 0:
            held = int(mass_mask(shown.values, style.threshold).sum())
            notes.append(f"{held} of {shown.values.size} patches hold {100 * style.threshold:.0f} %")
        if shown.note:
            notes.append(shown.note)
        self.note.setText(" · ".join(notes))
        self._keep_lines()
        words = window_text(shown)
        if words and style.show_partition:
            words += " · lines: windows of this layer"
            if shown.neighbour_layer is not None:
                words += f", dashed: of layer {shown.neighbour_layer}"
        self.window_note.setText(words[:1].upper() + words[1:])
        if style.show_partition != self._partitioned:
            self._partitioned = style.show_partition
            self.window_note.forget()
        self.window_note.setToolTip(_LEGEND if words else "")
        self.drawn.emit()

    @Slot()
    def _entitle(self) -> None:
        shown, opened = self._pane.map, self._pane.opened
        if shown is None:
            return
        chosen, pinned = shown.selection, self._pane.is_pinned()
        cell = shown.query_cell if pinned and self._pane.store.state.style.show_query else None
        self.pin.show_at(None if cell is None else cell_rect(shown.grid, shown.view, cell))
        label = "" if chosen.target is None or opened is None else opened.trace.label(chosen.target)
        self.title.setText(map_text(shown, label) + (" · pinned" if pinned else ""))

    def words_height(self) -> int:
        """How high the words over the picture are at the width of now."""
        if not self._words.hasHeightForWidth():
            return self._words.totalSizeHint().height()
        margins = self._layout.contentsMargins()
        return self._words.totalHeightForWidth(self.width() - margins.left() - margins.right())

    def keep_words(self, height: int) -> None:
        """Let the picture begin below so many pixels of words, or below its own where they are higher."""
        if height != self._layout.rowMinimumHeight(0):
            self._layout.setRowMinimumHeight(0, height)

    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            self.laid_out.emit()
        return handled

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._keep_lines()
        lying = event.size().width() < _NARROW
        if lying != self.bar.lying:
            self.bar.lie(lying)
            self._layout.addWidget(self.bar, *((2, 0) if lying else (1, 1)))

    def _keep_lines(self) -> None:
        """A sentence in the note has a line of its own; with heads off it is kept for all, so that nothing jumps."""
        shown, narrow = self._pane.map, self.width() < _TITLED
        self.title.set_lines(2 if narrow else 1)
        self.note.set_lines(2 if narrow or (shown is not None and (shown.note or shown.ablation)) else 1)

    def announce(self, text: str) -> None:
        """Say what is being done as long as there is no map yet."""
        if self._pane.map is None:
            self.title.setText(text)
