"""Is it true? The shown map against the other methods and random orders, by deletion and insertion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QBuffer, QIODevice, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QIcon, QImage, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from vitviz.atomic import slug, write_bytes
from vitviz.attention.values import Map
from vitviz.errors import FileError
from vitviz.ui import files
from vitviz.ui.curve_plots import CurvePlots, color_of
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.targets import TargetBox
from vitviz.ui.theme import Theme

if TYPE_CHECKING:
    from vitviz.attention.faithfulness import Faithfulness
    from vitviz.attention.trace import Trace

KIND = "faithfulness"
REMOVALS = (("patches turn grey", "grey"), ("patches are blurred", "blurred"))
SCORES = (("probability", "probability"), ("logit", "logit"))
_COLUMNS = ("Order of the patches", "Deletion", "Insertion", "Gain")
_TIPS = (
    "Whose map says which patch counts most",
    "Area under the curve of deletion: small is true",
    "Area under the curve of insertion: large is true",
    "Insertion minus deletion: 0 for a random order, large is true",
)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What came of a run: the curves, of which trace, and why some methods are not among them."""

    found: Faithfulness
    trace: Trace
    gaps: list[str]
    picture: str


class TruthPanel(QWidget):
    """Runs the test and shows curves and areas. `told(str)` with a word for the status bar."""

    told = Signal(str)

    def __init__(self, pane: Pane, worker: Worker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane, self._worker = pane, worker
        self._number = -1
        self.judged: Judged | None = None
        self.target = TargetBox("The class that should fall and rise")
        self.removal = _box(REMOVALS, "What a patch becomes that is taken away")
        self.score = _box(SCORES, "What the curves are of")
        self.run = QPushButton("Run")
        self.run.setToolTip("Take the patches away in the order of each method, and ask the model meanwhile")
        self.run.clicked.connect(self.toggle)
        self.save = QToolButton()
        self.save.setText("Export")
        self.save.setToolTip("Write the numbers, or the plots and the table as a picture")
        self.save.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.save)
        menu.addAction("Numbers as CSV…", lambda: self._ask("csv"))
        menu.addAction("Picture as PNG…", lambda: self._ask("png"))
        self.save.setMenu(menu)
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.hide()
        self.sheet = QWidget()
        self.plots = CurvePlots(self.sheet)
        self.table = _table()
        self.caption = QLabel()
        self.caption.setTextFormat(Qt.TextFormat.PlainText)
        self.caption.setWordWrap(True)
        self._lay_out()
        self.run.setEnabled(False)
        self.table.currentCellChanged.connect(lambda row, *_: self._emphasise(row))
        pane.traced.connect(self._traced)
        pane.map_changed.connect(self._explained)
        worker.progressed.connect(self._progressed)
        worker.finished.connect(self._finished)
        worker.failed.connect(self._failed)
        worker.cancelled.connect(self._cancelled)
        self._show()

    def _lay_out(self) -> None:
        inner = self._inner = QVBoxLayout(self.sheet)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.plots, 1)
        inner.addWidget(self.table)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.target, 1)
        first.addWidget(self.run)
        second.addWidget(self.removal, 1)
        second.addWidget(self.score, 1)
        second.addWidget(self.save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(first)
        layout.addLayout(second)
        layout.addWidget(self.progress)
        layout.addWidget(self.sheet, 1)
        layout.addWidget(self.caption)
        self.setMinimumWidth(260)

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._number >= 0

    def follow(self, theme: Theme) -> None:
        """Take the colours of a theme, now and when it changes."""

        def recolor() -> None:
            self.plots.set_colors(theme.canvas_background(), theme.canvas_foreground())

        theme.changed.connect(recolor)
        recolor()

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        self.cancel()
        self.judged = None
        self.target.offer(opened.trace, self._pane.store.state.target)
        self.run.setEnabled(self.target.count() > 1)
        self._show()

    @Slot(object)
    def _explained(self, shown: Map) -> None:
        """A map that explains a class is judged by that class."""
        target = shown.selection.target
        index = next((i for i in range(self.target.count()) if self.target.itemData(i) == target), -1)
        if target is not None and index >= 0:
            self.target.setCurrentIndex(index)

    @Slot()
    def cancel(self) -> None:
        """Give up what runs."""
        self._worker.cancel(KIND)

    @Slot()
    def toggle(self) -> None:
        """Run, or cancel what runs."""
        opened, shown = self._pane.opened, self._pane.map
        if self.running:
            self.cancel()
            return
        target = self.target.currentData()
        if opened is None or target is None:
            return
        model, image, seen = opened.model, opened.image, opened.trace
        removal, score = self.removal.currentData(), self.score.currentData()

        def work(progress: Progress) -> Judged:
            from vitviz.attention.contenders import contenders
            from vitviz.attention.faithfulness import faithfulness

            def first(fraction: float | None, text: str) -> None:
                progress(0.25 * (fraction or 0.0), text)

            def then(fraction: float | None, text: str) -> None:
                progress(0.25 + 0.75 * (fraction or 0.0), text)

            maps, gaps = contenders(model, image, seen, target, shown, progress=first, cancel=progress.cancelled)
            found = faithfulness(
                model, image, maps, target,
                removal=removal, score=score, seen=seen, progress=then, cancel=progress.cancelled,
            )  # fmt: skip
            return Judged(found, seen, gaps, image.name)

        self._number = self._worker.submit(KIND, work)
        self.run.setText("Cancel")
        self.progress.setValue(0)
        self.progress.show()

    @Slot(int, str, float, str)
    def _progressed(self, number: int, kind: str, fraction: float, text: str) -> None:
        if number == self._number:
            self.progress.setValue(round(1000 * max(fraction, 0.0)))

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        if number != self._number:
            return
        self._end()
        if self._pane.opened is not None and result.trace is self._pane.opened.trace:
            self.judged = result
            self._show()

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Exception) -> None:
        if number == self._number:
            self._end()
            self.caption.setText(str(error))

    @Slot(int, str)
    def _cancelled(self, number: int, kind: str) -> None:
        if number == self._number:
            self._end()

    def _end(self) -> None:
        self._number = -1
        self.run.setText("Run")
        self.progress.hide()

    def _show(self) -> None:
        judged = self.judged
        self.plots.show_curves(judged.found if judged else None)
        self.save.setEnabled(judged is not None)
        rows = judged.found.rows() if judged else []
        self.table.setVisible(bool(rows))
        self.table.setRowCount(len(rows))
        best = [min((r[1] for r in rows), default=0.0), *(max((r[i] for r in rows), default=0.0) for i in (2, 3))]
        for i, (name, *areas) in enumerate(rows):
            first = QTableWidgetItem(_swatch(color_of(i, name)), name)
            first.setToolTip(name)
            self.table.setItem(i, 0, first)
            for column, (value, top) in enumerate(zip(areas, best, strict=True), 1):
                item = QTableWidgetItem(f"{round(value, 3) + 0.0:.3f}")
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                if value == top:
                    font = item.font()
                    font.setBold(True)
                    item.setFont(font)
                self.table.setItem(i, column, item)
        line = self.table.verticalHeader().defaultSectionSize()
        self.table.setFixedHeight(self.table.horizontalHeader().sizeHint().height() + line * len(rows) + 4)
        self.caption.setText(self._words())
        self.caption.setToolTip("\n".join(judged.gaps) if judged else "")

    def _words(self) -> str:
        judged, opened = self.judged, self._pane.opened
        if judged is not None:
            off = f", {judged.trace.ablation.words}" if judged.trace.ablation else ""
            words = f"Areas under the curves of {judged.found.label}{off}; the best is bold."
            missing = ", ".join(gap.partition(":")[0] for gap in judged.gaps)
            return f"{words} Not defined for this model: {missing}." if missing else words
        if opened is not None and self.target.count() < 2:
            return "This model has no classes, so nothing can fall or rise."
        return "Does the shown map say what the model looks at? Run takes its patches away and watches the class."

    def _emphasise(self, row: int) -> None:
        item = self.table.item(row, 0)
        self.plots.emphasise(item.text() if item is not None else None)

    def _ask(self, kind: str) -> None:
        judged = self.judged
        if judged is None:
            return
        stem = f"{Path(judged.picture).stem} {judged.trace.model_name} faithfulness {judged.found.label}"
        titles = {"csv": "Numbers (*.csv)", "png": "PNG pictures (*.png)"}
        files.ask_save(
            self, str(Path.home() / f"{slug(stem)}.{kind}"), [titles[kind]],
            title="Export", then=lambda paths: self.export(paths[0]),
        )  # fmt: skip

    def export(self, path: Path) -> None:
        """Write the numbers where the file is called .csv, else the plots and the table as a PNG."""
        if self.judged is None:
            return
        try:
            if path.suffix.lower() == ".csv":
                write_bytes(path, self.judged.found.csv().encode())
            else:
                path = path if path.suffix.lower() == ".png" else path.with_name(path.name + ".png")
                write_bytes(path, self.picture())
        except FileError as error:
            self.caption.setText(str(error))
            return
        self.told.emit(f"Written: {path}")

    def picture(self) -> bytes:
        """Plots and table as a PNG, two pixels for one of the screen."""
        image = QImage(self.sheet.size() * 2, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(2.0)
        image.fill(self.palette().window().color())
        self.table.clearSelection()
        self._inner.activate()
        self.sheet.render(image)
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        image.save(buffer, "PNG")  # type: ignore[call-overload]
        return bytes(buffer.data().data())


def _box(choices: tuple[tuple[str, str], ...], tip: str) -> QComboBox:
    box = QComboBox()
    for title, value in choices:
        box.addItem(title, value)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    return box


def _table() -> QTableWidget:
    table = QTableWidget(0, len(_COLUMNS))
    for i, (title, tip) in enumerate(zip(_COLUMNS, _TIPS, strict=True)):
        head = QTableWidgetItem(title)
        head.setToolTip(tip)
        table.setHorizontalHeaderItem(i, head)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(24)
    table.setShowGrid(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    table.setIconSize(QSize(14, 10))
    table.setAccessibleName("Areas under the curves")
    return table


def _swatch(color: QColor) -> QIcon:
    pixels = QPixmap(14, 10)
    pixels.fill(color)
    return QIcon(pixels)
