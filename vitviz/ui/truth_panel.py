"""Is it true? The shown map against the other methods and random orders, by deletion and insertion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QMenu, QToolButton, QVBoxLayout, QWidget

from vitviz.atomic import slug, write_bytes
from vitviz.errors import FileError
from vitviz.ui import files
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.run_button import RunButton
from vitviz.ui.targets import TargetBox
from vitviz.ui.truth_sheet import TruthSheet

if TYPE_CHECKING:
    from vitviz.attention.faithfulness import Faithfulness
    from vitviz.attention.trace import Trace

KIND = "faithfulness"
REMOVALS = (("patches turn grey", "grey"), ("patches are blurred", "blurred"))
SCORES = (("probability", "probability"), ("logit", "logit"))


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
        self._pane = pane
        self.judged: Judged | None = None
        self.target = TargetBox("The class that should fall and rise", pane)
        self.removal = _box(REMOVALS, "What a patch becomes that is taken away")
        self.score = _box(SCORES, "What the curves are of")
        tip = "Take the patches away in the order of each method, and ask the model meanwhile"
        self.run = RunButton(worker, KIND, tip)
        self.progress = self.run.progress
        self.run.clicked.connect(self.toggle)
        self.save = QToolButton()
        self.save.setText("Export")
        self.save.setToolTip("Write the numbers, or the plots and the table as a picture")
        self.save.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.save)
        menu.addAction("Numbers as CSV…", lambda: self._ask("csv"))
        menu.addAction("Picture as PNG…", lambda: self._ask("png"))
        self.save.setMenu(menu)
        self.sheet = TruthSheet()
        self.plots, self.table = self.sheet.plots, self.sheet.table
        self.caption = QLabel()
        self.caption.setTextFormat(Qt.TextFormat.PlainText)
        self.caption.setWordWrap(True)
        self._lay_out()
        pane.traced.connect(self._traced)
        self.run.done.connect(self._done)
        self.run.failed.connect(self.caption.setText)
        self._show()

    def _lay_out(self) -> None:
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
        return self.run.running

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours of the plots."""
        self.plots.set_colors(background, foreground)

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        self.cancel()
        self.judged = None
        self.target.offer(opened.trace)
        self.run.setEnabled(self.target.count() > 1)
        self._show()

    @Slot()
    def cancel(self) -> None:
        """Give up what runs."""
        self.run.cancel()

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
                progress(fraction, f"1 of 2, the maps: {text}")

            def then(fraction: float | None, text: str) -> None:
                progress(fraction, f"2 of 2, the curves: {text}")

            maps, gaps = contenders(model, image, seen, target, shown, progress=first, cancel=progress.cancelled)
            found = faithfulness(
                model, image, maps, target,
                removal=removal, score=score, seen=seen, progress=then, cancel=progress.cancelled,
            )  # fmt: skip
            return Judged(found, seen, gaps, image.name)

        self.run.start(work)

    @Slot(object)
    def _done(self, judged: Judged) -> None:
        if self._pane.opened is not None and judged.trace is self._pane.opened.trace:
            self.judged = judged
            self._show()

    def _show(self) -> None:
        judged = self.judged
        self.sheet.show_found(judged.found if judged else None)
        self.save.setEnabled(judged is not None)
        self.caption.setText(self._words())
        self.caption.setToolTip("\n".join(judged.gaps) if judged else "")

    def _words(self) -> str:
        judged, opened = self.judged, self._pane.opened
        if judged is not None:
            off = f", {judged.trace.ablation.words}" if judged.trace.ablation else ""
            words = f"Areas under the curves of {judged.found.label}{off}; the best is bold."
            if len(grids := judged.found.grids) > 1:
                sizes = ", ".join(f"{rows} x {cols}" for rows, cols in grids)
                words += f" Grids differ ({sizes}): the best of each is bold, beside the random orders of its own grid."
            missing = ", ".join(gap.partition(":")[0] for gap in judged.gaps)
            return f"{words} Not defined for this model: {missing}." if missing else words
        if opened is not None and self.target.count() < 2:
            return "This model has no classes, so nothing can fall or rise."
        return "Does the shown map say what the model looks at? Run takes its patches away and watches the class."

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
                write_bytes(path, self.sheet.picture())
        except FileError as error:
            self.caption.setText(str(error))
            return
        self.told.emit(f"Written: {path}")


def _box(choices: tuple[tuple[str, str], ...], tip: str) -> QComboBox:
    box = QComboBox()
    for title, value in choices:
        box.addItem(title, value)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    return box
