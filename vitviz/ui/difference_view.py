"""How the maps of two panes differ: the difference over the picture, and the heads that changed or go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QColor, QHideEvent, QShowEvent
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QListWidget, QSplitter, QWidget

from vitviz.errors import VitvizError
from vitviz.render.difference import DIVERGING, blended
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.pane_title import model_text
from vitviz.ui.panes import PaneColumn, Panes
from vitviz.ui.picture_view import PictureView

if TYPE_CHECKING:
    from vitviz.attention.comparison import Difference, HeadPair

KIND = "heads of two"
_SETTLED_MS = 250  # heads are matched once the mouse rests
_MOST = 200


class DifferenceView(QWidget):
    """The map of one pane less that of another; follows both while it is on the screen."""

    def __init__(self, panes: Panes, worker: Worker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._panes, self._worker = panes, worker
        self.difference: Difference | None = None
        self.pairs: list[HeadPair] = []
        self.changed: list[np.ndarray] = []
        self._asked: tuple[Any, Any] = (None, None)
        self.first, self.second = (_box(text) for text in ("The map that is taken from", "The map that is taken away"))
        self.view = PictureView(self)
        self.view.setAccessibleName("Difference of two maps over the picture")
        self.bar = ColorBar(self)
        # Half of its numbers are negative.
        self.bar.setFixedWidth(self.bar.sizeHint().width() + self.fontMetrics().horizontalAdvance("--"))
        self.numbers, self.title = QLabel(), QLabel()
        for label in (self.numbers, self.title):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
        self.heads = QListWidget()
        self.heads.setAccessibleName("Heads of the two models")
        self.heads.itemClicked.connect(self._choose)
        self.heads.itemActivated.connect(self._choose)
        left, right = QWidget(), QWidget()
        grid = QGridLayout(left)
        grid.setContentsMargins(6, 4, 0, 4)
        grid.addWidget(self.first, 0, 0)
        grid.addWidget(self.second, 0, 1)
        grid.addWidget(self.view, 1, 0, 1, 2)
        grid.addWidget(self.bar, 1, 2)
        grid.addWidget(self.numbers, 2, 0, 1, 3)
        grid.setRowStretch(1, 1)
        for at in (0, 1):  # the bar takes no more than it needs, so that its words stay beside it
            grid.setColumnStretch(at, 1)
        column = QGridLayout(right)
        column.setContentsMargins(6, 4, 6, 4)
        column.addWidget(self.title, 0, 0)
        column.addWidget(self.heads, 1, 0)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(right)
        split.setSizes([600, 300])
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(split)
        # Several panes change with one move of the mouse; the difference is drawn once.
        self._soon, self._later = QTimer(self, singleShot=True, interval=0), QTimer(self, singleShot=True)
        self._later.setInterval(_SETTLED_MS)
        self._soon.timeout.connect(self._draw)
        self._later.timeout.connect(self._ask_heads)
        for box in (self.first, self.second):
            box.activated.connect(self._touched)
        for pane in panes:
            self._add(pane)
        panes.added.connect(self._add)
        panes.added.connect(self._offer)
        panes.removed.connect(self._offer)
        worker.finished.connect(self._finished)
        worker.failed.connect(self._failed)

    def _add(self, column: PaneColumn) -> None:
        column.pane.map_changed.connect(self._touched)
        column.pane.traced.connect(self._offer)

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours of the theme."""
        self.view.set_colors(background)

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
            self._later.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._offer()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._soon.stop()
        self._later.stop()
        self._worker.cancel(KIND)

    @Slot()
    def _draw(self) -> None:
        pair = self.pair()
        if pair is None or pair[0].pane.map is None or pair[1].pane.map is None or pair[0].pane.opened is None:
            return
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
        self.bar.show_scale(DIVERGING, (-found.largest, found.largest), "times uniform", "difference")
        same = "" if np.isfinite(found.correlation) else " (a map is constant)"
        self.numbers.setText(
            f"{self.first.currentText()} − {self.second.currentText()}, 1 = uniform attention · "
            f"Spearman ρ = {found.correlation:.3f}{same} · overlap {found.overlap:.3f}"
        )

    @Slot()
    def _ask_heads(self) -> None:
        pair = self.pair()
        if pair is None:
            return
        first, second = (column.pane for column in pair)
        if None in (first.maps, second.maps, first.opened, second.opened):
            return
        if (first.maps, second.maps) == self._asked or first.maps is None or second.maps is None:
            return
        self._asked = maps = (first.maps, second.maps)
        traces = tuple(pane.opened.trace for pane in (first, second) if pane.opened is not None)

        def work(progress: Progress) -> tuple[Any, list[np.ndarray], list[HeadPair]]:
            from vitviz.attention.comparison import changed_heads, match_heads

            shapes = [[v.shape for v in m.values] for m in maps]
            if shapes[0] == shapes[1] and traces[0].view == traces[1].view:
                return maps, changed_heads(*maps), []
            looked_at = maps[0].direction == "from"
            grids = [[layer.grid if looked_at else layer.query_grid for layer in trace.layers] for trace in traces]
            return maps, [], match_heads(*maps, (grids[0], grids[1]), (traces[0].view, traces[1].view))

        self._worker.submit(KIND, work)

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        if kind != KIND or result[0] != self._asked:
            return
        _, self.changed, self.pairs = result
        self.heads.clear()
        if self.changed:
            self.title.setText("Heads that changed for this query, most first (0 = the same row, 1 = nothing shared)")
            every = [(float(v), layer, head) for layer, row in enumerate(self.changed) for head, v in enumerate(row)]
            for value, layer, head in sorted(every, key=lambda e: -e[0])[:_MOST]:
                self._list(f"{value:.3f}   L{layer} H{head}", (layer, head), (layer, head))
        else:
            self.title.setText("Heads that go together for this query, by overlap of their maps (assignment)")
            for p in self.pairs[:_MOST]:
                names = "  ↔  ".join(f"L{layer} H{head}" for layer, head in (p.first, p.second))
                self._list(f"{p.overlap:.3f}   {names}", p.first, p.second)

    def _list(self, text: str, first: tuple[int, int], second: tuple[int, int]) -> None:
        self.heads.addItem(text)
        item = self.heads.item(self.heads.count() - 1)
        item.setData(Qt.ItemDataRole.UserRole, (first, second))
        names = " and ".join(f"layer {layer} head {head}" for layer, head in dict.fromkeys((first, second)))
        item.setToolTip(f"Show {names} in the two panes")

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Exception) -> None:
        if kind == KIND:
            self.heads.clear()
            self.title.setText(str(error))

    @Slot(object)
    def _choose(self, item: Any) -> None:
        """Show a pair of heads; other links must not pull them apart."""
        pair, chosen = self.pair(), item.data(Qt.ItemDataRole.UserRole)
        if pair is None:
            return
        for column, (layer, head) in sorted(zip(pair, chosen, strict=True), key=lambda p: not p[0].title.current):
            column.store.update(layer=layer, head=head)


def _box(tip: str) -> QComboBox:
    box = QComboBox()
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    box.setMinimumContentsLength(10)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box
