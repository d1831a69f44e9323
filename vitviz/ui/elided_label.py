"""Words that give way: what does not fit ends in an ellipsis, and the tooltip has all of it."""

from __future__ import annotations

import html

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from vitviz.ui.painted_label import PaintedLabel

_BREAK = " · "
_LEAST = 40  # pixels


class ElidedLabel(PaintedLabel):
    """A plain label that never asks for more width than there is; `text()` is the whole of it.

    One that `fills` a line of its own has no width that it would like: no text of it can move what is beside it.

    Attributes:
        lines: 1, or 2 where words may go on below, from one of their " · " on; room is kept for as many.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None, *, fills: bool = False) -> None:
        self.lines, self._fills = 1, fills
        super().__init__(text, parent)

    def sizeHint(self) -> QSize:
        metrics, (wide, high) = self.fontMetrics(), self.around()
        width = _LEAST if self._fills else metrics.horizontalAdvance(self.text()) + wide
        return QSize(width, self.lines * metrics.height() + high)

    def set_lines(self, lines: int) -> None:
        """Keep room for one line or two."""
        if lines != self.lines:
            self.lines = lines
            self.updateGeometry()
            self.update()
            self._explain()

    def minimumSizeHint(self) -> QSize:
        return QSize(_LEAST, self.sizeHint().height())

    def _changed(self) -> None:
        if not self._fills:
            self.updateGeometry()
        self._explain()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._explain()

    def shown_text(self) -> str:
        """What can be read of the text at this width; lines are apart by a newline."""
        metrics, room, rest = self.fontMetrics(), self.contentsRect().width(), self.text()
        above = ""
        if self.lines > 1 and metrics.horizontalAdvance(rest) > room:
            parts = rest.split(_BREAK)
            starts = [_BREAK.join(parts[:n]) for n in range(1, len(parts))]
            above = next((s for s in reversed(starts) if metrics.horizontalAdvance(s) <= room), "")
            rest = rest[len(above) + len(_BREAK) :] if above else rest
        # `elidedText` counts in fractions of pixels: every other text would be cut at the very width that it asks for.
        fits = metrics.horizontalAdvance(rest) <= room
        shown = rest if fits else metrics.elidedText(rest, Qt.TextElideMode.ElideRight, room)
        return f"{above}\n{shown}" if above else shown

    def _explain(self) -> None:
        # A tooltip takes tags for what they say: names of classes come from files.
        whole = self.text()
        self.setToolTip("" if self.shown_text().replace("\n", _BREAK) == whole else html.escape(whole))
