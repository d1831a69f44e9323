"""What carrying the position embedding over does to the prediction: a table, and the same in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from vitviz.render.studies.transfer import TITLES

if TYPE_CHECKING:
    from vitviz.embeddings.transfer import Transfer

TIPS = {
    None: "The position embedding at the size of view that the network has now",
    "bicubic": "Resampled bicubically with antialias, as timm does when it builds a network of another size",
    "bilinear": "Resampled bilinearly, otherwise the same",
    "naive": "The rows in their order, cut off or filled up with zeros: a patch gets the row of another place",
}
_HEADINGS = ("Positions", "Grid", "Most probable", "Probability")


class TransferTable(QTableWidget):
    """A row for the network as it is and for every way of carrying over."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(len(TITLES), len(_HEADINGS), parent)
        self.setTabKeyNavigation(False)
        self.setAccessibleName("Prediction with every kind of positions")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)

    def show_transfers(self, found: Sequence[Transfer]) -> None:
        """Fill the rows."""
        heading = f"of {found[0].top[0][0]}" if found[0].top else _HEADINGS[3]
        self.setHorizontalHeaderLabels([*_HEADINGS[:3], heading])
        for row, each in enumerate(found):
            rows, cols = each.patches.shape[:2]
            best = f"{each.top[0][0]} {each.top[0][1]:.1%}" if each.top else "no classes"
            share = "-" if each.target is None else f"{each.target:.1%}"
            for col, words in enumerate((TITLES[each.way], f"{rows} x {cols}", best, share)):
                item = QTableWidgetItem(words)
                item.setToolTip(TIPS[each.way])
                self.setItem(row, col, item)
        self.resizeRowsToContents()
        height = self.horizontalHeader().height() + sum(self.rowHeight(i) for i in range(len(found)))
        self.setFixedHeight(height + 4)


def verdict(found: Sequence[Transfer]) -> str:
    """What carrying over did to the prediction, in a sentence."""
    first, *others = found
    if not first.top or first.target is None:
        return "This model has no classes, so there is no prediction to compare."
    label = first.top[0][0]
    kept = "; ".join(f"{each.target:.1%} {each.way}" for each in others)
    words = f"Probability of {label}: {first.target:.1%} as it is. At {others[0].size[1]} px: {kept}."
    lost = [each for each in others if each.top[0][0] != label]
    if not lost:
        return f"{words} It stays the most probable class."
    now = "; ".join(f"{each.top[0][0]} {each.top[0][1]:.1%} ({each.way})" for each in lost)
    return f"{words} Another class is the most probable one then: {now}."


def without_row(found: Sequence[Transfer], cells: Sequence[tuple[int, int]]) -> str:
    """Why a map is 0 everywhere: a place that naive carrying over gives no row of the embedding; else ""."""
    empty = [TITLES[each.way] for each, cell in zip(found, cells, strict=True) if not each.patches[cell].any()]
    if not empty:
        return ""
    return f"{', '.join(empty)}: no row of the old positions lands on this patch, so all its similarities are 0."
