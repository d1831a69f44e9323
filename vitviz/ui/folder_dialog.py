"""What is made of every picture of a folder, said and changed before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from vitviz.render.plan import MOVING, Plan
from vitviz.ui.export_choices import FORMATS
from vitviz.ui.export_form import ExportForm
from vitviz.ui.labels import plain_label


class FolderDialog(QDialog):
    """`accepted_plan(Plan)` when Export is pressed; nothing before. `subject` says what a figure of a plan is of."""

    accepted_plan = Signal(object)

    def __init__(
        self, parent: QWidget, plan: Plan, pictures: Path, out: Path, *, subject: Callable[[Plan], str]
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export this view of all pictures in a folder")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(480, 480)
        self._subject = subject
        self.words = plain_label(wrap=True)
        self.words.setAccessibleName("What is made")
        where = plain_label(f"Of every picture in {pictures}\nto {out}", wrap=True)
        where.setAccessibleName("From which folder to which")
        self.form = ExportForm(plan, self)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.export = self.buttons.addButton("Export", QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.button(QDialogButtonBox.StandardButton.Cancel).setAutoDefault(False)
        self.export.setDefault(True)
        self.buttons.accepted.connect(self._accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.words)
        layout.addWidget(where)
        layout.addWidget(self.form, 1)
        layout.addWidget(self.buttons)
        self.form.changed.connect(self._say)
        self._say()

    @Slot()
    def _say(self) -> None:
        try:
            plan = self.form.plan()
        except ValueError as error:
            self.words.setText(str(error))
            self.export.setEnabled(False)
            return
        kind = next(title for title, name in FORMATS if name == plan.format)
        self.words.setText(f"{kind}: {self._subject(plan)}")
        self.export.setEnabled(True)

    @Slot()
    def _accept(self) -> None:
        plan = self.form.plan()
        self.accept()
        self.accepted_plan.emit(plan)


def still(plan: Plan) -> Plan:
    """A plan of a folder to begin with: pictures of the shown map where the last figure was an animation."""
    return replace(plan, format="png", over="map") if plan.format in MOVING else plan
