"""The numbers of every head as a table that can be sorted."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget


class HeadTable(QTableWidget):
    """A row for every head; click a heading to sort by it. `chosen(layer, head)` when a row is chosen."""

    chosen = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Numbers of every head")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setAlternatingRowColors(True)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setToolTip("Click to sort")
        self.itemSelectionChanged.connect(self._selected)

    def fill(self, header: list[str], rows: list[list[object]]) -> None:
        """Show these rows; the first two columns are layer and head."""
        with QSignalBlocker(self):
            self.setSortingEnabled(False)
            self.clear()
            self.setColumnCount(len(header))
            self.setRowCount(len(rows))
            self.setHorizontalHeaderLabels(header)
            for at, row in enumerate(rows):
                for column, value in enumerate(row):
                    self.setItem(at, column, _Number(value))
            self.setSortingEnabled(True)
            self.sortItems(0)

    def mark(self, layer: int, head: int | None) -> None:
        """Select the row of the chosen head, or none."""
        with QSignalBlocker(self):
            self.clearSelection()
            for row in range(self.rowCount()):
                if (self._key(row)) == (layer, head):
                    self.selectRow(row)
                    return

    def _key(self, row: int) -> tuple[object, object]:
        items = self.item(row, 0), self.item(row, 1)
        return tuple(None if i is None else i.data(Qt.ItemDataRole.UserRole) for i in items)  # type: ignore[return-value]

    @Slot()
    def _selected(self) -> None:
        rows = self.selectionModel().selectedRows()
        if rows:
            layer, head = self._key(rows[0].row())
            if isinstance(layer, int) and isinstance(head, int):
                self.chosen.emit(layer, head)


class _Number(QTableWidgetItem):
    """A number that sorts as one, whatever its digits."""

    def __init__(self, value: object) -> None:
        super().__init__(f"{value:.4g}" if isinstance(value, float) else str(value))
        self.setData(Qt.ItemDataRole.UserRole, value)
        self.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def __lt__(self, other: QTableWidgetItem) -> bool:
        mine, its = (x.data(Qt.ItemDataRole.UserRole) for x in (self, other))
        both = isinstance(mine, int | float) and isinstance(its, int | float)
        # What has no number comes after all that have.
        return mine < its if both else isinstance(mine, int | float)
