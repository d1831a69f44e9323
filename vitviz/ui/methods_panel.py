"""Methods side by side: every method small, two of them large, how they differ and how far they agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QColor, QHideEvent, QIcon, QImage, QPixmap
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from vitviz.attention.methods import METHODS
from vitviz.attention.values import Map, Method, Selection
from vitviz.errors import VitvizError
from vitviz.render.overlay import Canvas
from vitviz.render.scale import signed
from vitviz.render.style import limits_of
from vitviz.render.titles import head_text, query_text
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.labels import plain_label
from vitviz.ui.lazy import LazyPanel
from vitviz.ui.method_side import MethodSide
from vitviz.ui.newest import Newest
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.picture_view import PictureView
from vitviz.ui.steady_label import SteadyLabel
from vitviz.ui.words import origin_text, origins_text
from vitviz.ui.wrapping import Wrapping

KIND = "methods side by side"
_LARGEST, _ICON = 360, 84
Found = Map | str


class MethodsPanel(LazyPanel):
    """Computes one map after the other while it is seen.

    Attention and rollout are of the pinned query; what explains a class is of the token that the output is read from,
    whatever is pinned. Each side says which, and so does what is said of both.
    """

    def __init__(self, pane: Pane, worker: Worker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pane, self._store, self._job = pane, pane.store, Newest(worker, KIND, self)
        self._opened: Opened | None = None
        self._canvas: Canvas | None = None
        self.found: dict[Selection, Found] = {}
        self.correlation: float | None = None
        self._given_up = False
        self.tiles = {name: self._tile(name) for name in METHODS}
        self.left, self.right = MethodSide("left", "rollout", pane, self), MethodSide("right", "relevance", pane, self)
        self.view = PictureView(self)
        self.view.setAccessibleName("Difference: left less right")
        self.bar = ColorBar(self)
        self.bar.make_room_for_signs()
        self.numbers = SteadyLabel()
        self.heading = plain_label(wrap=True)
        small = QGridLayout()
        small.setSpacing(2)
        for i, tile in enumerate(self.tiles.values()):
            small.addWidget(tile, i // 3, i % 3)
        below = QHBoxLayout()
        below.addWidget(self.view, 1)
        below.addWidget(self.bar)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.heading)
        layout.addLayout(small)
        layout.addLayout(Wrapping(self.left, self.right), 1)
        layout.addWidget(self.numbers)
        layout.addLayout(below, 1)
        for side in (self.left, self.right):
            side.chosen.connect(self.touch)
        pane.traced.connect(self._traced)
        pane.restyled.connect(lambda _: self._draw_all())
        self.watch(pane, "layer", "head", "query", "target", "options")
        self._job.finished.connect(self._finished)
        self._job.cancelled.connect(self._cancelled)

    def _tile(self, name: Method) -> QToolButton:
        button = QToolButton()
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setText(METHODS[name].title.replace(" ", "\n"))
        button.setIconSize(QSize(_ICON, _ICON))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAccessibleName(f"{METHODS[name].title}: show on the left")
        button.setSizePolicy(button.sizePolicy().Policy.Expanding, button.sizePolicy().Policy.Fixed)
        button.setMinimumWidth(60)
        button.setFixedHeight(_ICON + 14 + 2 * button.fontMetrics().height())
        button.clicked.connect(lambda: self.left.choose(name))
        button.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        button.customContextMenuRequested.connect(lambda _: self.right.choose(name))
        return button

    @property
    def query_words(self) -> str:
        """The token that attention and rollout are of."""
        query = self._store.state.query
        asked = [self.found.get(self.selection(name, None)) for name, each in METHODS.items() if each.of_query]
        shown = next((found for found in asked if isinstance(found, Map)), None)
        return query_text(query, None) if shown is None else query_text(shown.selection.query, shown.query_cell)

    @property
    def target(self) -> int | None:
        """The class of the small maps: that of the toolbar."""
        return self.left.targets.shared

    def _heading(self) -> str:
        """What the small maps are of: query, layer and heads of attention, and class and query of what explains one."""
        state, opened, target = self._store.state, self._opened, self.target
        if opened is None:
            return " "
        words = f"Attention, rollout from {self.query_words} (attention: layer {state.layer}, {head_text(state.head)})"
        if target is None:
            return words
        trace = opened.trace
        read = "pool" if trace.layers[-1].kind == "pool" else trace.default_query
        return f"{words} · relevance, gradients from {query_text(read, None)}: class {trace.label(target)}"

    def selection(self, method: Method, target: int | None) -> Selection:
        """What a method is to show now."""
        state = self._store.state
        if method == "attention":
            return Selection(state.layer, state.head, state.query)
        if method == "rollout":
            return replace(state.rollout, query=state.query)
        return Selection(method=method, target=target)

    def _wanted(self) -> list[Selection]:
        """The two that are large, then all others."""
        sides = [self.selection(side.method, side.target) for side in (self.left, self.right)]
        target = self.target
        return list(dict.fromkeys([*sides, *(self.selection(name, target) for name in METHODS)]))

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        self._opened = opened
        self.found.clear()
        self._job.drop()
        height, width = opened.image.size
        self._canvas = Canvas.for_screen(opened.image, opened.trace.view, _LARGEST)
        for view in (self.left.view, self.right.view, self.view):
            view.set_extent(height, width)
            view.clear()
        for side in (self.left, self.right):
            side.targets.offer(opened.trace)
        self.touch()

    def refresh(self) -> None:
        """Draw what is known, and ask for the next map that is not."""
        self._given_up = False
        self._draw_all()
        opened = self._opened
        missing = next((each for each in self._wanted() if each not in self.found), None)
        if opened is None or missing is None:
            return

        def work(progress: Progress) -> tuple[Opened, Selection, Found]:
            from vitviz.attention.choosing import chosen_map

            try:
                return opened, missing, chosen_map(
                    opened.model, opened.image, opened.trace, missing, progress=progress, cancel=progress.cancelled
                )  # fmt: skip
            except VitvizError as error:
                progress.check()
                return opened, missing, str(error)

        self._job.submit(work)

    @Slot(object)
    def _finished(self, result: tuple[Opened, Selection, Found]) -> None:
        opened, selection, found = result
        if opened is self._opened:
            self.found[selection] = found
            self.touch()

    @Slot()
    def _cancelled(self) -> None:
        self._given_up = True
        self._draw_all()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._job.drop()
        self._stale = True

    def set_colors(self, background: QColor) -> None:
        """The colour around the pictures."""
        for view in (self.left.view, self.right.view, self.view):
            view.set_colors(background)

    def _draw_all(self) -> None:
        if not self.is_seen() or self._canvas is None:
            return
        target = self.target
        self.heading.setText(self._heading())
        for name, tile in self.tiles.items():
            self._draw_tile(tile, name, self.found.get(self.selection(name, target)))
        pair = [self.found.get(self.selection(side.method, side.target)) for side in (self.left, self.right)]
        for side, found in zip((self.left, self.right), pair, strict=True):
            self._draw_side(side, found)
        self._draw_difference(*pair)

    def pixels(self, shown: Map) -> tuple[np.ndarray, tuple[float, float]]:
        """A map in the style of the window on its own scale, and the ends of the scale."""
        assert self._canvas is not None
        limits = limits_of(shown.values, "map", shown.values[None], [shown.values[None]])
        return self._canvas.draw(shown, self._store.state.style, limits), limits

    def _draw_tile(self, tile: QToolButton, name: Method, found: Found | None) -> None:
        tip = f"{METHODS[name].tip}. Click: on the left; right click: on the right"
        tile.setEnabled(not isinstance(found, str))
        tile.setToolTip(found if isinstance(found, str) else tip)
        if not isinstance(found, Map):
            tile.setIcon(QIcon())
            return
        pixels = np.ascontiguousarray(self.pixels(found)[0])
        height, width = pixels.shape[:2]
        image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBX8888)
        tile.setIcon(QIcon(QPixmap.fromImage(image)))

    def _draw_side(self, side: MethodSide, found: Found | None) -> None:
        side.targets.setVisible(METHODS[side.method].of_class)
        side.bar.setVisible(isinstance(found, Map))
        if isinstance(found, Map):
            pixels, limits = self.pixels(found)
            side.view.set_pixels(pixels)
            side.bar.show_scale(self._store.state.style.colormap, limits, "own scale", METHODS[side.method].unit)
        else:
            side.view.clear()
        side.origin.setText(origin_text(found) if isinstance(found, Map) else " ")
        side.note.setText(found if isinstance(found, str) else "")
        side.note.setVisible(isinstance(found, str))

    def _draw_difference(self, left: Found | None, right: Found | None) -> None:
        self.correlation = None
        if not isinstance(left, Map) or not isinstance(right, Map) or self._opened is None:
            self.view.clear()
            self.bar.hide()
            waits = "Cancelled: click a method to go on." if self._given_up else "Computing…"
            self.numbers.setText(waits if None in (left, right) else "There is nothing to compare.")
            return
        from vitviz.attention.comparison import difference
        from vitviz.render.difference import DIVERGING, blended

        found = difference(*(_as_shares(each) for each in (left, right)))
        self.correlation = found.correlation
        self.view.set_pixels(blended(self._opened.image, found.values, found.largest))
        self.bar.show()
        self.bar.show_scale(DIVERGING, (-found.largest, found.largest), "times uniform", "difference")
        constant = not np.isfinite(found.correlation)
        agreed = "not defined, a map is constant" if constant else signed(f"{found.correlation:.3f}")
        self.numbers.setText(
            f"Spearman ρ = {agreed} · overlap {found.overlap:.3f} · left − right, each divided by its sum · "
            f"{origins_text(left, right)}"
        )


def _as_shares(shown: Map) -> Map:
    """A map whose values sum to 1, so that methods of different units can be subtracted."""
    total = float(shown.values.sum())
    return replace(shown, values=shown.values / total if total > 0 else np.full_like(shown.values, 1 / shown.grid.size))
