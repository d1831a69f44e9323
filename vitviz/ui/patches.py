"""The model's view: the pixels it was given, cut into patches, with a chip for every token that is no patch."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from vitviz.attention.methods import about
from vitviz.attention.values import Map
from vitviz.images import Preprocessing, view_pixels
from vitviz.render.sequence import token_name
from vitviz.render.style import Style
from vitviz.ui.labels import plain_label
from vitviz.ui.marks import MouseFrame, Pin, cell_rect, frame_item, grid_path, set_frame
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.picture_view import PictureView
from vitviz.ui.store import State
from vitviz.ui.window_marks import WindowItems
from vitviz.ui.wrapping import Wrapping

_MOST_CHIPS = 16


class PatchesPanel(QWidget):
    """Shows the view with its patch grid and the query; chips choose a named token as query, or free it again.

    `reach_asked()` when the user asks what the token can see.
    """

    reach_asked = Signal()

    def __init__(self, pane: Pane, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane = pane
        self.view = PictureView(self)
        self.view.setAccessibleName("The model's view, cut into patches")
        self._lines = pg.QtWidgets.QGraphicsPathItem()
        self.view.box.addItem(self._lines)
        self._windows = WindowItems(self.view.box)
        self._edge = frame_item(self.view.box, (0, 0, 0), 3.5)
        self._frame = frame_item(self.view.box, (255, 255, 255), 1.8)
        self._under_mouse, self._pin = MouseFrame(self.view.box), Pin(self.view.box)
        self.count = plain_label(wrap=True)
        self.reach_button = QPushButton("What can this token see?")
        self.reach_button.setToolTip("The receptive field of the patch, growing layer by layer (S)")
        self.reach_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.reach_button.clicked.connect(lambda _=False: self.reach_asked.emit())
        self._counted = ""
        self.chips: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._group.setExclusive(False)
        self._row = Wrapping(spacing=4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(self._row)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.count)
        layout.addWidget(self.reach_button)
        pane.traced.connect(self._traced)
        pane.map_changed.connect(self._mapped)
        pane.restyled.connect(self._restyled)
        pane.store.changed.connect(self._chosen)

    def mark(self, rect: QRectF | None) -> None:
        """Frame the patch under the mouse, in pixels of the picture."""
        self._under_mouse.show(rect)

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        preprocessing, view = opened.model.preprocessing, opened.trace.view
        height, width = opened.image.size
        self.view.set_extent(height, width)
        self.view.set_pixels(view_pixels(opened.image, preprocessing), view.box)
        self._counted = _count_text(opened, preprocessing)
        self.count.setText(self._counted)
        self._make_chips(self._pane.store.reality.tokens)
        self._chosen(None, self._pane.store.state)

    def _make_chips(self, tokens: tuple[str, ...]) -> None:
        while item := self._row.takeAt(0):
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.chips.clear()
        for token in tokens if len(tokens) <= _MOST_CHIPS else (*tokens[: _MOST_CHIPS - 1], tokens[-1]):
            chip = QToolButton()
            chip.setText(token_name(token))
            chip.setCheckable(True)
            chip.setToolTip(_tip(token))
            # No partial: PySide would leave out `checked` there.
            chip.clicked.connect(lambda checked, token=token: self._chip_clicked(token, checked))
            self._row.addWidget(chip)
            self.chips[token] = chip

    def _chip_clicked(self, token: str, checked: bool) -> None:
        self._pane.store.update(query=token if checked else None)
        self._chosen(None, self._pane.store.state)

    @Slot(object, object)
    def _chosen(self, old: State | None, new: State) -> None:
        default = self._pane.opened.trace.default_query if self._pane.opened else None
        asked = new.effective_query if new.effective_query is not None else default
        for token, chip in self.chips.items():
            chip.setChecked(token == asked)
        self._show_pin()

    def _show_pin(self) -> None:
        self._pin.show_at(self._frame.rect() if self._frame.isVisible() and self._pane.is_pinned() else None)

    @Slot(object)
    def _mapped(self, shown: object) -> None:
        found = self._pane.map
        assert found is not None
        # Many lines would hide the pixels between them.
        strength = min(110, max(35, 2600 // max(found.grid.shape)))
        self._lines.setPen(pg.mkPen(255, 255, 255, strength, width=1, cosmetic=True))
        self._lines.setPath(grid_path(found.grid, found.view))
        rect: QRectF | None = None if found.query_cell is None else cell_rect(found.grid, found.view, found.query_cell)
        set_frame(self._edge, rect)
        set_frame(self._frame, rect)
        self._show_pin()
        self._windows.show(found, self._pane.store.state.style)
        self.count.setText(self._counted + self._merged_text(found))

    def _merged_text(self, shown: Map) -> str:
        """The grid of the map in a line, where stages merge patches: it is not the one that the sequence began with."""
        opened = self._pane.opened
        layers = opened.trace.layers if opened is not None else ()
        if len({layer.query_grid.shape for layer in layers if layer.kind != "pool"}) < 2:
            return ""
        grid, first = shown.grid, layers[0].query_grid
        what = f"Layer {shown.selection.layer}" if about(shown).of_head else "This map"
        size = f"{grid.stride[0]:g}" if grid.stride[0] == grid.stride[1] else f"{grid.stride[0]:g} x {grid.stride[1]:g}"
        merged = "" if grid.shape == first.shape else ", after merging"
        return f"\n{what}: {grid.rows} x {grid.cols} tokens of {size} px{merged}"

    @Slot(object)
    def _restyled(self, style: Style) -> None:
        if self._pane.map is not None:
            self._windows.show(self._pane.map, style)


def _tip(token: str) -> str:
    if token == "cls":
        return "The class token: what the prediction is read from"
    if token == "mean":
        return "The mean over all patches as queries"
    if token == "dist":
        return "The distillation token"
    return f"{token_name(token)}, a token that stands for no place"


def _count_text(opened: Opened, preprocessing: Preprocessing) -> str:
    height, width = preprocessing.input_size
    grid = opened.trace.layers[0].query_grid
    prefix = len(opened.trace.prefix_tokens)
    patch = f"{grid.stride[0]:g}" if grid.stride[0] == grid.stride[1] else f"{grid.stride[0]:g} x {grid.stride[1]:g}"
    down = _count_of(height, grid.stride[0], grid.rows)
    tokens = f"N = {down} · {_count_of(width, grid.stride[1], grid.cols)} = {grid.size}"
    if prefix:
        tokens += f" patches + {prefix} = {grid.size + prefix} tokens"
    else:
        tokens += " patches"
    return f"View {height} x {width} px, patch {patch} px\n{tokens}"


def _count_of(pixels: int, stride: float, count: int) -> str:
    """ "224/16", or "⌊250/16⌋" where the patches leave a rest of the view, "⌈250/16⌉" where they reach beyond it."""
    exact = f"{pixels}/{stride:g}"
    return exact if count * stride == pixels else f"⌊{exact}⌋" if count * stride < pixels else f"⌈{exact}⌉"
