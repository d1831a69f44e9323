"""The numbers of the layers and heads beside the atlas, as many as there is room for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyqtgraph as pg
from PySide6.QtGui import QColor

from vitviz.render.mosaic import Tiles
from vitviz.ui.marks import text_item
from vitviz.ui.picture_view import PictureView

_GAP = 6.0  # screen pixels between a label and what is next to it


class AtlasLabels:
    """Writes into a view around its tiles: layers at the left, heads above. `texts` are all that were written."""

    def __init__(self, view: PictureView, color: QColor) -> None:
        self._view, self._color = view, color
        self._items: list[tuple[pg.TextItem, str]] = []
        self._tiles: Tiles | None = None
        self._layers: tuple[str, ...] = ()
        self._heads_title, self._titled = "", False
        view.box.sigRangeChanged.connect(self.thin_out)

    @property
    def texts(self) -> list[str]:
        """What is written, hidden or not: titles, rows and columns."""
        return [item.toPlainText() for item, _ in self._items]

    def of(self, kind: str) -> list[pg.TextItem]:
        """The labels that are "row", "column" or "title"."""
        return [item for item, known in self._items if known == kind]

    def set_color(self, color: QColor) -> None:
        """The colour of all of them."""
        self._color = color
        for item, _ in self._items:
            item.setColor(color)

    def name(self, tiles: Tiles, titles: Sequence[str], ordered_by: str) -> None:
        """Label other tiles; `titles` are the longer names of layers, `ordered_by` what the heads are sorted by."""
        self._tiles, self._titled = tiles, any(titles)
        self._layers = tuple(f"L{i} · {titles[i]}" if titles and titles[i] else str(i) for i in range(len(tiles.heads)))
        self._heads_title = f"heads, least {ordered_by} first" if ordered_by else "head"
        self.write()

    def write(self) -> None:
        """Write them all, and give the view the room that they take at its size."""
        for item, _ in self._items:
            self._view.box.removeItem(item)
        self._items.clear()
        if self._tiles is None:
            return
        tiles, metrics = self._tiles, self._view.fontMetrics()
        (height, width), line = tiles.size, metrics.height()
        left = max(metrics.horizontalAdvance(name) for name in self._layers) + 2 * _GAP
        left += 0 if self._titled else line + _GAP
        above = line + _GAP if self._is_sorted else 2 * line + _GAP
        # The room beside the labels and the view's own padding, shared by the tiles: screen pixels for one of theirs.
        room = (self._view.width() - left) / width * 0.95, (self._view.height() - above) / height * 0.95
        scale = max(min(room), 0.05)
        self._view.set_extent(height, width, margin=above / scale, left=left / scale)
        near = _GAP / 2 / scale
        for layer, name in enumerate(self._layers):
            self._add("row", name, -near, tiles.box(layer, 0)[1] + tiles.tile[0] / 2, (1.0, 0.5))
        # Sorted, a column holds another head in every row: then no number above it would be true.
        for head in range(0 if self._is_sorted else max(tiles.heads)):
            self._add("column", str(head), tiles.box(0, head)[0] + tiles.tile[1] / 2, -near, (0.5, 1.0))
        self._add("title", self._heads_title, width / 2, -near - (0 if self._is_sorted else line / scale), (0.5, 1.0))
        if not self._titled:
            self._add("title", "layer", -near - (left - line - _GAP) / scale, height / 2, (0.5, 1.0), angle=90)
        self.thin_out()

    @property
    def _is_sorted(self) -> bool:
        return self._heads_title != "head"

    def _add(
        self, kind: str, text: str, x: float, y: float, anchor: tuple[float, float], angle: float = 0
    ) -> pg.TextItem:
        item = text_item(self._view.box, text, (x, y), anchor, self._color, angle)
        self._items.append((item, kind))
        return item

    def thin_out(self, *_: object) -> None:
        """Leave out labels that would run into each other: every second or third is enough."""
        if self._tiles is None:
            return
        tiles, metrics = self._tiles, self._view.fontMetrics()
        wide, high = self._view.box.viewPixelSize()
        widest = metrics.horizontalAdvance("0" * len(str(max(tiles.heads) - 1))) + 4
        for kind, needed, pitch in (
            ("row", metrics.height() - 2, (tiles.tile[0] + tiles.gap) / high),
            ("column", widest, (tiles.tile[1] + tiles.gap) / wide),
        ):
            every = max(1, math.ceil(needed / max(pitch, 1e-6)))
            for i, label in enumerate(self.of(kind)):
                label.setVisible(i % every == 0)
