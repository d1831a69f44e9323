"""The class that is explained, for the toolbar: chosen from a list, or searched for by name."""

from __future__ import annotations

from functools import partial
from typing import cast

from PySide6.QtCore import QSignalBlocker, QSize, QStringListModel, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QWheelEvent
from PySide6.QtWidgets import QComboBox, QCompleter, QLineEdit

from vitviz.ui.controls import Offer
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.store import State, Store

_TOP = 5
_WIDTH = 190


class TargetSearch(QComboBox):
    """The class that is explained: the most probable ones first, then all by name; typing searches.

    `told(str)` where what was typed is no class, and so is taken back.
    """

    told = Signal(str)

    def __init__(self, store: Store, pane: Pane) -> None:
        super().__init__()
        self._store, self._pane = store, pane
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setFixedWidth(_WIDTH)
        self.setToolTip("The class that is explained: choose one, or type a part of its name or its number")
        self.setAccessibleName("Target class")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._edit = cast(QLineEdit, self.lineEdit())
        self._edit.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        # Of its own, with every class once: those at the top of the list stand below by name, too.
        self._names = QStringListModel(self)
        finder = QCompleter(self._names, self)
        finder.setFilterMode(Qt.MatchFlag.MatchContains)
        finder.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        finder.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        finder.setMaxVisibleItems(12)
        self.setCompleter(finder)
        self._edit.editingFinished.connect(self._typed)
        self.activated.connect(self._chosen)
        finder.activated.connect(self._found)
        pane.traced.connect(self._traced)
        store.changed.connect(self._changed)

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        """Offer the classes of another trace."""
        seen = opened.trace
        count = seen.logits.size
        names: list[str] = []
        with QSignalBlocker(self):
            self.clear()
            if count >= 2:
                order = sorted(range(count), key=lambda i: -float(seen.logits[i]))[:_TOP]
                shares = seen.top_k(_TOP)
                self.addItem(f"Top class: {seen.label(order[0])}", None)
                for index, (label, share) in zip(order, shares, strict=False):
                    self.addItem(f"{label} · {share:.1%}", index)
                self.insertSeparator(self.count())
                start = self.count()
                names = [f"{seen.label(i)} ({i})" for i in range(count)]
                self.addItems(names)
                for i in range(count):
                    self.setItemData(start + i, i)
        self._names.setStringList(names)
        self.follow(self._store.state)

    @Slot(object, object)
    def _changed(self, old: State, new: State) -> None:
        if old.target != new.target:  # what is being typed stays while the mouse goes over the picture
            self.follow(new)

    def follow(self, state: State) -> None:
        """Show what the store holds."""
        index = next((i for i in range(self.count()) if i != _TOP + 1 and self.itemData(i) == state.target), -1)
        with QSignalBlocker(self):
            self.setCurrentIndex(index)
            self.setEditText(self.itemText(index) if index >= 0 else "")
            self._edit.setCursorPosition(0)

    def offers(self) -> list[Offer]:
        """The classes, each once, for the palette of commands."""
        classes = [("Top class", None), *((name, i) for i, name in enumerate(self._names.stringList()))]
        return [(name, partial(self._store.update, target=target)) for name, target in classes]

    @Slot(int)
    def _chosen(self, index: int) -> None:
        self._store.update(target=self.itemData(index))

    @Slot(str)
    def _found(self, text: str) -> None:
        if (index := self.findText(text)) >= 0:
            self._chosen(index)

    @Slot()
    def _typed(self) -> None:
        """Take what was typed where it is clear: a number, a whole name, or a part that one class alone has."""
        opened, text = self._pane.opened, self.currentText().strip()
        if opened is None or not text or self.findText(text) >= 0:
            if (index := self.findText(text)) >= 0:
                self._chosen(index)
            return
        from vitviz.attention.classes import class_named
        from vitviz.errors import AttentionError

        try:
            self._store.update(target=class_named(opened.trace, text))
        except AttentionError as error:
            self.told.emit(str(error))
        self.follow(self._store.state)

    def focusInEvent(self, e: QFocusEvent) -> None:
        super().focusInEvent(e)
        # What is being typed stays when the list of what fits goes.
        if e.reason() not in (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason):
            self._edit.selectAll()

    def wheelEvent(self, e: QWheelEvent) -> None:
        # Scrolling past a box is no choice.
        e.ignore()

    def minimumSizeHint(self) -> QSize:
        return QSize(_WIDTH, super().minimumSizeHint().height())
