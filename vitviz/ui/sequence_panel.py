"""How a picture becomes a sequence: its patches numbered, what attention between them costs, and each as a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from vitviz.attention.values import Place
from vitviz.errors import VitvizError
from vitviz.images import view_pixels
from vitviz.models.layout import Grid
from vitviz.render.sequence import cost_text, count_text, stages_text, token_name
from vitviz.render.studies.cut import CutStudy, cut_of
from vitviz.render.studies.study import Subject
from vitviz.ui.cut_view import CutView, Token
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.labels import plain_label
from vitviz.ui.lazy import LazyPanel
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.patch_link import PatchLink
from vitviz.ui.qimages import pixmap_of
from vitviz.ui.settings import Settings
from vitviz.ui.steady_label import SteadyLabel
from vitviz.ui.strip import Strip
from vitviz.ui.study_buttons import ShownStudy, StudyButtons
from vitviz.ui.wrapping import Wrapping

if TYPE_CHECKING:
    from vitviz.embeddings.pixels import PatchTokens

KIND = "tokens from pixels"
_ENLARGED = 104  # screen pixels of the patch under the mouse


class SequencePanel(LazyPanel):
    """Follows the query; the patch under the mouse is shown as pixels and as the vectors that it becomes.

    Runs the network up to its first layer in the worker, once a picture, and nothing at all while it is hidden.
    """

    def __init__(self, pane: Pane, worker: Worker, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane, self._worker = pane, worker
        self._link = PatchLink(pane)
        self._opened: Opened | None = None
        self._view_pixels = np.zeros((1, 1, 3), dtype=np.uint8)
        self._background = QColor("#1b1b1b")
        self.found: PatchTokens | None = None
        self.token: Token | None = None
        self.count = plain_label(wrap=True, bold=True)
        self.cost, self.note, self.caption = plain_label(wrap=True), plain_label(wrap=True), SteadyLabel()
        self.view = CutView(self)
        self.patch = plain_label("")
        self.patch.setFixedSize(_ENLARGED, _ENLARGED)
        self.patch.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.patch.setAccessibleName("The patch under the mouse, enlarged")
        self.strips = (Strip("patch embedding"), Strip("+ position"), Strip("= token"))
        self.buttons = StudyButtons(worker, settings, self._shown, "tokens", self)
        self._lay_out()
        self.view.hovered.connect(self._hovered)
        self.view.left.connect(self._left)
        self.view.clicked.connect(self._clicked)
        self.view.unclicked.connect(self._link.unclick)
        pane.traced.connect(self.touch)
        self.watch(pane, "effective_query")
        worker.finished.connect(self._finished)

    def _lay_out(self) -> None:
        strips = QVBoxLayout()
        strips.setSpacing(2)
        for strip in self.strips:
            strips.addWidget(strip)
        one = QHBoxLayout()
        one.addWidget(self.patch, 0, Qt.AlignmentFlag.AlignVCenter)
        one.addLayout(strips, 1)
        below = Wrapping(self.note, self.buttons)
        below.setAlignment(self.buttons, Qt.AlignmentFlag.AlignBottom)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.count)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.caption)
        layout.addLayout(one)
        layout.addWidget(self.cost)
        layout.addLayout(below)

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours between the patches, and of the prefix tokens."""
        self._background = background
        self.view.set_colors(background)
        self.view.set_ink(foreground)
        if self._opened is not None:
            self._opened = None
            self.touch()

    def refresh(self) -> None:
        """Cut another picture, and run the network's first steps on it."""
        opened = self._pane.opened
        if opened is None or opened is self._opened:
            self.follow()
            return
        self._opened, self.found, self.token = opened, None, None
        self._view_pixels = view_pixels(opened.image, opened.model.preprocessing)
        self.count.setText(count_text(opened.trace))
        self.cost.setText(cost_text(opened.trace))
        self.note.setText(stages_text(opened.trace))
        self._cut(opened.trace.layers[0].query_grid, opened.trace.prefix_tokens)

        def work(progress: Progress) -> object:
            from vitviz.embeddings.pixels import patch_tokens

            try:
                return opened, patch_tokens(opened.model, opened.image), ""
            except VitvizError as error:
                return opened, None, str(error)

        self._worker.submit(KIND, work)
        self.follow()

    def _cut(self, grid: Grid, prefix: tuple[str, ...]) -> None:
        from vitviz.render.cut import cut_pixels, cut_tiles

        color = self._background
        tiles = cut_tiles(grid.shape, grid.stride)
        pixels = cut_pixels(self._view_pixels, tiles, (color.red(), color.green(), color.blue()))
        self.view.show_patches(pixels, tiles, prefix)

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        if kind != KIND or result[0] is not self._opened or self._opened is None:
            return
        self.found = result[1]
        words = result[2] if self.found is None else self.found.note
        self.note.setText(" ".join(part for part in (words, stages_text(self._opened.trace)) if part))
        if self.found is not None and self.found.position is None:
            self.note.setText(f"{self.note.text()} {self._without_position()}".strip())
        for strip in self.strips:
            strip.setVisible(self.found is not None)
        self._show_token()

    def _without_position(self) -> str:
        from vitviz.embeddings.rotary import has_rotary

        assert self._opened is not None
        if has_rotary(self._opened.model):
            return "No position is added: it turns queries and keys in every layer."
        return "No position is added to the tokens."

    @property
    def _grid(self) -> Grid | None:
        return self._opened.trace.layers[0].query_grid if self._opened is not None else None

    def follow(self) -> None:
        """Show the token of the query; without one, what was shown last, the middle patch at first."""
        grid, opened = self._grid, self._opened
        if grid is None or opened is None:
            return
        query, view = self._pane.store.state.effective_query, opened.trace.view
        if isinstance(query, Place):
            self.token = grid.cell_at(*view.to_view(query.x, query.y))
        elif isinstance(query, tuple):
            self.token = min(query[0], grid.rows - 1), min(query[1], grid.cols - 1)
        elif query in self.view.prefix:
            self.token = self.view.prefix.index(query)
        elif self.token is None:
            self.token = grid.rows // 2, grid.cols // 2
        self._show_token()

    def _show_token(self) -> None:
        token, grid = self.token, self._grid
        if token is None or grid is None:
            return
        self.view.mark(token)
        prefix = self.view.prefix
        if isinstance(token, int):
            self.caption.setText(f"Token {token} = {token_name(prefix[token])}: learned, stands for no place")
            self.patch.clear()
            self.patch.setText(token_name(prefix[token]))
            index = token
        else:
            index = len(prefix) + token[0] * grid.cols + token[1]
            u0, v0, u1, v1 = grid.box(*token)
            self.caption.setText(
                f"Token {index} = patch ({token[0]}, {token[1]}): columns {u0:.0f} to {u1 - 1:.0f}, rows {v0:.0f} to "
                f"{v1 - 1:.0f} of the view"
            )
            self._enlarge(token)
        self._show_vectors(token, index)

    def _enlarge(self, cell: tuple[int, int]) -> None:
        from vitviz.render.cut import patch_pixels

        assert self.view.tiles is not None
        patch = pixmap_of(patch_pixels(self._view_pixels, cell, self.view.tiles.tile))
        fast, keep = Qt.TransformationMode.FastTransformation, Qt.AspectRatioMode.KeepAspectRatio
        self.patch.setPixmap(patch.scaled(_ENLARGED, _ENLARGED, keep, fast))

    def _show_vectors(self, token: Token, index: int) -> None:
        found = self.found
        if found is None or index >= len(found.tokens):
            return
        embedding, position, whole = self.strips
        values = found.tokens[index]
        parts: list[np.ndarray] = [values]
        of_patch = not isinstance(token, int)
        added = found.position is not None and of_patch
        if of_patch:
            made = found.embedded[index - len(found.prefix_tokens)]
            parts.append(made)
        if added and found.position is not None:
            parts.append(found.position[index - len(found.prefix_tokens)])
        # One scale for the three, so that what is added can be compared with what it is added to.
        scale = max(float(np.abs(part).max()) for part in parts) or 1.0
        embedding.setVisible(of_patch)
        position.setVisible(added)
        whole.title = f"= token {index}, input of the first layer" if of_patch else f"token {index}"
        if of_patch:
            embedding.show_values(parts[1], scale)
        if added:
            position.show_values(parts[2], scale)
        whole.show_values(values, scale)

    @Slot(object)
    def _hovered(self, place: Place) -> None:
        token = self.view.token_at(place)
        if token is None:
            return
        if isinstance(token, int):
            # A named token is no place that could be the query under the mouse; it is looked at here alone.
            self.token = token
            self._show_token()
        elif self._grid is not None:
            self._link.hover(token, self._grid)

    @Slot()
    def _left(self) -> None:
        self._link.leave()
        self.follow()

    @Slot(object)
    def _clicked(self, place: Place) -> None:
        token, grid = self.view.token_at(place), self._grid
        if grid is None:
            return
        if isinstance(token, int):
            self._link.click_token(self.view.prefix[token])
        else:
            self._link.click(token, grid)

    def _shown(self) -> ShownStudy | None:
        opened = self._opened
        if opened is None:
            return None
        subject = Subject(opened.model, opened.image, opened.trace)
        return ShownStudy(CutStudy(), subject, cut_of(opened.trace, self._view_pixels))

    def show_study(self, study: CutStudy) -> None:
        """Show what an exported figure shows: the picture that is opened."""
