"""The shown view of every picture in a folder, written in the worker, with progress, cancel and a summary."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from vitviz.attention.values import Map, Query
from vitviz.render.style import Limits
from vitviz.render.tally import Tally
from vitviz.ui import files
from vitviz.ui.export_choices import recalled, remembered
from vitviz.ui.exporting import Exporter
from vitviz.ui.folder_dialog import FolderDialog, still
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.messages import message_box, show_error
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.settings import Settings
from vitviz.ui.words import figure_text

if TYPE_CHECKING:
    from vitviz.render.plan import Plan, Seen

KIND = "folder"


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of a folder; `text` says it in one sentence."""

    tally: Tally
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """What is shown when a folder is asked for: that is made of every picture, whatever is opened meanwhile."""

    opened: Opened
    shown: Map
    plan: Plan
    query: Query | None
    limits: Limits


class FolderExporter(QObject):
    """Exports folders. `told(str)` with a word for the status bar, `done(Tally)` at the end."""

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
        """Choose a folder of pictures, then one for the figures, then what these are."""
        if (view := self._view()) is None:
            return
        dialog = files.ask_open(
            self._window,
            "folder",
            folder=self._settings.value.picture_folder,
            then=lambda paths: self._ask_out(paths[0], view),
        )
        dialog.setWindowTitle("Export this view of all pictures in a folder: choose the pictures")

    def _ask_out(self, pictures: Path, view: _View) -> None:
        dialog = files.ask_open(
            self._window,
            "folder",
            folder=self._settings.value.export_folder,
            then=lambda paths: self._ask_figure(pictures, paths[0], view),
        )
        dialog.setWindowTitle("Choose the folder for the figures")
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)

    def _ask_figure(self, pictures: Path, out: Path, view: _View) -> None:
        """Say what would be made, and let it be changed, before it is."""
        opened, shown = view.opened, view.shown
        target = shown.selection.target
        label = opened.trace.label(target) if target is not None else ""
        dialog = FolderDialog(
            self._window,
            view.plan,
            pictures,
            out,
            subject=lambda plan: f"{figure_text(shown, plan, label)} · {shown.model_name}",
        )
        dialog.accepted_plan.connect(lambda plan: self._begin(pictures, out, plan, view))
        dialog.open()

    def _begin(self, pictures: Path, out: Path, plan: Plan, view: _View) -> None:
        self._settings.update(export_plan=remembered(plan))
        self._export(pictures, out, plan, view)

    def plan(self) -> Plan:
        """What is made where nothing else is chosen: the shown map as a still picture, as it was exported last."""
        return still(recalled(self._exporter.plan(), self._settings.value.export_plan))

    def export(self, pictures: Path, out: Path, plan: Plan | None = None) -> None:
        """Write a figure of the view that is shown now for every picture."""
        if (view := self._view()) is not None:
            self._export(pictures, out, plan or view.plan, view)

    def _view(self) -> _View | None:
        opened, shown, state = self._pane.opened, self._pane.map, self._pane.store.state
        if opened is None or shown is None:
            return None
        return _View(opened, shown, self.plan(), state.query, state.style.limits)

    def _export(self, pictures: Path, out: Path, plan: Plan, view: _View) -> None:
        from vitviz.attention.trace import trace
        from vitviz.render.folders import items_of, passed_over
        from vitviz.render.many import Job, checked_folder, export_many, wish_of
        from vitviz.render.plan import limits_for, scale_of

        # The query as it was chosen, not the token that this one picture's layer made of it.
        selection = replace(plan.selection, query=view.query)
        # The limits of this one map are none of the others': what they are shared over is worked out for each.
        limits = limits_for(plan.scale, plan.style.limits)
        if plan.over == "map":
            limits = view.limits
            plan = replace(plan, scale=scale_of(limits, plan.format))
        plan = replace(plan, selection=selection, style=replace(plan.style, limits=limits))
        model, ablation = view.opened.model, view.opened.trace.ablation

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
            tally = Tally()
            start = time.monotonic()
            for number, outcome in enumerate(export_many(model, items, job, cancel=progress.cancelled), 1):
                tally.add(outcome)
                left = (time.monotonic() - start) / number * (len(items) - number)
                progress(number / len(items), f"Exported {number} of {len(items)}, {left:.0f} s left")
            return Summary(tally, tally.text(to=str(out), others=passed_over([pictures], out)))

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
        if result.tally.problems:
            box = message_box(self._window, "Some pictures failed", result.text, QMessageBox.Icon.Warning)
            box.setDetailedText("\n".join(result.tally.problems))
            box.open()
        self.done.emit(result.tally)

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Exception) -> None:
        if kind == KIND:
            show_error(self._window, error)

    @Slot(int, str)
    def _cancelled(self, number: int, kind: str) -> None:
        if kind == KIND:
            self.told.emit("The export was cancelled; export the same folder again to go on.")
