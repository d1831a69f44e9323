"""What a panel shows on its way out: copied, or written with the recipe that makes it again, in the worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from vitviz.render.plan import suffix_of
from vitviz.render.studies.study import Study, StudyFormat, Subject, plan_of
from vitviz.ui import files, qimages
from vitviz.ui.export_choices import FORMATS
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.messages import show_error
from vitviz.ui.settings import Settings

KIND = "study"
# The panel of a kind of study and the title of its dock; the panel has `show_study`.
Studies = dict[type[Study[Any]], tuple[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class ShownStudy:
    """A study as a panel shows it: of what, and what was found of that."""

    study: Study[Any]
    subject: Subject
    found: Any


class StudyButtons(QWidget):
    """Copy and Export for a panel; `what` gives what it shows, None for nothing.

    `told(str)` with a word for the status bar, `written(Path)` when a file is there.
    """

    told = Signal(str)
    written = Signal(object)

    def __init__(
        self,
        worker: Worker,
        settings: Settings,
        what: Callable[[], ShownStudy | None],
        name: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._worker, self._settings, self._what, self._kind = worker, settings, what, f"{KIND} {name}:"
        self.copy_button, self.export_button = QToolButton(), QToolButton()
        for button, title, tip, run in (
            (self.copy_button, "Copy", "Copy this figure, with its axes and scale", self.copy),
            (
                self.export_button,
                "Export…",
                "Write this figure as picture, drawing or numbers, with a recipe beside it",
                self.ask,
            ),
        ):
            button.setText(title)
            button.setToolTip(tip)
            button.setAccessibleName(f"{title} {name}")
            button.clicked.connect(run)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.copy_button)
        layout.addWidget(self.export_button)
        worker.finished.connect(self._finished)
        worker.failed.connect(self._failed)

    @Slot()
    def copy(self) -> None:
        """Put the figure on the clipboard."""
        if (what := self._what()) is None:
            return

        def work(progress: Progress) -> object:
            from vitviz.render.raster import pixels_of

            return pixels_of(what.study.page(what.found, what.subject, what.study.figure))

        self._worker.submit(f"{self._kind} copy", work)

    @Slot()
    def ask(self) -> None:
        """Choose where the figure goes, and as what."""
        if (what := self._what()) is None:
            return
        formats = what.study.formats()
        files.ask_save(
            self.window(),
            self._settings.export_folder / f"{what.study.stem(what.subject)}.png",
            [f"{title} (*{suffix_of(kind)})" for title, kind in FORMATS if kind in formats],
            title=f"Export {what.study.name}",
            then=partial(self.export, what=what),
        )

    def export(self, path: Path, what: ShownStudy | None = None) -> None:
        """Write a figure, that of what is shown now where none is given, as the path's ending says, else as PNG."""
        if (what := what or self._what()) is None:
            return
        name, formats = path.name.lower(), sorted(what.study.formats(), key=lambda kind: -len(suffix_of(kind)))
        kind: StudyFormat = next((each for each in formats if name.endswith(suffix_of(each))), "png")
        target = path if name.endswith(suffix_of(kind)) else path.with_name(path.name + suffix_of(kind))
        plan = plan_of(what.study, kind)

        def work(progress: Progress) -> Path:
            from vitviz.render.studies.making import produce_study

            progress(None, f"Writing {target.name}")
            produce_study(plan, what.subject, what.found).write(target)
            return target

        self._settings.update(export_folder=str(target.parent))
        # A kind for each file: of one kind only the newest waits.
        self._worker.submit(f"{self._kind} {target}", work, supersede=False)

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        if kind == f"{self._kind} copy":
            qimages.to_clipboard(result)
            self.told.emit("The figure is on the clipboard.")
        elif kind.startswith(f"{self._kind} "):
            self.told.emit(f"Written: {result}, and its recipe {result.name}.json")
            self.written.emit(result)

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Exception) -> None:
        if kind.startswith(f"{self._kind} "):
            show_error(self.window(), error)
