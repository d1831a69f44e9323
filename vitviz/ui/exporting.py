"""The shown figure to a file or the clipboard: the dialog's plan, made and written in the worker."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from vitviz.ui import files, qimages
from vitviz.ui.export_choices import remembered
from vitviz.ui.export_dialog import ExportDialog
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.map_view import MapView
from vitviz.ui.messages import show_error
from vitviz.ui.pane import Pane
from vitviz.ui.settings import Settings
from vitviz.ui.words import figure_text

if TYPE_CHECKING:
    from vitviz.render.plan import Plan, Seen
    from vitviz.render.preview import Preview
    from vitviz.render.recipe import Prepared

KIND, PREVIEW, FILM, COPY = "export", "preview", "film", "copy figure"


class Exporter(QObject):
    """Writes figures in the worker.

    `exported(Path)` when one is there, `told(str)` with a word for the status bar, `asking(bool)` when the dialog comes
    and goes: as long as it is there, what it speaks of is to stay on the screen.
    """

    exported = Signal(object)
    asking = Signal(bool)
    told = Signal(str)

    def __init__(self, window: QWidget, pane: Pane, view: MapView, worker: Worker, settings: Settings) -> None:
        super().__init__(window)
        self._window, self._pane, self.view = window, pane, view
        self._worker, self._settings = worker, settings
        self._dialog: ExportDialog | None = None
        worker.finished.connect(self._finished)
        worker.failed.connect(self._failed)

    def ask(self) -> None:
        """Ask how the shown figure is to be written; it stays the one that is shown now."""
        if self._dialog is not None:
            self._dialog.raise_()
            return
        if self._pane.map is None:
            return
        # With the dialog over it the picture loses the mouse, and with that its query.
        self.asking.emit(True)
        self._pane.settle()
        plan, seen, shown = self.plan(), self.seen(), self._pane.map
        if seen is None:
            self.asking.emit(False)
            return
        target = shown.selection.target
        label = seen.trace.label(target) if target is not None else ""
        altered = f" {seen.trace.without}" if seen.trace.ablation else ""
        of = f"{shown.model_name}{altered} · {shown.image_name}"
        dialog = self._dialog = ExportDialog(
            self._window,
            plan,
            self._settings.value.export_plan,
            subject=lambda asked: f"{figure_text(shown, asked, label)} · {of}",
        )
        dialog.preview_wanted.connect(lambda asked: self._preview(asked, seen))
        dialog.copy_asked.connect(lambda asked: self._copy(asked, seen))
        dialog.export_asked.connect(lambda asked: self._ask_path(asked, seen))
        dialog.finished.connect(self._closed)
        dialog.setWindowTitle(f"Export figure: {shown.image_name}, {shown.model_name}")
        dialog.open()

    def _ask_path(self, plan: Plan, seen: Seen) -> None:
        """Choose where a figure goes."""
        from vitviz.render.making import map_for
        from vitviz.render.recipe import name_of

        self._settings.update(export_plan=remembered(plan))
        shown = self._pane.map
        named = shown if shown is not None and shown.selection == plan.selection else map_for(seen, plan.selection)
        files.ask_save(
            self._dialog or self._window,
            self._settings.export_folder / name_of(named, plan, seen),
            [f"{plan.format.upper()} files (*{plan.suffix})"],
            title="Export figure",
            then=partial(self.export, plan=plan, seen=seen),
        )

    def seen(self) -> Seen | None:
        """Picture, model and trace that are shown."""
        opened = self._pane.opened
        if opened is None:
            return None
        from vitviz.render.plan import Seen

        return Seen(opened.image, opened.model, opened.trace)

    def plan(self) -> Plan:
        """The bare overlay of what is shown now, with the limits of its colours in numbers."""
        from vitviz.render.plan import Plan, scale_of

        state, shown = self._pane.store.state, self._pane.map
        selection = state.selection if shown is None else shown.selection
        style = replace(state.style, limits=self._pane.limits())
        scale = "fixed" if self._pane.common_limits() else scale_of(state.style.limits)
        return Plan(selection, style, scale=scale, pinned=state.query)

    def _words(self, plan: Plan) -> Plan:
        """For several maps the limits of one are none: what they are shared over is worked out anew."""
        from vitviz.render.plan import limits_for

        if plan.over == "map":
            return plan
        return replace(plan, style=replace(plan.style, limits=limits_for(plan.scale, plan.style.limits)))

    def export(self, path: Path, plan: Plan | None = None, seen: Seen | None = None) -> None:
        """Write a figure, that of what is shown now where none is given, and its recipe beside it."""
        seen = seen or self.seen()
        if seen is None or self._pane.map is None:
            return
        # What is shown now is what is written, whatever the mouse does until the worker comes to it.
        made_of, asked = seen, self._words(plan or self.plan())
        target = path if path.name.lower().endswith(asked.suffix) else path.with_name(path.name + asked.suffix)

        def work(progress: Progress) -> Path:
            from vitviz.render.recipe import produce

            progress(None, f"Writing {target.name}")
            produce(asked, made_of).write(target)
            return target

        self._settings.update(export_folder=str(target.parent))
        # A kind for each file: of one kind only the newest waits, and no figure may be lost.
        self._worker.submit(f"{KIND} {target}", work, supersede=False)

    def _preview(self, plan: Plan, seen: Seen) -> None:
        asked = self._words(plan)

        def work(progress: Progress) -> object:
            from vitviz.render.preview import preview_of

            return preview_of(_prepared(asked, seen))

        self._worker.cancel(FILM)
        self._worker.submit(PREVIEW, work)

    def _film(self, made_of: Prepared) -> None:
        """The frames of a preview, which take longer than its first one."""

        def work(progress: Progress) -> object:
            from vitviz.render.preview import film_of

            return film_of(made_of, progress.check)

        self._worker.submit(FILM, work)

    def _copy(self, plan: Plan, seen: Seen) -> None:
        asked = self._words(plan)

        def work(progress: Progress) -> object:
            from vitviz.render.preview import preview_of

            return preview_of(_prepared(asked, seen)).pixels

        self._worker.submit(COPY, work)

    def copy(self) -> None:
        """Put the figure on the clipboard, as it is on the screen."""
        canvas, shown = self.view.canvas, self._pane.map
        if canvas is None or shown is None:
            return
        self._take(canvas.draw(shown, self._pane.store.state.style, self._pane.limits())[..., :3])

    def copy_python(self) -> None:
        """Put the lines of Python that make this view on the clipboard."""
        opened = self._pane.opened
        if opened is None:
            return
        from vitviz.render.script import python_of

        model = opened.model
        text = python_of(self.plan(), opened.image, model.source, dict(model.options), opened.trace.ablation)
        QGuiApplication.clipboard().setText(text)
        self.told.emit("The lines of Python are on the clipboard.")

    def _take(self, pixels: np.ndarray) -> None:
        qimages.to_clipboard(pixels)
        self._say("The figure is on the clipboard.")

    def _say(self, sentence: str) -> None:
        """In the status bar, and in the dialog, which lies over it."""
        self.told.emit(sentence)
        if self._dialog is not None:
            self._dialog.say(sentence)

    @Slot(int)
    def _closed(self, result: int) -> None:
        if self._dialog is not None:
            try:
                self._settings.update(export_plan=remembered(self._dialog.plan()))
            except ValueError:
                self.told.emit("This figure can't be made, so its choices were not kept.")
        self._dialog = None
        self._worker.cancel(PREVIEW)
        self._worker.cancel(FILM)
        self.asking.emit(False)

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: object) -> None:
        if kind == PREVIEW and self._dialog is not None:
            preview: Preview = result  # type: ignore[assignment]
            self._dialog.show_preview(preview)
            if preview.film is not None:
                self._film(preview.film)
        elif kind == FILM and self._dialog is not None:
            self._dialog.show_film(result)  # type: ignore[arg-type]
        elif kind == COPY and isinstance(result, np.ndarray):
            self._take(result)
        elif kind.startswith(KIND) and isinstance(result, Path):
            self._say(f"Written: {result}, and its recipe {result.name}.json")
            self.exported.emit(result)

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Exception) -> None:
        if kind in (PREVIEW, FILM) and self._dialog is not None:
            self._dialog.fail(str(error))
        elif kind == COPY or kind.startswith(KIND):
            show_error(self._window, error)


def _prepared(plan: Plan, seen: Seen) -> Prepared:
    from vitviz.render.recipe import prepare

    return prepare(plan, seen)
