"""Room that is never too small: where there is less of it than a widget needs, the widget scrolls."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QScrollArea, QWidget


class Scroller(QScrollArea):
    """Gives its widget all the room there is, and as much as its least size needs where that is more.

    Qt's own `widgetResizable` would ask for the preferred height of everything that has a wrapped line in it, and so
    scroll what could as well be a little smaller.
    """

    def __init__(self, widget: QWidget, least: QSize, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._inner, self._least = widget, least
        self._resizing = False
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        # The arrows are for layers and heads; Tab brings what it reaches into sight.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(widget)
        widget.installEventFilter(self)

    def minimumSizeHint(self) -> QSize:
        return self._least

    def sizeHint(self) -> QSize:
        return self._inner.sizeHint()

    def needed(self, width: int) -> QSize:
        """The least size of the widget where it is given so much width."""
        widget, layout = self._inner, self._inner.layout()
        least = widget.minimumSizeHint().expandedTo(widget.minimumSize())
        if layout is not None and layout.hasHeightForWidth():
            least.setHeight(layout.minimumHeightForWidth(max(width, least.width())))
        return least

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        handled = super().eventFilter(watched, event)
        if event.type() == QEvent.Type.LayoutRequest and watched is self._inner:
            self._arrange()
            self.updateGeometry()
        return handled

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange()
        super().resizeEvent(event)

    def _arrange(self) -> None:
        if self._resizing:
            return
        self._resizing = True
        try:
            whole = self.maximumViewportSize()
            room, needed = QSize(whole), self.needed(whole.width())
            # A bar takes room of its own, which may call for the other bar.
            for _ in range(2):
                if needed.height() > room.height():
                    room.setWidth(whole.width() - self.verticalScrollBar().sizeHint().width())
                if needed.width() > room.width():
                    room.setHeight(whole.height() - self.horizontalScrollBar().sizeHint().height())
                needed = self.needed(room.width())
            self._inner.resize(room.expandedTo(needed))
        finally:
            self._resizing = False
