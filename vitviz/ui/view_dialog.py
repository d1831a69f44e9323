"""Asks for the view of weights whose positions are for a grid that is no square."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QListWidget, QVBoxLayout, QWidget

from vitviz.errors import ViewWantedError


class ViewDialog(QDialog):
    """A list of the grids that have so many patches, the squarest first; `then((height, width))` in pixels on OK."""

    def __init__(
        self, parent: QWidget, file: str, wanted: ViewWantedError, then: Callable[[tuple[int, int]], object]
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Which view?")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        rows, cols = wanted.patch
        self._grids = grids(wanted.places)
        words = QLabel(
            f"The position embedding of {file} has {wanted.places} places for patches, which are no square, and "
            "nothing in the file tells the view that it was made for. Which is it? A wrong one opens too and spoils "
            "all maps."
        )
        words.setTextFormat(Qt.TextFormat.PlainText)
        words.setWordWrap(True)
        self.list = QListWidget()
        self.list.setAccessibleName("Views with so many patches, height before width")
        self.list.addItems(
            [f"{high * rows} px high, {wide * cols} px wide ({high} x {wide} patches)" for high, wide in self._grids]
        )
        self.list.setCurrentRow(0)
        self.list.itemActivated.connect(lambda _: self.accept())
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for widget in (words, self.list, buttons):
            layout.addWidget(widget)
        self.resize(460, 300)
        self.list.setFocus()
        self.accepted.connect(lambda: then(self.view(rows, cols)))

    def view(self, rows: int, cols: int) -> tuple[int, int]:
        """(height, width) of the chosen view, of patches of so many pixels."""
        high, wide = self._grids[max(0, self.list.currentRow())]
        return high * rows, wide * cols


def grids(places: int) -> list[tuple[int, int]]:
    """(rows, columns) of all grids with so many places, the squarest first, upright before lying."""
    found = [(high, places // high) for high in range(1, places + 1) if places % high == 0]
    return sorted(found, key=lambda grid: (max(grid) - min(grid), -grid[0]))
