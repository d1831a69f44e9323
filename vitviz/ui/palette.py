"""Every command of a window by name: type some of its letters, press Enter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import shiboken6
from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QHeaderView,
    QLineEdit,
    QMenuBar,
    QToolBar,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


@dataclass(frozen=True, slots=True, eq=False)
class Offered:
    """What a box offers, by the names of an action: one of Qt's own without an owner may be freed by any thread."""

    trigger: Callable[[], None]
    enabled: bool

    def isEnabled(self) -> bool:
        """Whether it can be chosen now."""
        return self.enabled


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """An action of a window, with the titles of the menus that lead to it."""

    menus: tuple[str, ...]
    name: str
    shortcut: str  # as this system writes it, several parted by " / "
    action: QAction | Offered

    @property
    def path(self) -> str:
        """The name behind its menus: "View › Colormap › Viridis"."""
        return " › ".join((*self.menus, self.name))


def commands(window: QWidget) -> list[Command]:
    """Every named, visible action of the window's menus, tool bars and own list, each once, in that order.

    Then what the boxes of the tool bars offer to choose, under the box's name, where no menu has it.
    """
    found: dict[object, Command] = {}
    for bar in window.findChildren(QMenuBar):
        found.update((each.action, each) for each in _walk(bar.actions(), ()))
    for owner in (*window.findChildren(QToolBar), window):
        for each in _walk(owner.actions(), ()):
            found.setdefault(each.action, each)
    known = {(each.menus[-1:], each.name) for each in found.values()}
    offered = [each for bar in window.findChildren(QToolBar) for each in _offered(bar)]
    return [*found.values(), *(each for each in offered if (each.menus, each.name) not in known)]


def _offered(bar: QToolBar) -> Iterator[Command]:
    """What the boxes of a tool bar offer: those that have a method `offers()` of names and what to run."""
    for owner in bar.actions():
        box = bar.widgetForAction(owner)
        offers = getattr(box, "offers", None)
        if offers is None or not owner.isVisible():
            continue
        for name, run in offers():
            yield Command((box.accessibleName(),), name, "", Offered(run, box.isEnabled()))


def _walk(actions: Sequence[QAction], menus: tuple[str, ...]) -> Iterator[Command]:
    for action in actions:
        name = plain(action.text())
        if action.isSeparator() or not action.isVisible() or not name:
            continue
        menu = action.menu()
        if isinstance(menu, QWidget):
            yield from _walk(menu.actions(), (*menus, name))
        else:
            keys = [each.toString(QKeySequence.SequenceFormat.NativeText) for each in action.shortcuts()]
            yield Command(menus, name, " / ".join(keys), action)


def plain(text: str) -> str:
    """The text of an action without its mnemonic: "&Open && go" is "Open & go"."""
    return text.replace("&&", "\0").replace("&", "").replace("\0", "&")


def score(query: str, text: str) -> float | None:
    """How well the words of `query` fit `text`, higher is better; None where one of them does not.

    A word fits where its letters occur in order: best as they stand, better at the beginning of a word.
    """
    total = 0.0
    text = text.casefold()
    for word in query.casefold().split():
        best = max((_score_from(word, text, i) for i, letter in enumerate(text) if letter == word[0]), default=0.0)
        if best <= 0:
            return None
        total += best
    return total - len(text) / 1000  # of two equal fits the shorter name


def _score_from(word: str, text: str, start: int) -> float:
    """The fit of one word whose first letter is at `start`; 0 where the rest does not follow."""
    total, previous = 0.0, -1
    for letter in word:
        at = text.find(letter, start)
        if at < 0:
            return 0.0
        begins = at == 0 or not text[at - 1].isalnum()
        total += 1 + 3 * begins + 4 * (previous >= 0 and at == previous + 1)
        previous, start = at, at + 1
    return total


class CommandPalette(QDialog):
    """A line to type in over the list of commands that fit it, read anew from `window` each time it opens.

    Enter or a click closes it and triggers the action; disabled actions are greyed and can't be chosen.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setWindowTitle("Commands")
        self._window = window
        self._commands: list[Command] = []
        self.search = QLineEdit(placeholderText="Type a command", clearButtonEnabled=True)
        self.search.setAccessibleName("Search commands")
        self.list = QTreeWidget()
        self.list.setRootIsDecorated(False)
        self.list.setHeaderHidden(True)
        self.list.setUniformRowHeights(True)
        self.list.setAccessibleName("Commands")
        self.list.setColumnCount(2)
        self.list.header().setStretchLastSection(False)
        self.list.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.list.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        # The keyboard stays in the line; the list shows what Up and Down in it choose.
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.addWidget(self.search)
        layout.addWidget(self.list)
        self.resize(560, 420)
        self.search.installEventFilter(self)
        self.search.textChanged.connect(self._filter)
        self.list.itemClicked.connect(self._run)

    def showEvent(self, event: QShowEvent) -> None:
        """Read the window's actions and start with an empty line."""
        self._commands = commands(self._window)
        self.search.clear()
        self._filter("")
        self.search.setFocus()
        super().showEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let Up, Down and Enter in the line act on the list."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run(self.list.currentItem())
                return True
            if event.key() in _MOVES:
                self._move(Qt.Key(event.key()))
                return True
        return super().eventFilter(watched, event)

    @Slot(str)
    def _filter(self, query: str) -> None:
        # Not on the menus and the name as one text: letters scattered over both fit nearly everything.
        scored = [(_best_score(query, each), each) for each in self._commands if shiboken6.isValid(each.action)]
        fitting = [(fit, each) for fit, each in scored if fit is not None]
        if query.strip():
            fitting.sort(key=lambda pair: -pair[0])
        self.list.clear()
        for _, each in fitting:
            item = QTreeWidgetItem([each.path, each.shortcut])
            item.setData(0, Qt.ItemDataRole.UserRole, self._commands.index(each))
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setDisabled(not each.action.isEnabled())
            self.list.addTopLevelItem(item)
        self.list.setCurrentItem(next(iter(self._enabled()), None))  # type: ignore[arg-type]  # None clears it

    def _enabled(self) -> list[QTreeWidgetItem]:
        items = (self.list.topLevelItem(row) for row in range(self.list.topLevelItemCount()))
        return [each for each in items if each is not None and not each.isDisabled()]

    def _move(self, key: Qt.Key) -> None:
        items, current = self._enabled(), self.list.currentItem()
        if current not in items:
            return
        at = items.index(current)
        if key == Qt.Key.Key_Up:
            at -= 1
        elif key == Qt.Key.Key_Down:
            at += 1
        else:
            at = min(max(at + (10 if key == Qt.Key.Key_PageDown else -10), 0), len(items) - 1)
        self.list.setCurrentItem(items[at % len(items)])

    @Slot(QTreeWidgetItem)
    def _run(self, item: QTreeWidgetItem | None) -> None:
        if item is None or item.isDisabled():
            return
        action = self._commands[item.data(0, Qt.ItemDataRole.UserRole)].action
        # Closed first, so that the command finds the window active and may open a dialog of its own.
        self.accept()
        if shiboken6.isValid(action):
            action.trigger()


def _best_score(query: str, command: Command) -> float | None:
    name = score(query, command.name)
    return score(query, command.path) if name is None else name + 1
