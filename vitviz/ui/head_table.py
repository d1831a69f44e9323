"""The numbers of every head as a table that can be sorted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QAbstractItemView, QTableView, QWidget

_Index = QModelIndex | QPersistentModelIndex


class HeadTable(QTableView):
    """A row for every head; click a heading to sort by it. `chosen(layer, head)` when a row is chosen."""

    chosen = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTabKeyNavigation(False)
        self.setAccessibleName("Numbers of every head")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setAlternatingRowColors(True)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        self.horizontalHeader().setToolTip("Click to sort")
        self.numbers = _Numbers(self)
        self.setModel(self.numbers)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.selectionModel().selectionChanged.connect(self._selected)

    def fill(self, header: list[str], numbers: np.ndarray) -> None:
        """Show these (rows, columns), NaN where there is no number; the first two columns are layer and head."""
        self.numbers.show_numbers(header, numbers)
        column = self.horizontalHeader().sortIndicatorSection()
        self.sortByColumn(column if column < len(header) else 0, self.horizontalHeader().sortIndicatorOrder())
        # By the headings alone: to measure every number takes longer than a frame.
        for at, text in enumerate(header):
            self.setColumnWidth(at, self.fontMetrics().horizontalAdvance(text) + 34)

    def mark(self, layer: int, head: int | None) -> None:
        """Select the row of the chosen head, or none."""
        with QSignalBlocker(self.selectionModel()):
            self.clearSelection()
            row = self.numbers.row_of(layer, head)
            if row is not None:
                self.selectRow(row)
        self.viewport().update()

    @Slot()
    def _selected(self) -> None:
        rows = self.selectionModel().selectedRows()
        if rows:
            self.chosen.emit(*self.numbers.head_at(rows[0].row()))


class _Numbers(QAbstractTableModel):
    """The numbers behind the table: what is not on the screen is not made into text."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._header: list[str] = []
        self._all = np.empty((0, 0))

    def show_numbers(self, header: list[str], numbers: np.ndarray) -> None:
        """Take other numbers, (rows, columns)."""
        self.beginResetModel()
        self._header, self._all = header, numbers
        self.endResetModel()

    def head_at(self, row: int) -> tuple[int, int]:
        """(layer, head) of a row as it is shown."""
        return int(self._all[row, 0]), int(self._all[row, 1])

    def row_of(self, layer: int, head: int | None) -> int | None:
        """The row that shows a head."""
        if head is None or not len(self._all):
            return None
        found = np.flatnonzero((self._all[:, 0] == layer) & (self._all[:, 1] == head))
        return int(found[0]) if len(found) else None

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008  Qt's own default
        return 0 if parent.isValid() else len(self._all)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._header)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.UserRole):
            return None
        value = float(self._all[index.row(), index.column()])
        if role == Qt.ItemDataRole.UserRole:
            return value
        if math.isnan(value):
            return "–"
        return str(int(value)) if index.column() < 2 else f"{value:#.4g}"

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._header[section]
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Order the rows by a column, those without a number last; equal ones by layer and head."""
        if not 0 <= column < len(self._header):
            return
        self.layoutAboutToBeChanged.emit()
        values = self._all[:, column] * (1 if order == Qt.SortOrder.AscendingOrder else -1)
        self._all = self._all[np.lexsort((self._all[:, 1], self._all[:, 0], values))]
        self.layoutChanged.emit()
