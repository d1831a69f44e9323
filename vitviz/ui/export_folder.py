"""The shown view of every picture in a folder, written in the worker, with progress, cancel and a summary."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from vitviz.ui import files
from vitviz.ui.export_choices import recalled
from vitviz.ui.exporting import Exporter
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.messages import message_box, show_error
from vitviz.ui.pane import Pane
from vitviz.ui.settings import Settings

if TYPE_CHECKING:
    from vitviz.render.plan import Seen

KIND = "folder"


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of a folder."""

    out: Path
    exported: int
    skipped: int
    problems: tuple[str, ...]
    others: str = ""

    @property
    def text(self) -> str:
        """One sentence."""
        failed = f", {len(self.problems)} failed" if self.problems else ""
        done = f", {self.skipped} {'was' if self.skipped == 1 else 'were'} done before" if self.skipped else ""
        others = f"; {self.others}" if self.others else ""
        made = f"{self.exported} picture{'' if self.exported == 1 else 's'} exported"
        return f"{made} to {self.out}{done}{failed}{others}."


class FolderExporter(QObject):
    """Exports folders. `told(str)` with a word for the status bar, `done(Summary)` at the end."""

    told = Signal(str)
    done = Signal(object)

    def __init__(self, window: QWidget, exporter: Exporter, pane: Pane, worker: Worker, settings: Settings) -> None:
        super().__init__(window)
        self._window, self._exporter, self._pane = window, exporter, pane
        self._worker, self._settings = worker, settings
        worker.finished.connect(self._finished)
        worker.failed.connect(self._failed)
        worker.cancelled.connect(self._cancelled)

    def ask(self) -> None:
        """Choose a folder of pictures, then one for the figures."""
        if self._pane.map is None:
            return
        dialog = files.ask_open(
            self._window,
            "folder",
            folder=self._settings.value.picture_folder,
            then=lambda paths: self._ask_out(paths[0]),
        )
        dialog.setWindowTitle("Export this view of all pictures in a folder: choose the pictures")

    def _ask_out(self, pictures: Path) -> None:
        dialog = files.ask_open(
            self._window,
            "folder",
            folder=self._settings.value.export_folder,
            then=lambda paths: self.export(pictures, paths[0]),
        )
        dialog.setWindowTitle("Choose the folder for the figures")
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)

    def export(self, pictures: Path, out: Path) -> None:
        """Write the view that is shown now, in the format that was exported last, for every picture."""
        opened = self._pane.opened
        if opened is None or self._pane.map is None:
            return
        from vitviz.attention.trace import trace
        from vitviz.render.folders import items_of, passed_over
        from vitviz.render.many import Job, checked_folder, export_many, wish_of
        from vitviz.render.plan import scale_of

        state = self._pane.store.state
        plan = replace(recalled(self._exporter.plan(), self._settings.value.export_plan))
        # The query as it was chosen, not the token that this one picture's layer made of it.
        selection = replace(plan.selection, query=state.query)
        plan = replace(
            plan,
            selection=selection,
            style=replace(plan.style, limits=state.style.limits),
            scale=scale_of(state.style.limits, plan.format),
        )
        model, ablation = opened.model, opened.trace.ablation

        def altered(seen: Seen) -> Seen:
            if not ablation:
                return seen
            return replace(seen, trace=trace(seen.model, seen.image, ablation=ablation, plain=seen.trace))

        def work(progress: Progress) -> Summary:
            progress(None, f"Looking for pictures in {pictures.name}")
            checked_folder(out)
            items = items_of([pictures], out)
            batch = 1 if model.device.name == "cpu" else 16
            job = Job(lambda seen: [plan], wish_of(plan, ablation.text, ablation.to), out, batch, altered=altered)
            exported = skipped = 0
            problems: list[str] = []
            start = time.monotonic()
            for number, outcome in enumerate(export_many(model, items, job, cancel=progress.cancelled), 1):
                exported += bool(outcome.written) and not outcome.problem
                skipped += outcome.skipped
                problems += [outcome.problem] if outcome.problem else []
                left = (time.monotonic() - start) / number * (len(items) - number)
                progress(number / len(items), f"Exported {number} of {len(items)}, {left:.0f} s left")
            return Summary(out, exported, skipped, tuple(problems), passed_over([pictures], out))

        self._settings.update(export_folder=str(out), picture_folder=str(pictures))
        self._worker.submit(KIND, work, supersede=False)

    @Slot()
    def cancel(self) -> None:
        """Stop; what has been written stays, and another run goes on from there."""
        self._worker.cancel(KIND)

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: object) -> None:
        if kind != KIND or not isinstance(result, Summary):
            return
        self.told.emit(result.text)
        if result.problems:
            box = message_box(self._window, "Some pictures failed", result.text, QMessageBox.Icon.Warning)
            box.setDetailedText("\n".join(result.problems))
            box.open()
        self.done.emit(result)

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Exception) -> None:
        if kind == KIND:
            show_error(self._window, error)

    @Slot(int, str)
    def _cancelled(self, number: int, kind: str) -> None:
        if kind == KIND:
            self.told.emit("The export was cancelled; export the same folder again to go on.")
