"""What each head does as a number: the scatter of the ViT paper, a table, a CSV file, and the order of the atlas."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QCheckBox, QComboBox, QTabWidget, QToolButton, QVBoxLayout, QWidget

from vitviz.errors import VitvizError
from vitviz.render.scale import signed
from vitviz.render.titles import layer_text
from vitviz.ui import files
from vitviz.ui.head_numbers import HeadNumbers
from vitviz.ui.head_plot import HeadPlot
from vitviz.ui.head_table import HeadTable
from vitviz.ui.jobs import Worker
from vitviz.ui.labels import plain_label
from vitviz.ui.lazy import LazyPanel
from vitviz.ui.messages import show_error
from vitviz.ui.pane import Pane
from vitviz.ui.wrapping import Wrapping, narrow

if TYPE_CHECKING:
    from vitviz.attention.statistics import HeadStatistics

_SHORT = {
    "distance_vit_px": "distance (ViT), px",
    "distance_renormalised_px": "distance (renorm.), px",
    "entropy_nats": "entropy, nats",
    "mass_cls": "on CLS",
    "mass_dist": "on DIST",
    "mass_registers": "on registers",
    "mass_sink": "on sink",
}


class StatisticsPanel(LazyPanel):
    """Computes when it is seen. `ordered(list | None)`: for each layer the heads in the order that the atlas is to
    show them in, with the title of what orders them; None for the order of their numbers."""

    ordered = Signal(object, str)

    def __init__(self, pane: Pane, worker: Worker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane = pane
        self.numbers = HeadNumbers(worker, self)
        self._wished: str | None = None  # the column that the user chose; the box is empty between two traces
        self.quantity = QComboBox()
        self.quantity.setToolTip("The number of each head that is plotted")
        self.quantity.setAccessibleName("Number of each head")
        self.quantity.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        narrow(self.quantity)
        self.sort = QCheckBox("Sort the atlas by it")
        self.sort.setToolTip("Order the heads of every row of the atlas by this number, the smallest at the left")
        self.picture = _button("This picture", "The numbers of the picture that is shown")
        self.folder = _button("Mean over a folder…", "The mean over all pictures of a folder, each passed once")
        self.export = _button("Export CSV…", "Write the table of all numbers as CSV")
        self.plot = HeadPlot(self)
        self.table = HeadTable(self)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.plot, "Plot")
        self.tabs.addTab(self.table, "Table")
        self.note = plain_label(wrap=True)
        self.reading = plain_label(wrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.quantity)
        layout.addLayout(Wrapping(self.picture, self.folder))
        layout.addLayout(Wrapping(self.sort, self.export))
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.reading)
        layout.addWidget(self.note)
        self.quantity.activated.connect(self._quantified)
        self.sort.toggled.connect(lambda _: self._order())
        self.picture.clicked.connect(self._compute)
        self.folder.clicked.connect(self._ask_folder)
        self.export.clicked.connect(self._ask_export)
        self.tabs.currentChanged.connect(lambda _: self._draw())
        self.plot.chosen.connect(self._choose)
        self.table.chosen.connect(self._choose)
        self.plot.pointed.connect(self._read)
        self.numbers.changed.connect(self._found)
        self.numbers.told.connect(self.note.setText)
        pane.traced.connect(self._traced)
        self.watch(pane, "layer", "head")
        self._enable()

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """Of the plot."""
        self.plot.set_colors(background, foreground)

    @Slot(object)
    def _traced(self, opened: object) -> None:
        self.numbers.forget()
        self.note.setText(" ")
        if self.sort.isChecked():
            self._compute()
        self.touch()

    def refresh(self) -> None:
        """Compute what is not there yet, and draw."""
        if self.numbers.found is None and not self.numbers.running:
            self._compute()
        else:
            self._draw()

    @Slot()
    def _compute(self) -> None:
        if self._pane.opened is None:
            return
        self.note.setText("Computing the head statistics…")
        self.numbers.compute(self._pane.opened.trace)

    @Slot()
    def _found(self) -> None:
        from vitviz.attention.tables import quantities

        found = self.numbers.found
        self.quantity.clear()
        for each in quantities(found) if found is not None else ():
            self.quantity.addItem(each.title, each.column)
        self.quantity.setCurrentIndex(max(0, self.quantity.findData(self._wished)))
        self._enable()
        self._order()
        self.touch()

    @Slot()
    def _quantified(self) -> None:
        self._wished = self.quantity.currentData()
        self._draw()
        self._order()

    def _enable(self) -> None:
        has = self.numbers.found is not None
        for widget in (self.quantity, self.export):
            widget.setEnabled(has)

    def _draw(self) -> None:
        """Draw what is seen of plot and table, and order the atlas."""
        from vitviz.attention.tables import quantities

        self.reading.setText(" ")
        found = self.numbers.found
        if found is None:
            self.plot.clear_values()
            self.table.fill([], np.empty((0, 0)))
            return
        columns = quantities(found)
        one = columns[max(0, self.quantity.currentIndex())]
        self.plot.show_values(one.values, f"{one.title} [{one.unit}]", self.numbers.off)
        if self.tabs.currentWidget() is self.table:
            layers = np.repeat(np.arange(len(found.heads)), found.heads)
            heads = np.concatenate([np.arange(count) for count in found.heads])
            numbers = np.stack([layers, heads, *(each.values[layers, heads] for each in columns)], -1)
            self.table.fill(["layer", "head", *(_SHORT[each.column] for each in columns)], numbers.astype(np.float64))
        self._mark()

    def _order(self) -> None:
        values = self._values()
        if values is None or not self.sort.isChecked():
            self.ordered.emit(None, "")
            return
        heads = self.numbers.found.heads if self.numbers.found else ()
        order = [np.argsort(values[layer, :count], kind="stable") for layer, count in enumerate(heads)]
        self.ordered.emit(order, self.quantity.currentText().split(" (")[0].lower())

    def _values(self) -> np.ndarray | None:
        from vitviz.attention.tables import quantities

        found = self.numbers.found
        return None if found is None else quantities(found)[max(0, self.quantity.currentIndex())].values

    @Slot(int, int)
    def _choose(self, layer: int, head: int) -> None:
        self._pane.store.update(layer=layer, head=head, method="attention")

    def follow(self) -> None:
        """Mark another head; nothing else depends on it."""
        self._mark()

    def _mark(self) -> None:
        if self.numbers.found is not None:
            state = self._pane.store.state
            head = state.head if isinstance(state.head, int) else None
            self.plot.mark(state.layer, head)
            if self.tabs.currentWidget() is self.table:
                self.table.mark(state.layer, head)

    @Slot(int, int)
    def _read(self, layer: int, head: int) -> None:
        values, found = self._values(), self.numbers.found
        if values is None or found is None or layer < 0:
            self.reading.setText(" ")
            return
        titles = self._pane.store.reality.titles
        name = layer_text(layer, titles[layer] if layer < len(titles) else "")
        text = f"{name} head {head}: {signed(f'{values[layer, head]:.4g}')} {self._unit()}"
        if found.sink and self.quantity.currentData() == "mass_sink":
            row, col = found.sink[layer][head]
            text += f" on patch ({row}, {col})"
        self.reading.setText(text + (", off" if (layer, head) in self.numbers.off else ""))

    def _unit(self) -> str:
        from vitviz.attention.tables import quantities

        unit = quantities(self.numbers.found)[self.quantity.currentIndex()].unit if self.numbers.found else ""
        return "" if unit == "share" else unit

    @Slot()
    def _ask_folder(self) -> None:
        dialog = files.ask_open(self, "folder", then=lambda paths: self.run_folder(paths[0]))
        dialog.setWindowTitle("Mean over the pictures of a folder")

    def run_folder(self, folder: Path) -> None:
        """Compute the mean over the pictures of a folder."""
        from vitviz.picture_files import picture_files

        if self._pane.opened is None:
            return
        try:
            pictures = picture_files([folder])
        except VitvizError as error:
            show_error(self, error)
            return
        self.numbers.compute_folder(self._pane.opened.model, pictures)

    @Slot()
    def _ask_export(self) -> None:
        found = self.numbers.found
        if found is None:
            return
        from vitviz.atomic import slug

        path = Path.home() / f"{slug(found.model_name)}-head-statistics.csv"
        files.ask_save(
            self, path, ["CSV tables (*.csv)"], title="Export head statistics", then=partial(self.write, found=found)
        )

    def write(self, path: Path, found: HeadStatistics | None = None) -> None:
        """Write a table, the shown one where none is given."""
        from vitviz.atomic import write_bytes
        from vitviz.attention.tables import csv_text

        if (found := found or self.numbers.found) is None:
            return
        try:
            write_bytes(path, csv_text(found).encode())
        except VitvizError as error:
            show_error(self, error)
            return
        self.note.setText(f"Written: {path}")


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    return button
