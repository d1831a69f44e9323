"""Curves and areas of faithfulness on one sheet, on the screen and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QIODevice, QSize, Qt, Slot
from PySide6.QtGui import QIcon, QImage, QPainter, QPen, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from vitviz.render.scale import signed
from vitviz.ui.curve_plots import CurvePlots, pens_of
from vitviz.ui.labels import plain_label

if TYPE_CHECKING:
    from vitviz.attention.curves import Faithfulness

_SWATCH = QSize(24, 10)
_COLUMNS = ("Order", "Deletion", "Insertion", "Gain")
_TIPS = (
    "Order of the patches: whose map says which counts most",
    "Area under the curve of deletion: small is true",
    "Area under the curve of insertion: large is true",
    "Insertion minus deletion: about 0 for random orders, large is true",
)


class TruthSheet(QWidget):
    """The plots above the table of areas; the curve of the row that is chosen is drawn stronger."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plots = CurvePlots(self)
        self.table = _table()
        self.hint = plain_label("The curves come here after Run.", wrap=True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setEnabled(False)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addWidget(self.plots, 1)
        self._layout.addWidget(self.hint, 1)
        self._layout.addWidget(self.table)
        self.table.horizontalHeader().sectionResized.connect(self._fit)
        self.table.currentCellChanged.connect(lambda row, *_: self._emphasise(row))

    def show_found(self, found: Faithfulness | None) -> None:
        """Show what came of a run, or nothing."""
        self.plots.show_curves(found)
        # Axes without a curve look like a result of nothing.
        self.plots.setVisible(found is not None)
        self.hint.setVisible(found is None)
        rows = found.rows() if found else []
        self.table.setVisible(bool(rows))
        self.table.setRowCount(len(rows))
        grids = {name: curves.grid for name, curves in found.curves.items()} if found else {}
        pens = pens_of(name for name, *_ in rows)
        several = len(set(grids.values())) > 1
        for i, (name, *areas) in enumerate(rows):
            grid = grids[name]
            # Patches of other sizes make other curves: the best is that of its grid.
            peers = [row for row in rows if grids[row[0]] == grid]
            best = [min(r[1] for r in peers), *(max(r[at] for r in peers) for at in (2, 3))]
            words = _words(name)
            own = f"{grid[0]} x {grid[1]} · " if several and not name.endswith(f"{grid[0]} x {grid[1]}") else ""
            first = QTableWidgetItem(_swatch(pens[name]), own + words)
            first.setData(Qt.ItemDataRole.UserRole, name)
            first.setToolTip(own + words)
            spreads = found.curves[name].spreads if found else None
            self.table.setItem(i, 0, first)
            for column, (value, top) in enumerate(zip(areas, best, strict=True), 1):
                item = QTableWidgetItem(signed(f"{round(value, 3) + 0.0:.3f}"))
                if spreads is not None:
                    item.setText(signed(f"{round(value, 2) + 0.0:.2f}") + f"\n± {spreads[column - 1]:.2f}")
                    item.setToolTip("Mean and standard deviation over the random orders")
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                if value == top:
                    font = item.font()
                    font.setBold(True)
                    item.setFont(font)
                self.table.setItem(i, column, item)
        self._fit()

    @Slot()
    def _fit(self) -> None:
        """Rows as high as their names, which go on below in a narrow dock, as the spread stands under its mean."""
        self.table.resizeRowsToContents()
        heights = sum(self.table.rowHeight(i) for i in range(self.table.rowCount()))
        self.table.setFixedHeight(self.table.horizontalHeader().sizeHint().height() + heights + 4)

    def _emphasise(self, row: int) -> None:
        item = self.table.item(row, 0)
        self.plots.emphasise(item.data(Qt.ItemDataRole.UserRole) if item is not None else None)

    def picture(self) -> bytes:
        """The sheet as a PNG, two pixels for one of the screen."""
        image = QImage(self.size() * 2, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(2.0)
        image.fill(self.palette().window().color())
        self.table.clearSelection()
        self._layout.activate()
        self.render(image)
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        image.save(buffer, "PNG")  # type: ignore[call-overload]
        return bytes(buffer.data().data())


def _table() -> QTableWidget:
    table = QTableWidget(0, len(_COLUMNS))
    table.setTabKeyNavigation(False)
    for i, (title, tip) in enumerate(zip(_COLUMNS, _TIPS, strict=True)):
        head = QTableWidgetItem(title)
        head.setToolTip(tip)
        table.setHorizontalHeaderItem(i, head)
    table.verticalHeader().hide()
    table.verticalHeader().setMinimumSectionSize(24)
    table.setShowGrid(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    table.setIconSize(_SWATCH)
    table.setAccessibleName("Areas under the curves")
    return table


def _words(name: str) -> str:
    """What differs first: "Layer 5 head 1: attention from CLS" for "Attention from CLS: layer 5 head 1"."""
    what, colon, where = name.partition(": ")
    return f"{where[0].upper()}{where[1:]}: {what[0].lower()}{what[1:]}" if colon and where else name


def _swatch(pen: QPen) -> QIcon:
    """A piece of the line, as in the plots."""
    pixels = QPixmap(_SWATCH * 2)
    pixels.setDevicePixelRatio(2)
    pixels.fill(Qt.GlobalColor.transparent)
    pen.setWidthF(3)
    painter = QPainter(pixels)
    painter.setPen(pen)
    painter.drawLine(0, _SWATCH.height() // 2, _SWATCH.width(), _SWATCH.height() // 2)
    painter.end()
    return QIcon(pixels)
