"""How the maps of two panes differ: the difference over the picture, and beside it their heads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QColor, QHideEvent, QShowEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSplitter, QWidget

from vitviz.errors import VitvizError
from vitviz.render.difference import DIVERGING, blended
from vitviz.render.scale import signed
from vitviz.ui.choice_box import choice_box
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.head_pairs_view import HeadPairsView
from vitviz.ui.jobs import Worker
from vitviz.ui.labels import plain_label
from vitviz.ui.pane_column import PaneColumn
from vitviz.ui.pane_title import model_text
from vitviz.ui.panes import Panes
from vitviz.ui.picture_view import PictureView
from vitviz.ui.wrapping import narrow

if TYPE_CHECKING:
    from vitviz.attention.comparison import Difference
    from vitviz.attention.head_pairs import HeadPair


class DifferenceView(QWidget):
    """The map of one pane less that of another; follows both while it is on the screen."""

    def __init__(self, panes: Panes, worker: Worker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._panes = panes
        self.difference: Difference | None = None
        self.first, self.second = (
            choice_box((), tip) for tip in ("The map that is taken from", "The map that is taken away")
        )
        for box in (self.first, self.second):
            box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            narrow(box, 6)
        self.view = PictureView(self)
        self.view.setAccessibleName("Difference of two maps over the picture")
        self.bar = ColorBar(self)
        self.bar.make_room_for_signs()
        self.numbers = plain_label("", wrap=True)
        self.heads = HeadPairsView(worker, self)
        self.heads.chosen.connect(self._choose)
        left = QWidget()
        grid = QGridLayout(left)
        grid.setContentsMargins(6, 4, 0, 4)
        boxes = QHBoxLayout()
        boxes.addWidget(self.first, 1)
        boxes.addWidget(self.second, 1)
        grid.addLayout(boxes, 0, 0, 1, 2)
        grid.addWidget(self.view, 1, 0)
        grid.addWidget(self.bar, 1, 1)
        grid.addWidget(self.numbers, 2, 0, 1, 2)
        grid.setRowStretch(1, 1)
        grid.setColumnStretch(0, 1)  # the bar takes no more than it needs, so that its words stay beside it
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(self.heads)
        split.setSizes([500, 500])
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(split)
        # Several panes change with one move of the mouse; the difference is drawn once.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._draw)
        for box in (self.first, self.second):
            box.activated.connect(self._touched)
        for pane in panes:
            self._add(pane)
        panes.added.connect(self._add)
        panes.added.connect(self._offer)
        panes.removed.connect(self._offer)

    def _add(self, column: PaneColumn) -> None:
        column.pane.map_changed.connect(self._touched)
        column.pane.traced.connect(self._offer)

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours of the theme."""
        self.view.set_colors(background)
        self.heads.set_colors(background, foreground)

    def pair(self) -> tuple[PaneColumn, PaneColumn] | None:
        """The two panes that are compared."""
        found = [
            next((c for c in self._panes if c.number == box.currentData()), None) for box in (self.first, self.second)
        ]
        return (found[0], found[1]) if found[0] is not None and found[1] is not None else None

    @Slot()
    def _offer(self, *_: object) -> None:
        """Name the panes in both boxes; the choice stays as far as the panes do."""
        for box, default in ((self.first, 0), (self.second, 1)):
            kept = box.currentData()
            box.clear()
            for i, column in enumerate(self._panes):
                name = model_text(column.pane.opened) if column.pane.opened else "…"
                box.addItem(f"{i + 1}: {name}", column.number)
            at = box.findData(kept) if kept is not None else -1
            box.setCurrentIndex(at if at >= 0 else min(default, len(self._panes) - 1))
        if self.first.currentData() == self.second.currentData() and len(self._panes) > 1:
            self.second.setCurrentIndex(1 if self.first.currentIndex() == 0 else 0)
        self._touched()

    @Slot()
    def _touched(self, *_: object) -> None:
        if self.isVisible():
            self._soon.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._offer()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._soon.stop()
        self.heads.stop()

    @Slot()
    def _draw(self) -> None:
        pair = self.pair()
        if pair is None or pair[0].pane.map is None or pair[1].pane.map is None or pair[0].pane.opened is None:
            return
        self.heads.compare(pair)
        from vitviz.attention.comparison import difference

        try:
            self.difference = difference(pair[0].pane.map, pair[1].pane.map)
        except VitvizError as error:
            self.difference = None
            self.view.clear()
            self.numbers.setText(str(error))
            return
        image, found = pair[0].pane.opened.image, self.difference
        if (self.view.extent.height(), self.view.extent.width()) != image.size:
            self.view.set_extent(*image.size)
        self.view.set_pixels(blended(image, found.values, found.largest))
        most = found.largest or 1.0  # equal maps differ by the middle of the scale, not by its end
        self.bar.show_scale(DIVERGING, (-most, most), "times uniform", "difference")
        same = "" if np.isfinite(found.correlation) else " (a map is constant)"
        self.numbers.setText(
            f"{self.first.currentText()} − {self.second.currentText()}, 1 = uniform attention · "
            f"Spearman ρ = {signed(f'{found.correlation:.3f}')}{same} · overlap {found.overlap:.3f}"
        )

    @Slot(object)
    def _choose(self, chosen: HeadPair) -> None:
        """Show a pair of heads; other links must not pull them apart."""
        pair = self.pair()
        if pair is None:
            return
        heads = (chosen.first, chosen.second)
        for column, (layer, head) in sorted(zip(pair, heads, strict=True), key=lambda p: not p[0].title.current):
            column.store.update(layer=layer, head=head, method="attention")
