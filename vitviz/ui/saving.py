"""The shown model into a folder that leaves nothing to guess: weights as safetensors, and a config."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from vitviz.atomic import slug
from vitviz.ui import files
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.messages import show_error
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.settings import Settings

KIND = "save model"


class Saver(QObject):
    """Writes the model in the worker. `saved(Path)` when it is there, `told(str)` with a word for the status bar."""

    saved = Signal(object)
    told = Signal(str)

    def __init__(self, window: QWidget, pane: Pane, worker: Worker, settings: Settings) -> None:
        super().__init__(window)
        self._window, self._pane, self._worker, self._settings = window, pane, worker, settings
        self._guesses: dict[str, str] = {}  # of what is being written, by the kind of its job
        worker.finished.connect(self._finished)
        worker.failed.connect(self._failed)

    def ask(self) -> None:
        """Choose the folder."""
        opened = self._pane.opened
        if opened is None:
            return
        folder = Path(self._settings.value.model_folder or Path.home())
        files.ask_save(
            self._window,
            folder / slug(Path(opened.model.name).stem),
            ["Folders (*)"],
            title="Save model into a new folder",
            then=partial(self.save, opened=opened),
        )

    def save(self, folder: Path, opened: Opened | None = None) -> None:
        """Write a model, the one that is shown now where none is given, into a new folder."""
        opened = opened or self._pane.opened
        if opened is None:
            return
        model = opened.model

        def work(progress: Progress) -> Path:
            from vitviz.models.saving import save_model

            return save_model(model, folder, progress=progress)

        self._settings.update(model_folder=str(folder.parent))
        self._guesses[f"{KIND} {folder}"] = model.report.guess_words
        self._worker.submit(f"{KIND} {folder}", work, supersede=False)

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: object) -> None:
        if kind.startswith(KIND) and isinstance(result, Path):
            words = self._guesses.pop(kind, "")
            self.told.emit(f"Written: {result}" + (f"; not certain, as the config says: {words}" if words else ""))
            self.saved.emit(result)

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Exception) -> None:
        if kind.startswith(KIND):
            self._guesses.pop(kind, None)
            show_error(self._window, error)
