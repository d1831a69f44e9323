"""The atlas: every head of every layer for the query under the mouse, as one picture that follows live."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, QRectF, Signal, Slot
from PySide6.QtGui import QColor, QHideEvent, QPainterPath, QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from vitviz.attention.values import Place
from vitviz.render.mosaic import Mosaic, table, tiles_for
from vitviz.render.titles import layer_text
from vitviz.ui.atlas_labels import AtlasLabels
from vitviz.ui.elided_label import ElidedLabel
from vitviz.ui.lazy import LazyPanel
from vitviz.ui.magnifier import Magnifier
from vitviz.ui.marks import cross_items, frame_item, set_frame
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.picture_view import PictureView
from vitviz.ui.words import heads_text, weight_text


class AtlasPanel(LazyPanel):
    """Rows are layers, columns heads; a click chooses, hovering enlarges, a right click switches the head (or, on the
    number of a row, the layer) off or on. `drawn()` after every new drawing, `pointed(layer, head)` when another tile
    is under the mouse, (-1, -1) where there is none."""

    drawn = Signal()
    pointed = Signal(int, int)

    def __init__(self, pane: Pane, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane = pane
        self._mosaic: Mosaic | None = None
        self._background, self._foreground = QColor("#1b1b1b"), QColor("#e4e4e4")
        self._pointed: tuple[int, int] | None = None
        self._order: list[np.ndarray] | None = None
        self._ordered_by = ""
        self.view = PictureView(self)
        self.view.setAccessibleName("Heads: rows are layers, columns are heads")
        self.labels = AtlasLabels(self.view, self._foreground)
        self._off = cross_items(self.view.box)
        self._edge = frame_item(self.view.box, (0, 0, 0), 5.0)
        self._frame = frame_item(self.view.box, (255, 80, 60), 2.5)
        self._hint = frame_item(self.view.box, (255, 200, 60), 2.5)
        self.title = ElidedLabel(fills=True)
        self.caption = ElidedLabel(fills=True)
        self.lens = Magnifier(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.title)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.caption)
        self.view.hovered.connect(self._hovered)
        self.view.left.connect(self._mouse_gone)
        self.view.clicked.connect(self._clicked)
        self.view.right_clicked.connect(self._right_clicked)
        pane.store.changed.connect(self._cross_out)
        pane.traced.connect(self._traced)
        pane.maps_changed.connect(self.draw)
        pane.restyled.connect(self.draw)
        pane.map_changed.connect(self._chosen)

    @Slot(object, str)
    def set_order(self, order: list[np.ndarray] | None, title: str) -> None:
        """Show the heads of each layer in this order, from the left, by what `title` names; None: by their numbers."""
        if order is None and self._order is None:
            return
        self._order, self._ordered_by = order, title
        if self._mosaic is not None:
            self._label()
            self._cross_out()
            self.draw()
            self._chosen()

    def _column(self, layer: int, head: int) -> int:
        """The column in which a head is shown."""
        return head if self._order is None else int(np.flatnonzero(self._order[layer] == head)[0])

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours of the panel, which the gaps between the tiles take too."""
        self._background, self._foreground = background, foreground
        self.view.set_colors(background)
        self.labels.set_color(foreground)
        self.draw()

    def tile_center(self, layer: int, head: int) -> QPoint:
        """The point of the picture widget where a tile is drawn."""
        assert self._mosaic is not None
        x, y, width, height = self._mosaic.tiles.box(layer, self._column(layer, head))
        return self.view.position_of(Place(x + width / 2, y + height / 2)).toPoint()

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        layers = opened.trace.layers
        self._pointed = None
        self._order = None
        self.point_at(-1, -1)
        self.lens.hide()
        self._mosaic = Mosaic(tiles_for([layer.query_grid.shape for layer in layers], [n.num_heads for n in layers]))
        self._label()
        self._cross_out()
        self.lens.look_at(opened)

    @Slot()
    def _cross_out(self) -> None:
        """Cross out the heads that are switched off."""
        if self._mosaic is None:
            return
        tiles, path = self._mosaic.tiles, QPainterPath()
        for layer, head in self._pane.store.state.ablation.within(tiles.heads).heads:
            x, y, width, height = tiles.box(layer, self._column(layer, head))
            path.moveTo(x, y)
            path.lineTo(x + width, y + height)
            path.moveTo(x + width, y)
            path.lineTo(x, y + height)
        for item in self._off:
            item.setPath(path)

    def _label(self) -> None:
        """Number the rows and columns, and say what they are."""
        assert self._mosaic is not None
        self.labels.name(self._mosaic.tiles, self._pane.store.reality.titles, self._ordered_by if self._order else "")

    @Slot()
    def draw(self) -> None:
        """Draw all tiles again, after the maps or the style changed."""
        maps = self._pane.maps
        if maps is None or self._mosaic is None:
            return
        if not self.is_seen():
            # Behind another tab it would cost every mouse move a third of a frame for nothing.
            self._stale = True
            return
        style = self._pane.store.state.style
        values = maps.values
        if self._order is not None:
            values = tuple(each[order] for each, order in zip(values, self._order, strict=True))
        indices = self._mosaic.draw(values, style.limits)
        background = (self._background.red(), self._background.green(), self._background.blue())
        height, width = indices.shape
        self.view.set_pixels(indices, (0.0, 0.0, width, height), lut=table(style.colormap, background), levels=(0, 255))
        if self.lens.isVisible():
            self.lens.refresh()
        self._say()
        self.drawn.emit()

    def refresh(self) -> None:
        """Draw what was missed while another tab was in front."""
        self.draw()

    def _say(self) -> None:
        """Under the atlas: the head under the mouse, or what the colours are shared over."""
        maps, opened = self._pane.maps, self._pane.opened
        if maps is not None:
            self.title.setText(heads_text(maps, self._pane.store.state))
        if self._pointed is not None and maps is not None and opened is not None:
            layer, head = self._pointed
            largest = weight_text(float(maps.values[layer][head].max()))
            name = opened.trace.layers[layer].name
            title = opened.trace.layers[layer].title
            self.caption.setText(f"{layer_text(layer, title)} head {head} · largest weight {largest} · {name}")
            return
        words = {"map": "each head has its own scale", "layer": "each layer has one scale", "all": "one scale for all"}
        self.caption.setText(f"Colours: {words.get(str(self._pane.store.state.style.limits), 'fixed scale')}")

    @Slot()
    def _chosen(self) -> None:
        if self._mosaic is None or self._pane.map is None:
            return
        self._say()
        chosen = self._pane.map.selection
        if chosen.method != "attention":  # it is of no one tile
            set_frame(self._edge, None)
            set_frame(self._frame, None)
            return
        tiles = self._mosaic.tiles
        column = self._column(chosen.layer, chosen.head) if isinstance(chosen.head, int) else 0
        x, y, width, height = tiles.box(chosen.layer, column)
        gap = tiles.gap / 2
        one = QRectF(x - gap / 2, y - gap / 2, width + gap, height + gap)
        right = tiles.box(chosen.layer, tiles.heads[chosen.layer] - 1)[0] + width
        whole = QRectF(-gap, y - gap, right + 2 * gap, height + 2 * gap)
        single = isinstance(chosen.head, int)
        set_frame(self._edge, one if single else None)
        set_frame(self._frame, one if single else whole)

    @Slot(int, int)
    def point_at(self, layer: int, head: int) -> None:
        """Frame the tile of a head that another panel points at, or none with -1."""
        known = self._mosaic is not None and 0 <= layer < len(self._mosaic.tiles.heads)
        if not known or self._mosaic is None:
            set_frame(self._hint, None)
            return
        x, y, width, height = self._mosaic.tiles.box(layer, self._column(layer, head))
        set_frame(self._hint, QRectF(x, y, width, height))

    def _at(self, place: Place) -> tuple[int, int] | None:
        found = self._mosaic.tiles.at(place.x, place.y) if self._mosaic else None
        if found is None:
            return None
        layer, column = found[:2]
        return layer, column if self._order is None else int(self._order[layer][column])

    @Slot(object)
    def _hovered(self, place: Place) -> None:
        before, self._pointed = self._pointed, self._at(place) if self._pane.maps is not None else None
        if self._pointed != before:
            self.pointed.emit(*(self._pointed or (-1, -1)))
        if self._pointed is None:
            self.lens.hide()
        else:
            self.lens.show_head(self._pane, *self._pointed, self.view.position_of(place).toPoint())
        self._say()

    @Slot()
    def _mouse_gone(self) -> None:
        self._pointed = None
        self.pointed.emit(-1, -1)
        self.lens.hide()
        self._say()

    @Slot(object)
    def _clicked(self, place: Place) -> None:
        if (tile := self._at(place)) is not None:
            self._pane.store.update(layer=tile[0], head=tile[1], method="attention")

    @Slot(object)
    def _right_clicked(self, place: Place) -> None:
        tiles = self._mosaic.tiles if self._mosaic else None
        if tiles is None or self._pane.opened is None:
            return
        store = self._pane.store
        if (tile := self._at(place)) is not None:
            store.update(ablation=store.state.ablation.toggled([tile]))
        elif place.x < 0 <= place.y:
            layer = int(place.y // (tiles.tile[0] + tiles.gap))
            if layer < len(tiles.heads):
                store.update(ablation=store.state.ablation.toggled((layer, h) for h in range(tiles.heads[layer])))

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.lens.hide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.labels.write()
        self.view.fit()
