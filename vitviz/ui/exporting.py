"""The shown figure to a file or the clipboard: the pixels that the window shows, at the picture's own size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QWidget

from vitviz.ui import files
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.map_view import MapView
from vitviz.ui.messages import show_error
from vitviz.ui.pane import Pane
from vitviz.ui.settings import Settings

if TYPE_CHECKING:
    from vitviz.render.plan import Plan

KIND = "export"


class Exporter(QObject):
    """Writes figures in the worker. `exported(Path)` when one is there, `told(str)` with a word for the status bar."""

    exported = Signal(object)
    told = Signal(str)

    def __init__(self, window: QWidget, pane: Pane, view: MapView, worker: Worker, settings: Settings) -> None:
        super().__init__(window)
        self._window, self._pane, self.view = window, pane, view
        self._worker, self._settings = worker, settings
        worker.finished.connect(self._finished)
        worker.failed.connect(self._failed)

    def ask(self) -> None:
        """Choose where the shown figure goes."""
        shown = self._pane.map
        if shown is None:
            return
        from vitviz.render.recipe import name_of

        folder = Path(self._settings.value.export_folder or Path.home())
        files.ask_save(
            self._window,
            str(folder / name_of(shown, self.plan())),
            ["PNG pictures (*.png)"],
            title="Export figure",
            then=lambda paths: self.export(paths[0]),
        )

    def plan(self) -> Plan:
        """The bare overlay of what is shown now, with the limits of its colours in numbers."""
        from vitviz.render.plan import Plan, scale_of

        style = self._pane.store.state.style
        shown = self._pane.map
        selection = self._pane.store.state.selection if shown is None else shown.selection
        return Plan(selection, replace(style, limits=self._pane.limits()), scale=scale_of(style.limits))

    def export(self, path: Path, plan: Plan | None = None) -> None:
        """Write the shown figure, and its recipe beside it."""
        shown, opened = self._pane.map, self._pane.opened
        if shown is None or opened is None:
            return
        from vitviz.render.plan import Seen
        from vitviz.render.recipe import produce

        # What is shown now is what is written, whatever the mouse does until the worker comes to it.
        asked = plan or self.plan()
        seen = Seen(opened.image, opened.model, opened.trace)
        target = path if path.name.lower().endswith(asked.suffix) else path.with_name(path.name + asked.suffix)

        def work(progress: Progress) -> Path:
            produce(asked, seen, shown=shown if asked.selection == shown.selection else None).write(target)
            return target

        self._settings.update(export_folder=str(target.parent))
        # A kind for each file: of one kind only the newest waits, and no figure may be lost.
        self._worker.submit(f"{KIND} {target}", work, supersede=False)

    def copy(self) -> None:
        """Put the figure on the clipboard, as it is on the screen."""
        canvas, shown = self.view.canvas, self._pane.map
        if canvas is None or shown is None:
            return
        pixels = canvas.draw(shown, self._pane.store.state.style, self._pane.limits())
        height, width = pixels.shape[:2]
        image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBX8888)
        QGuiApplication.clipboard().setImage(image.copy())
        self.told.emit("The figure is on the clipboard.")

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: object) -> None:
        if kind.startswith(KIND) and isinstance(result, Path):
            self.told.emit(f"Written: {result}, and its recipe {result.name}.json")
            self.exported.emit(result)

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Exception) -> None:
        if kind.startswith(KIND):
            show_error(self._window, error)
