"""The table of costs under the panes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from vitviz.render.cost_table import Cell, Row, rows_of

if TYPE_CHECKING:
    from vitviz.attention.costs import Cost


class CostTable(QTableWidget):
    """A column a pane, a row a measure, ratios to the first pane; Ctrl+C copies it as tab-separated text."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTabKeyNavigation(False)
        self.rows: list[Row] = []
        self.setAccessibleName("What the models cost")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 4)

    def show_costs(self, names: Sequence[str], costs: Sequence[Cost | None], kin: Sequence[str] = ()) -> None:
        """Show what is known, "…" for what is still measured; `kin` says of each that it is one network with others."""
        self.rows = rows_of(costs)
        if any(kin):
            tip = "Which columns show the same weights"
            self.rows.insert(0, Row("Network", tip, tuple(Cell(words) for words in kin)))
        self.clearSpans()
        self.setRowCount(len(self.rows))
        self.setColumnCount(len(names))
        self.setHorizontalHeaderLabels([name.replace("\n", " ") for name in names])
        self.setVerticalHeaderLabels([row.name for row in self.rows])
        for j, name in enumerate(names):
            if (header := self.horizontalHeaderItem(j)) is not None:
                header.setToolTip(name)
        for i, row in enumerate(self.rows):
            header = self.verticalHeaderItem(i)
            if header is not None:
                header.setToolTip(row.tip)
            for j, cell in enumerate(row.cells):
                item = QTableWidgetItem(cell.words)
                item.setToolTip(f"{row.name}: {cell.words}. {row.tip}")
                self.setItem(i, j, item)
        if any(kin) and len(set(kin)) == 1 and len(kin) > 1:
            self.setSpan(0, 0, 1, len(kin))  # words for which a column alone has no room

    def text(self) -> str:
        """The table as tab-separated lines."""
        names = [item.text() if (item := self.horizontalHeaderItem(j)) else "" for j in range(self.columnCount())]
        lines = ["\t".join(["", *names])]
        lines += ["\t".join([row.name, *(cell.words for cell in row.cells)]) for row in self.rows]
        return "\n".join(lines)

    def event(self, event: QEvent) -> bool:
        # Here Ctrl+C is the table's own; anywhere else it copies the figure.
        asked = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if asked and cast(QKeyEvent, event).matches(QKeySequence.StandardKey.Copy):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.text())
        else:
            super().keyPressEvent(event)
