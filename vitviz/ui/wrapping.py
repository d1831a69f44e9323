"""A row of widgets that goes on in another line where it is too narrow.

Flow layouts as in Qt's example give every widget the width that it would like: they neither fill a line nor let a
choice with long names be narrower than these, which is what cuts panels off.
"""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtWidgets import QComboBox, QLabel, QLayout, QLayoutItem, QSizePolicy, QWidget

_WORDS = 140  # pixels that a wrapped text is given, at least, to stand beside something
_ACROSS, _UP = Qt.Orientation.Horizontal, Qt.Orientation.Vertical


class Wrapping(QLayout):
    """Lines of widgets, each line as wide as there is room: in it grow those that can, by their policy.

    A widget that can grow needs a place as wide as it must be, any other one as wide as it would like to be.
    """

    def __init__(self, *widgets: QWidget, parent: QWidget | None = None, spacing: int = 6) -> None:
        super().__init__(*(() if parent is None else (parent,)))
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(spacing)
        for widget in widgets:
            self.addWidget(widget)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return _ACROSS | _UP if any(_stretches(item, _UP) for item in self._items) else _ACROSS

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        heights = [_height(line) for line in self._lines(width)]
        return sum(heights) + self.spacing() * max(0, len(heights) - 1)

    def minimumSize(self) -> QSize:
        shown = [item for item in self._items if not item.isEmpty()]
        sizes = [item.minimumSize() for item in shown]
        return QSize(max((s.width() for s in sizes), default=0), max((s.height() for s in sizes), default=0))

    def sizeHint(self) -> QSize:
        shown = [item for item in self._items if not item.isEmpty()]
        width = sum(_wanted(item) for item in shown) + self.spacing() * max(0, len(shown) - 1)
        return QSize(width, self.heightForWidth(width))

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        lines = list(self._lines(rect.width()))
        spare = rect.height() - self.heightForWidth(rect.width())
        high = [line for line in lines if any(_stretches(item, _UP) for item, _ in line)]
        top = rect.y()
        for line in lines:
            height = _height(line) + (max(0, spare) // len(high) if line in high else 0)
            left = rect.x()
            for item, width in line:
                item.setGeometry(QRect(left, top, width, height))
                left += width + self.spacing()
            top += height + self.spacing()

    def _lines(self, room: int) -> Iterator[list[tuple[QLayoutItem, int]]]:
        """The widgets that are shown, line by line, each with its width."""
        line: list[tuple[QLayoutItem, int]] = []
        used = 0
        for item in self._items:
            if item.isEmpty():
                continue
            width = min(_wanted(item), room)
            if line and used + self.spacing() + width > room:
                yield _filled(line, room - used)
                line, used = [], 0
            used += width + (self.spacing() if line else 0)
            line.append((item, width))
        if line:
            yield _filled(line, room - used)


def _stretches(item: QLayoutItem, way: Qt.Orientation) -> bool:
    widget = item.widget()
    ignores = widget is not None and widget.sizePolicy().horizontalPolicy() == QSizePolicy.Policy.Ignored
    if way == _ACROSS and (item.hasHeightForWidth() or ignores):
        return True
    return bool(item.expandingDirections() & way)


def _wanted(item: QLayoutItem) -> int:
    if not _stretches(item, _ACROSS):
        return item.sizeHint().width()
    return max(_WORDS if isinstance(item.widget(), QLabel) else 0, item.minimumSize().width())


def _filled(line: list[tuple[QLayoutItem, int]], spare: int) -> list[tuple[QLayoutItem, int]]:
    """The line with its spare width given to what can grow."""
    growing = [i for i, (item, _) in enumerate(line) if _stretches(item, _ACROSS)]
    shares = {i: (spare * (k + 1)) // len(growing) - (spare * k) // len(growing) for k, i in enumerate(growing)}
    return [(item, width + shares.get(i, 0)) for i, (item, width) in enumerate(line)]


def _height(line: list[tuple[QLayoutItem, int]]) -> int:
    """What a line takes; what can grow in height takes as little as it can, and what is left over after that."""
    return max(_high(item, width) for item, width in line)


def _high(item: QLayoutItem, width: int) -> int:
    if _stretches(item, _UP):
        return item.minimumHeightForWidth(width) if item.hasHeightForWidth() else item.minimumSize().height()
    return item.heightForWidth(width) if item.hasHeightForWidth() else item.sizeHint().height()


def narrow(box: QComboBox, letters: int = 8) -> None:
    """Let a box be narrower than its longest entry, and fill the room that there is."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(letters)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
