"""The sheet of shortcuts: every key of the window by menu, then what the mouse does."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Slot
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from vitviz.ui.palette import commands


class ShortcutSheet(QDialog):
    """Two columns, what to press and what it does, read from `window` each time the sheet opens.

    `gestures` are pairs of gesture and effect. Rows can be chosen and copied, with Ctrl+C or all at once.
    """

    def __init__(self, window: QWidget, gestures: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(window)
        self.setWindowTitle("Shortcuts and gestures")
        self._window = window
        self._gestures = tuple(gestures)
        self.table = QTreeWidget()
        self.table.setAlternatingRowColors(True)
        self.table.setRootIsDecorated(False)
        self.table.setItemsExpandable(False)
        self.table.setAccessibleName("Shortcuts and gestures")
        self.table.setHeaderLabels(["Press or do", "Effect"])
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy_button = buttons.addButton("Copy all", QDialogButtonBox.ButtonRole.ActionRole)
        copy = QAction(self, shortcut=QKeySequence(QKeySequence.StandardKey.Copy))
        self.addAction(copy)
        layout = QVBoxLayout(self)
        layout.addWidget(self.table)
        layout.addWidget(buttons)
        self.resize(640, 620)
        buttons.rejected.connect(self.reject)
        self.copy_button.clicked.connect(self._copy_all)
        copy.triggered.connect(self._copy_selected)

    def showEvent(self, event: QShowEvent) -> None:
        """Read the window's shortcuts anew: menus may have changed since."""
        self._fill()
        self.table.setFocus()
        super().showEvent(event)

    def sections(self) -> dict[str, list[tuple[str, str]]]:
        """(what to press, what it does) by menu, the mouse last."""
        found: dict[str, list[tuple[str, str]]] = {}
        for each in commands(self._window):
            if each.shortcut:
                menu, *rest = each.menus or ("Other",)
                found.setdefault(menu, []).append((each.shortcut, " › ".join((*rest, each.name))))
        other = found.pop("Other", None)
        if other:
            found["Other"] = other
        if self._gestures:
            found["Mouse"] = list(self._gestures)
        return found

    def _fill(self) -> None:
        self.table.clear()
        for title, rows in self.sections().items():
            section = QTreeWidgetItem(self.table, [title])
            font = section.font(0)
            font.setBold(True)
            section.setFont(0, font)
            section.setFirstColumnSpanned(True)
            for row in rows:
                QTreeWidgetItem(section, list(row))
            section.setExpanded(True)

    def _text(self, *, selected_only: bool) -> str:
        """The rows as lines, the two columns parted by a tab."""
        lines: list[str] = []
        for index in range(self.table.topLevelItemCount()):
            section = self.table.topLevelItem(index)
            if section is None:
                continue
            for item in (section, *(section.child(row) for row in range(section.childCount()))):
                if item is not None and (item.isSelected() or not selected_only):
                    lines.append("\t".join(filter(None, (item.text(0), item.text(1)))))
        return "\n".join(lines)

    @Slot()
    def _copy_selected(self) -> None:
        QGuiApplication.clipboard().setText(self._text(selected_only=True))

    @Slot()
    def _copy_all(self) -> None:
        QGuiApplication.clipboard().setText(self._text(selected_only=False))
