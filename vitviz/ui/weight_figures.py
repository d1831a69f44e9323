"""Figures of weights on their way out: copied, or written with a recipe beside them, in the worker."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from vitviz.render.page import Page
from vitviz.ui import files
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.messages import show_error

KIND = "weights figure"
FORMATS = ["PNG pictures (*.png)", "SVG drawings (*.svg)", "PDF documents (*.pdf)"]
Make = Callable[[], Page]


class FigureButtons(QWidget):
    """Copy and Export for a panel. `what` gives a file name, what makes the page, and the recipe, None for nothing.

    `told(str)` with a word for the status bar, `written(Path)` when a file is there.
    """

    told = Signal(str)
    written = Signal(object)

    def __init__(
        self,
        worker: Worker,
        what: Callable[[], tuple[str, Make, Mapping[str, Any]] | None],
        name: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._worker, self._what, self._kind = worker, what, f"{KIND} {name}"
        self.copy_button, self.export_button = QToolButton(), QToolButton()
        for button, title, tip, run in (
            (self.copy_button, "Copy", "Copy this figure, with its axes and scale", self.copy),
            (self.export_button, "Export…", "Write this figure as PNG, SVG or PDF, with a recipe beside it", self.ask),
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
        from vitviz.render.raster import pixels_of

        make = what[1]
        self._worker.submit(f"{self._kind} copy", lambda progress: pixels_of(make()))

    @Slot()
    def ask(self) -> None:
        """Choose where the figure goes."""
        if (what := self._what()) is None:
            return
        files.ask_save(
            self.window(),
            str(Path.home() / f"{what[0]}.png"),
            FORMATS,
            title="Export figure",
            then=lambda paths: self.export(paths[0]),
        )

    def export(self, path: Path) -> None:
        """Write the figure as the path's suffix says, PNG where it says nothing known."""
        if (what := self._what()) is None:
            return
        _, make, recipe = what
        suffix = path.suffix.lower()
        target = path if suffix in (".png", ".svg", ".pdf") else path.with_name(path.name + ".png")

        def work(progress: Progress) -> Path:
            from vitviz.atomic import write_bytes
            from vitviz.render.recipe import sidecar_of
            from vitviz.render.weights import file_bytes

            write_bytes(target, file_bytes(make(), target.suffix.lower(), recipe))
            write_bytes(sidecar_of(target), json.dumps(recipe, indent=1, ensure_ascii=False).encode())
            return target

        self._worker.submit(f"{self._kind} {target}", work, supersede=False)

    @Slot(int, str, object)
    def _finished(self, number: int, kind: str, result: Any) -> None:
        if kind == f"{self._kind} copy":
            height, width = result.shape[:2]
            image = QImage(result.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
            QGuiApplication.clipboard().setImage(image.copy())
            self.told.emit("The figure is on the clipboard.")
        elif kind.startswith(f"{self._kind} "):
            self.told.emit(f"Written: {result}, and its recipe {result.name}.json")
            self.written.emit(result)

    @Slot(int, str, object)
    def _failed(self, number: int, kind: str, error: Exception) -> None:
        if kind.startswith(f"{self._kind} "):
            show_error(self.window(), error)
