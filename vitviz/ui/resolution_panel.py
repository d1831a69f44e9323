"""The position embedding at another size of view: resampled or carried over naively, and the prediction with each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, Qt, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from vitviz.attention.values import Place
from vitviz.errors import VitvizError
from vitviz.models.layout import Grid
from vitviz.render.studies.study import Subject
from vitviz.render.studies.transfer import LIMITS, TITLES, TransferStudy, cell_of, similar, title_of
from vitviz.ui.axed_view import AxedView
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.labels import plain_label
from vitviz.ui.lazy import LazyPanel
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.patch_link import PatchLink
from vitviz.ui.settings import Settings
from vitviz.ui.study_buttons import ShownStudy, StudyButtons
from vitviz.ui.transfer_table import TIPS, TransferTable, verdict, without_row
from vitviz.ui.wrapping import Wrapping

if TYPE_CHECKING:
    from vitviz.embeddings.transfer import Transfer

KIND = "another size"
_FACTORS = (0.5, 0.75, 1.25, 1.5, 2.0)


class ResolutionPanel(LazyPanel):
    """Four maps of the place under the mouse, before and after, and a table of what each does to the prediction.

    Runs the network four times in the worker when asked to. `compare` asks, as the button does.
    """

    def __init__(self, pane: Pane, worker: Worker, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane, self._worker = pane, worker
        self._link = PatchLink(pane)
        self._opened: Opened | None = None
        self._sizes: list[tuple[int, int]] = []
        self._asked: tuple[Opened, tuple[int, int]] | None = None
        self._place = (0.5, 0.5)
        self._wished: tuple[int, int] | None = None
        self.found: tuple[Transfer, ...] = ()
        self.text, self.verdict = plain_label(wrap=True), plain_label(wrap=True)
        self.sizes = QComboBox()
        self.sizes.setAccessibleName("Size of the view to carry the positions over to")
        self.sizes.setToolTip("Size of the view to carry the positions over to")
        self.button = QPushButton("Compare")
        self.button.setToolTip("Run the network with its positions carried over in three ways")
        self.button.clicked.connect(self.compare)
        self.views = tuple(AxedView(f"{TITLES[way]}: similarity of positions", parent=self) for way in TITLES)
        self.titles = tuple(plain_label() for _ in TITLES)
        self.bar = ColorBar(self)
        self._filler = QWidget()
        self.buttons = StudyButtons(worker, settings, self._shown, "positions at another size", self)
        self.table = TransferTable(self)
        self._lay_out()
        for i, view in enumerate(self.views):
            view.hovered.connect(lambda place, i=i: self._hovered(i, place))
            view.left.connect(self._link.leave)
        pane.traced.connect(self.touch)
        pane.restyled.connect(self._draw)
        self.watch(pane, "effective_query")
        worker.finished.connect(self._finished)
        worker.cancelled.connect(self._ended)
        worker.failed.connect(self._ended)

    def _lay_out(self) -> None:
        self.maps = QWidget()
        grid = QGridLayout(self.maps)
        grid.setContentsMargins(0, 0, 0, 0)
        for i, (title, view, way) in enumerate(zip(self.titles, self.views, TITLES, strict=True)):
            title.setToolTip(TIPS[way])
            grid.addWidget(title, 2 * (i // 2), i % 2)
            grid.addWidget(view, 2 * (i // 2) + 1, i % 2)
        grid.addWidget(self.bar, 0, 2, 4, 1)
        for row in (1, 3):
            grid.setRowStretch(row, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.text)
        layout.addLayout(Wrapping(self.sizes, self.button))
        layout.addWidget(self.maps, 1)
        layout.addWidget(self._filler, 1)
        layout.addWidget(self.table)
        below = Wrapping(self.verdict, self.buttons)
        below.setAlignment(self.buttons, Qt.AlignmentFlag.AlignBottom)
        layout.addLayout(below)
        self._clear()

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours around the maps and of their numbers."""
        for view in self.views:
            view.set_canvas(background, foreground)
        self._draw()

    def _clear(self) -> None:
        self.found = ()
        for widget in (self.maps, self.table, self.verdict, self.buttons):
            widget.hide()
        self._filler.show()
        self.text.show()

    def refresh(self) -> None:
        """Offer sizes for another model; what was compared is another picture's or another model's."""
        opened = self._pane.opened
        if opened is None or opened is self._opened:
            self.follow()
            return
        self._opened = opened
        self._clear()
        model = opened.model
        grid, (height, width) = opened.trace.layers[0].query_grid, model.preprocessing.input_size
        patch = height // grid.rows, width // grid.cols
        self._sizes = []
        for factor in _FACTORS:
            rows, cols = round(grid.rows * factor), round(grid.cols * factor)
            size = rows * patch[0], cols * patch[1]
            if min(rows, cols) >= 2 and size not in self._sizes and size != (height, width):
                self._sizes.append(size)
        self.sizes.clear()
        for size in self._sizes:
            self.sizes.addItem(f"View of {size[0]} x {size[1]} px")
        self.sizes.setCurrentIndex(max(0, len(self._sizes) - 2))
        self.button.setEnabled(bool(self._sizes))
        self.text.setText(
            "A view of another size has another number of patches than the position embedding has rows. What becomes "
            "of the prediction when the rows are resampled over the new grid, and when they are carried over as they "
            "stand?"
        )
        self._take_wish()

    @Slot()
    def compare(self) -> None:
        """Run the network at the chosen size with its positions carried over in every way."""
        opened, index = self._opened, self.sizes.currentIndex()
        if opened is None or not 0 <= index < len(self._sizes):
            return
        size = self._sizes[index]
        self._asked = asked = (opened, size)
        self.button.setEnabled(False)

        def work(progress: Progress) -> object:
            from vitviz.embeddings.transfer import transfers

            try:
                found = transfers(opened.model, opened.image, size, progress=progress, cancel=progress.cancelled)
                return asked, found, ""
            except VitvizError as error:
                progress.check()
                return asked, (), str(error)

        self._worker.submit(KIND, work)

    @Slot(int, str, object)
    def _ended(self, number: int, kind: str, error: object = None) -> None:
        if kind == KIND:
            self.button.setEnabled(bool(self._sizes))

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        if kind != KIND:
            return
        self.button.setEnabled(bool(self._sizes))
        asked: Any
        asked, found, words = result
        if self._asked != asked or self._opened is not asked[0]:
            return
        self._clear()
        self.found = found
        if not self.found:
            self.text.setText(words)
            return
        for widget in (self.maps, self.table, self.verdict, self.buttons):
            widget.show()
        self._filler.hide()
        self.text.hide()  # has been read, and the maps need its room
        for each, view, title in zip(self.found, self.views, self.titles, strict=True):
            title.setText(title_of(each))
            view.set_cells(each.patches.shape[:2])
        self.table.show_transfers(self.found)
        self.follow()

    def follow(self) -> None:
        """Compare with the place of the query; a named token leaves the place that was shown."""
        query, opened = self._pane.store.state.effective_query, self._opened
        if isinstance(query, Place) and opened is not None:
            view = opened.trace.view
            u, v = view.to_view(query.x, query.y)
            self._place = min(max(v / view.size[0], 0.0), 0.9999), min(max(u / view.size[1], 0.0), 0.9999)
        self._draw()

    @property
    def cells(self) -> list[tuple[int, int]]:
        """The patch of each of the maps that lies where the query lies."""
        return [cell_of(each, self._place) for each in self.found]

    @Slot()
    def _draw(self) -> None:
        if not self.found:
            return
        if not self.is_seen():
            self._stale = True
            return
        from vitviz.render.weights import map_indices

        colormap = self._pane.store.state.style.colormap
        self.bar.show_scale(colormap, LIMITS, "fixed scale", "cosine similarity")
        cells = self.cells
        for each, view, (row, col) in zip(self.found, self.views, cells, strict=True):
            view.show_indices(map_indices(similar(each, self._place), LIMITS), colormap)
            view.mark(QRectF(col, row, 1, 1))
        empty = without_row(self.found, cells)
        self.verdict.setText(" ".join(part for part in (verdict(self.found), empty) if part))

    def _hovered(self, index: int, place: Place) -> None:
        if self._opened is None or not self.found:
            return
        (rows, cols), (height, width) = self.found[index].patches.shape[:2], self._opened.trace.view.size
        if 0 <= place.x < cols and 0 <= place.y < rows:
            # Laid over the view that the pane shows, whatever size this one has.
            self._link.hover((int(place.y), int(place.x)), Grid(rows, cols, (height / rows, width / cols)))

    def _shown(self) -> ShownStudy | None:
        opened = self._opened
        if opened is None or not self.found:
            return None
        study = TransferStudy(self.found[1].size, self._place, self._pane.store.state.style.colormap)
        return ShownStudy(study, Subject(opened.model, opened.image), self.found)

    def show_study(self, study: TransferStudy) -> None:
        """Compare as an exported figure did, at its place."""
        opened = self._pane.opened
        if opened is None:
            return
        view = opened.trace.view
        x, y = view.to_picture(study.place[1] * view.size[1], study.place[0] * view.size[0])
        self._pane.store.update(colormap=study.colormap, query=Place(x, y), hover=None)
        self._wished = study.size
        if self._opened is opened:
            self._take_wish()

    def _take_wish(self) -> None:
        """Compare at the size that was asked for before the sizes were known."""
        if self._wished in self._sizes:
            self.sizes.setCurrentIndex(self._sizes.index(self._wished))
            self.compare()
        self._wished = None
