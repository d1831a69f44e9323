"""The toolbar's controls for the method, and for the class that it explains."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QToolBar, QWidget

from vitviz.attention.methods import METHODS
from vitviz.ui.controls import ChoiceBox
from vitviz.ui.pane import Pane
from vitviz.ui.store import State, Store
from vitviz.ui.target_search import TargetSearch


def method_box(store: Store) -> ChoiceBox:
    """The method, by name; each entry has its own tooltip."""
    choices = [(each.title, name) for name, each in METHODS.items()]
    box = ChoiceBox(store, "method", choices, "Method", f"Method (Ctrl+1 to Ctrl+{len(choices)})")
    for i, each in enumerate(METHODS.values()):
        box.setItemData(i, each.tip, Qt.ItemDataRole.ToolTipRole)
    return box


class MethodControls(QToolBar):
    """Method and target in a row; the target is there only for methods that explain a class."""

    def __init__(self, store: Store, pane: Pane, parent: QWidget | None = None) -> None:
        super().__init__("Method", parent)
        self.setObjectName("method-controls")
        self._store = store
        self.method = method_box(store)
        self.target = TargetSearch(store, pane)
        self.addWidget(self.method)
        self._target = self.addWidget(self.target)
        store.changed.connect(lambda old, new: self._follow(new))
        pane.traced.connect(lambda opened: self._follow(store.state))
        self._follow(store.state)

    def _follow(self, state: State) -> None:
        self._target.setVisible(METHODS[state.method].of_class)
        has_classes = self._store.reality.classes >= 2
        entries = cast(QStandardItemModel, self.method.model())
        for i, about in enumerate(METHODS.values()):
            entries.item(i).setEnabled(has_classes or not about.of_class)
