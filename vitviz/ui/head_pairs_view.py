"""Which heads of two panes changed, or which go together: a map over the atlas of the first, and a list."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QStandardItemModel
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QListWidget,
    QStackedWidget,
    QToolButton,
    QWidget,
)

from vitviz.attention.values import head_name
from vitviz.render.titles import layer_text, query_text
from vitviz.ui.choice_box import choice_box
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.labels import plain_label
from vitviz.ui.newest import Newest
from vitviz.ui.pair_map import PairMap
from vitviz.ui.pane_column import PaneColumn
from vitviz.ui.words import weight_text
from vitviz.ui.wrapping import narrow

if TYPE_CHECKING:
    from vitviz.attention.head_pairs import HeadPair, HeadPairs, Measure

KIND = "heads of two"
_OVER = (("of this query", False), ("mean over queries", True))
_PARTNERS = "Partners are found by their maps of the query under the mouse; a change can be a mean over all queries"
_UNLIKE = (
    "All queries can be compared where both models have the same heads and cut the picture alike; "
    "here it is the query under the mouse"
)
_SETTLED_MS = 250  # heads are compared once the mouse rests
DISTANCE, RANK, MATCH = "distance", "rank", "match"
_WAYS = (
    ("Change: distance of rows", DISTANCE, "Half the sum of absolute differences of two rows of attention: 0 is the "
     "same row, 1 one that shares nothing"),
    ("Change: 1 − Spearman ρ", RANK, "One less the rank correlation of two rows: 0 is the same order, 1 an unrelated "
     "one, 2 the reverse"),
    ("Partners: overlap of maps", MATCH, "Heads are paired such that the sum of the overlaps of their maps is largest "
     "(assignment); an overlap is the mass that two maps share"),
)  # fmt: skip


class HeadPairsView(QWidget):
    """Compares the heads of two panes in the worker once asked and the mouse rests.

    `chosen(pair)` with the HeadPair that the user wants to see.
    """

    chosen = Signal(object)

    def __init__(self, worker: Worker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job = Newest(worker, KIND, self)
        self._panes: tuple[PaneColumn, PaneColumn] | None = None
        self._asked: tuple[Any, ...] = ()
        self._given_up = False  # what was asked last
        self._wished = DISTANCE  # where it is possible
        self.found: HeadPairs | None = None
        self._found_way = DISTANCE
        self._by_head: dict[tuple[int, int], HeadPair] = {}
        self.way, self.over = choice_box(_WAYS, "What is compared"), choice_box(_OVER, "For which queries")
        for box in (self.way, self.over):
            box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            narrow(box, 6)
        self.as_list = QToolButton()
        self.as_list.setText("List")
        self.as_list.setCheckable(True)
        self.as_list.setToolTip("Show the heads as a list in order, instead of over the atlas")
        self.as_list.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.map, self.bar = PairMap(self), ColorBar(self)
        self.heads = QListWidget()
        self.heads.setAccessibleName("Heads of the two models")
        self.caption = plain_label(wrap=True)
        chart = QWidget()
        row = QHBoxLayout(chart)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.map, 1)
        row.addWidget(self.bar)
        self.stack = QStackedWidget()
        self.stack.addWidget(chart)
        self.stack.addWidget(self.heads)
        layout = QGridLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addWidget(self.way, 0, 0)
        layout.addWidget(self.over, 0, 1)
        layout.addWidget(self.as_list, 0, 2)
        layout.addWidget(self.stack, 1, 0, 1, 3)
        layout.addWidget(self.caption, 2, 0, 1, 3)
        layout.setColumnStretch(0, 3)
        layout.setColumnStretch(1, 2)
        layout.setRowStretch(1, 1)
        self._later = QTimer(self, singleShot=True, interval=_SETTLED_MS)
        self._later.timeout.connect(self._ask)
        self.way.activated.connect(self._wish)
        self.over.activated.connect(self._ask_again)
        self.as_list.toggled.connect(lambda on: self.stack.setCurrentIndex(int(on)))
        self.map.pointed.connect(self._say)
        self.map.chosen.connect(self._choose_cell)
        self.heads.itemClicked.connect(self._choose_item)
        self.heads.itemActivated.connect(self._choose_item)
        self._job.finished.connect(self._finished)
        self._job.failed.connect(self._failed)
        self._job.cancelled.connect(self._cancelled)

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours of the theme."""
        self.map.set_colors(background, foreground)

    def compare(self, panes: tuple[PaneColumn, PaneColumn]) -> None:
        """Compare these two panes as they are once the mouse rests."""
        self._panes, state = panes, panes[0].store.state
        self.map.mark((state.layer, state.head) if isinstance(state.head, int) else None)
        self._later.start()

    def stop(self) -> None:
        """Nobody looks any more; what was compared is kept alive no longer."""
        self._panes, self._asked = None, ()
        self._later.stop()
        self._job.drop()

    def _offer(self, alike: bool, on_one_grid: bool) -> tuple[str, bool]:
        """Offer what can be compared; the way and whether over all queries."""
        items = self.way.model()
        assert isinstance(items, QStandardItemModel)
        for at in (0, 1):
            items.item(at).setEnabled(alike)
        way = self._wished if alike else MATCH
        self.way.setCurrentIndex(self.way.findData(way))
        possible = way != MATCH and on_one_grid
        self.over.setEnabled(possible)
        why = "For which queries" if possible else _PARTNERS if way == MATCH and alike else _UNLIKE
        self.over.setToolTip(why)
        if not possible:
            self.over.setCurrentIndex(0)
        return way, possible and bool(self.over.currentData())

    @Slot(int)
    def _wish(self, index: int) -> None:
        self._wished = self.way.itemData(index)
        self._ask_again()

    @Slot()
    def _ask_again(self, *_: object) -> None:
        """The user asks: what was cancelled is wanted after all."""
        if self._given_up:
            self._asked = ()
        self._ask()

    @Slot()
    def _ask(self) -> None:
        panes = self._panes
        if panes is None:
            return
        (one, other), (first, second) = ((c.pane.opened for c in panes), (c.pane.maps for c in panes))
        if one is None or other is None or first is None or second is None:
            return
        from vitviz.attention.head_pairs import Placed, changed_heads, changed_rows, match_heads

        traces = one.trace, other.trace
        placed = Placed.of(traces[0], first), Placed.of(traces[1], second)
        way, every = self._offer(placed[0].heads == placed[1].heads, placed[0].is_on_grid_of(placed[1]))
        asked = (way, *(traces if every else (first, second)))
        if self._asked and way == self._asked[0] and all(map(operator.is_, asked[1:], self._asked[1:])):
            return
        self._asked, self._given_up = asked, False
        if every:
            self.caption.setText("Comparing the rows of all queries…")

        def work(progress: Progress) -> tuple[Any, str, HeadPairs]:
            if way == MATCH:
                return asked, way, match_heads(*placed)
            measure: Measure = "rank" if way == RANK else "distance"
            if every:
                return asked, way, changed_rows(*traces, measure, progress=progress, cancel=progress.cancelled)
            return asked, way, changed_heads(*placed, measure)

        self._job.submit(work)

    @Slot(object)
    def _finished(self, result: tuple[Any, str, HeadPairs]) -> None:
        asked, way, found = result
        if asked is self._asked:
            self._found_way, self.found = way, found
            self._show(found)

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        self.found = None
        self._by_head = {}
        self.heads.clear()
        self.map.show_values((), np.empty((0, 0)), (0.0, 1.0))
        self.caption.setText(str(error))

    @Slot()
    def _cancelled(self) -> None:
        # Not asked again by the next move of the mouse, which would begin at once what was just given up.
        self._given_up = True
        self.caption.setText("Cancelled: choose what is compared once more to begin anew.")

    def _show(self, found: HeadPairs) -> None:
        matched = self._found_way == MATCH
        self._by_head = {pair.first: pair for pair in found.pairs}
        known = found.values[np.isfinite(found.values)]
        top = float(known.max()) if known.size else 0.0
        limits = (0.0, 1.0) if matched else (0.0, top if top > 1e-6 else 1.0)
        words = {pair.first: head_name(*pair.second) for pair in found.pairs} if matched else {}
        self.map.show_values(found.heads, found.values, limits, words)
        quantity = {DISTANCE: "distance of rows", RANK: "1 − Spearman ρ", MATCH: "overlap"}[self._found_way]
        self.bar.show_scale("viridis", limits, "fixed scale" if matched else "from 0 to its largest", quantity)
        self.heads.clear()
        for pair in sorted(found.pairs, key=lambda p: -np.nan_to_num(p.value, nan=-1.0)):
            both = [self._name(which, *each) for which, each in enumerate((pair.first, pair.second))]
            names = "  ↔  ".join(both[:1] if pair.first == pair.second else both)
            value = weight_text(pair.value) if np.isfinite(pair.value) else "–"
            self.heads.addItem(f"{value:<9} {names}")
            self.heads.item(self.heads.count() - 1).setData(Qt.ItemDataRole.UserRole, pair)
        self._say(*(self.map.under or (-1, -1)))

    @Slot(int, int)
    def _say(self, layer: int, head: int) -> None:
        """The head under the mouse, or what the numbers are."""
        if self.found is None or self._panes is None:
            return
        if layer < 0:
            self.caption.setText(self._summary(self.found))
            return
        pair, name = self._by_head.get((layer, head)), self._in_full(0, layer, head)
        if pair is None:
            self.caption.setText(f"{name} goes with no head of the other model")
        elif self._found_way == MATCH:
            other = self._in_full(1, *pair.second).lower()
            self.caption.setText(f"{name} goes with {other} of the other model: overlap {pair.value:.3f}")
        elif not np.isfinite(pair.value):
            self.caption.setText(f"{name}: a row is constant and has no order")
        else:
            quantity = "distance of rows" if self._found_way == DISTANCE else "1 − Spearman ρ ="
            self.caption.setText(f"{name}: {quantity} {weight_text(pair.value)}")

    def _title(self, which: int, layer: int) -> str:
        """ "2.1 shifted" where the network of that pane has stages, else ""."""
        titles = self._panes[which].store.reality.titles if self._panes else ()
        return titles[layer] if layer < len(titles) else ""

    def _name(self, which: int, layer: int, head: int) -> str:
        title = self._title(which, layer)
        return head_name(layer, head) + (f" ({title})" if title else "")

    def _in_full(self, which: int, layer: int, head: int) -> str:
        return f"{layer_text(layer, self._title(which, layer))} head {head}"

    def _summary(self, found: HeadPairs) -> str:
        if self._found_way == MATCH:
            count = len(found.pairs)
            return f"{count} of {sum(found.heads)} heads have a partner; named in the cells. Click shows both"
        if found.queries is not None:
            taken, every = found.queries
            which = f"mean over all {every} queries" if taken == every else f"mean over {taken} of {every} queries"
        else:
            maps = self._panes[0].pane.maps if self._panes else None
            which = f"attention {maps.direction} {query_text(maps.query, maps.cells[-1])}" if maps else ""
        return f"How far each head changed, {which}. Click shows it in both panes"

    @Slot(int, int)
    def _choose_cell(self, layer: int, head: int) -> None:
        if (pair := self._by_head.get((layer, head))) is not None:
            self.chosen.emit(pair)

    @Slot(object)
    def _choose_item(self, item: Any) -> None:
        self.chosen.emit(item.data(Qt.ItemDataRole.UserRole))
