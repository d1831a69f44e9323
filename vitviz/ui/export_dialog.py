"""The export dialog: what is written and how, with a preview of the file's own pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QVBoxLayout, QWidget

from vitviz.render.plan import NUMBERS, Plan
from vitviz.ui.elided_label import ElidedLabel
from vitviz.ui.export_choices import begun
from vitviz.ui.export_form import ExportForm
from vitviz.ui.film import Film
from vitviz.ui.labels import plain_label

if TYPE_CHECKING:
    from vitviz.render.preview import Preview

_DELAY = 120  # milliseconds without a change before the preview is drawn again


class ExportDialog(QDialog):
    """Asks how the shown figure is to be written.

    `preview_wanted(Plan)` soon after every change, `export_asked(Plan)` and `copy_asked(Plan)` by its buttons; a Plan
    has the selection and the style of the one it was opened with. `subject` says in one line what the file of a plan
    is of.
    """

    preview_wanted = Signal(object)
    export_asked = Signal(object)
    copy_asked = Signal(object)

    def __init__(
        self, parent: QWidget, plan: Plan, remembered: str = "", *, subject: Callable[[Plan], str] | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export figure")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(980, 640)
        self._subject = subject
        self._pixels: np.ndarray | None = None
        self._soon = QTimer(self, singleShot=True, interval=_DELAY)
        self._soon.timeout.connect(self._want)
        self.form = ExportForm(begun(plan, remembered), self)
        self.form.setMaximumWidth(340)
        self._make()
        self._name(self.plan())
        self.form.changed.connect(self._changed)
        self._changed()

    def _make(self) -> None:
        self.subject = ElidedLabel()
        self.subject.setAccessibleName("What is exported")
        self.picture = Film()
        self.picture.setMinimumSize(320, 240)
        self.picture.setAccessibleName("Preview of the file")
        self.note = plain_label(wrap=True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.export = self.buttons.addButton("Export…", QDialogButtonBox.ButtonRole.ActionRole)
        self.buttons.button(QDialogButtonBox.StandardButton.Close).setAutoDefault(False)
        self.export.setDefault(True)
        self.copy = self.buttons.addButton("Copy", QDialogButtonBox.ButtonRole.ActionRole)
        self.export.clicked.connect(lambda: self._send(self.export_asked))
        self.copy.clicked.connect(lambda: self._send(self.copy_asked))
        self.buttons.rejected.connect(self.reject)
        right = QVBoxLayout()
        right.addWidget(self.picture, 1)
        right.addWidget(self.note)
        top = QHBoxLayout()
        top.addWidget(self.form)
        top.addLayout(right, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(self.subject)
        layout.addLayout(top, 1)
        layout.addWidget(self.buttons)

    def plan(self) -> Plan:
        """What the form says; ValueError, with a sentence, where that is nothing that can be made."""
        return self.form.plan()

    @Slot()
    def _changed(self) -> None:
        self.copy.setEnabled(self.form.format.currentData() not in NUMBERS)
        self._soon.start()

    def _name(self, plan: Plan) -> None:
        self.subject.setText(self._subject(plan) if self._subject else "")

    @Slot()
    def _want(self) -> None:
        try:
            plan = self.plan()
            self._name(plan)
            self.preview_wanted.emit(plan)
        except ValueError as error:
            self.fail(str(error))

    def _send(self, signal: Any) -> None:
        try:
            signal.emit(self.plan())
        except ValueError as error:
            self.fail(str(error))

    def show_preview(self, preview: Preview) -> None:
        """Show what the file will be."""
        self._pixels = preview.pixels
        if preview.pixels is None:
            self.picture.say(preview.text)
            self.note.setText("Numbers, with names and units; the recipe will lie beside them.")
            return
        self.note.setText(f"{preview.text}; the recipe will lie beside it.")
        self.picture.show_pixels(preview.pixels)

    def show_film(self, frames: Sequence[np.ndarray]) -> None:
        """Play the frames of the animation that is previewed, as fast as the file will."""
        self.picture.play(frames, self.form.seconds.value())

    def say(self, sentence: str) -> None:
        """Say what became of what was asked for; the preview stays."""
        self.note.setText(sentence)

    def fail(self, sentence: str) -> None:
        """Say why there is no preview."""
        self._pixels = None
        self.picture.say("")
        self.note.setText(sentence)

    def done(self, result: int) -> None:
        self._soon.stop()
        self.picture.stop()
        super().done(result)
