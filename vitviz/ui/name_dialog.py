"""Asks for a model by name: search as one types over timm's list, with family, parameters, view and classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QAbstractTableModel, QEvent, QModelIndex, QObject, QPersistentModelIndex, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLineEdit,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from vitviz.models.names import Named, amount, search
from vitviz.ui.labels import plain_label

_COLUMNS = ("Name", "Family", "Parameters", "View", "Classes")
_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
_Index = QModelIndex | QPersistentModelIndex


class NameTable(QAbstractTableModel):
    """The names that fit what was typed."""

    def __init__(self, names: Sequence[Named], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all = names
        self.shown: list[Named] = list(names)

    def filter(self, query: str) -> None:
        """Show those that fit."""
        self.beginResetModel()
        self.shown = search(query, self._all)
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008  Qt's own default
        return 0 if parent.isValid() else len(self.shown)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(_COLUMNS)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        named, column = self.shown[index.row()], index.column()
        if role == Qt.ItemDataRole.TextAlignmentRole and column >= 2:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        height, width = named.size
        view = f"{height} px" if height == width else f"{height} x {width} px"
        return (named.name, named.family, amount(named.parameters), view, str(named.classes or "none"))[column]

    def headerData(self, section: int, way: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if way == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _COLUMNS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole and section >= 2:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None


class NameDialog(QDialog):
    """A line to type in over the list of names that fit; `then(name, pretrained)` on OK.

    Up and Down choose in the list while the keyboard stays in the line; Enter opens what the dialog says it opens: the
    chosen row, or what was typed where it is a name itself (a repository of the hub, a name outside the list).
    """

    def __init__(
        self,
        parent: QWidget,
        title: str,
        note: str,
        names: Sequence[Named],
        then: Callable[[str, bool], object],
        *,
        weights: bool,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._known = {each.name for each in names}
        words = plain_label(note, wrap=True)
        self.name = QLineEdit(placeholderText="vit base 224", clearButtonEnabled=True)
        self.name.setAccessibleName("Name of the model, or words to search for")
        self.table = NameTable(names, self)
        self.list = QTreeView()
        self.list.setModel(self.table)
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.list.setAccessibleName("Models that fit")
        # The keyboard stays in the line; the list shows what Up and Down in it choose.
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in enumerate((0, 160, 96, 84, 72)):
            if column:
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
                header.resizeSection(column, width)
        self.chosen = plain_label("", wrap=True)
        self.random = QCheckBox("&Random weights (no download; maps mean nothing but their shapes)")
        self.random.setVisible(weights)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for widget in (words, self.name, self.list, self.chosen, self.random, self.buttons):
            layout.addWidget(widget)
        self.resize(860, 560)
        self.name.installEventFilter(self)
        self.name.textChanged.connect(self._filter)
        self.list.selectionModel().currentRowChanged.connect(self._say)
        self.list.doubleClicked.connect(self.accept)
        self.accepted.connect(lambda: then(self.target(), not self.random.isChecked()))
        self._filter("")
        self.name.setFocus()

    def target(self) -> str:
        """What OK opens, "" where nothing was said."""
        row = self.list.currentIndex().row()
        return self.table.shown[row].name if row >= 0 else self.name.text().strip()

    def accept(self) -> None:
        """Close, if there is something to open."""
        if self.target():
            super().accept()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let Up and Down in the line act on the list."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in _MOVES:
            self._move(Qt.Key(event.key()))
            return True
        return super().eventFilter(watched, event)

    @Slot(str)
    def _filter(self, text: str) -> None:
        self.table.filter(text)
        typed = text.strip()
        # A whole name is meant as it stands, also where longer ones begin with it.
        whole = typed in self._known or "/" in typed or ":" in typed
        first = next((i for i, each in enumerate(self.table.shown) if each.name == typed), 0)
        if typed and self.table.shown and (not whole or typed in self._known):
            self._choose(first)
        else:
            self.list.setCurrentIndex(QModelIndex())
        self._say()

    def _move(self, key: Qt.Key) -> None:
        count, row = self.table.rowCount(), self.list.currentIndex().row()
        if not count:
            return
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -10, Qt.Key.Key_PageDown: 10}[key]
        self._choose(0 if row < 0 else min(max(row + step, 0), count - 1))

    def _choose(self, row: int) -> None:
        index = self.table.index(row, 0)
        self.list.setCurrentIndex(index)
        self.list.scrollTo(index)

    @Slot()
    def _say(self) -> None:
        target, count = self.target(), self.table.rowCount()
        found = f"{count} models fit" if count != 1 else "one model fits"
        self.chosen.setText(f"{found}. Opens: {target}" if target else f"{found}. Type a name, or words to search for.")
        self.buttons.button(QDialogButtonBox.StandardButton.Open).setEnabled(bool(target))
