"""The small dialogs that ask for a model's name, its architecture, or another size."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QCompleter,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QWidget,
)


class NameDialog(QDialog):
    """Asks for a timm name, with completion; `then(name, pretrained)` on OK."""

    def __init__(
        self,
        parent: QWidget,
        title: str,
        note: str,
        names: list[str],
        then: Callable[[str, bool], object],
        *,
        weights: bool,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.name = QLineEdit()
        self.name.setPlaceholderText("vit_base_patch16_224")
        self.name.setMinimumWidth(420)
        completer = QCompleter(names, self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.name.setCompleter(completer)
        self.random = QCheckBox("Random weights (no download; maps mean nothing but their shapes)")
        words = QLabel(note)
        words.setTextFormat(Qt.TextFormat.PlainText)
        words.setWordWrap(True)
        form = QFormLayout(self)
        form.addRow(words)
        form.addRow("Name", self.name)
        if weights:
            form.addRow(self.random)
        form.addRow(_buttons(self))
        self.accepted.connect(lambda: then(self.name.text().strip(), not self.random.isChecked()))

    def accept(self) -> None:
        if self.name.text().strip():
            super().accept()


class SizeDialog(QDialog):
    """Asks for sizes of view and patches; `then((height, width), patch)`, None for the model's own."""

    def __init__(
        self,
        parent: QWidget,
        size: tuple[int, int],
        patch: int | None,
        then: Callable[[tuple[int, int] | None, int | None], object],
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Image and patch size")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.own = QCheckBox("The model's own sizes")
        self.height_box, self.width_box, self.patch_box = (_pixels(value) for value in (*size, patch or 16))
        self.patch_box.setEnabled(patch is not None)
        form = QFormLayout(self)
        form.addRow("Height of the view", self.height_box)
        form.addRow("Width of the view", self.width_box)
        form.addRow("Patch size", self.patch_box)
        form.addRow(self.own)
        form.addRow(_buttons(self))
        for box in (self.height_box, self.width_box):
            self.own.toggled.connect(box.setDisabled)
        self.own.toggled.connect(lambda on: self.patch_box.setEnabled(not on and patch is not None))

        def accepted() -> None:
            if self.own.isChecked():
                then(None, None)
            else:
                chosen = self.patch_box.value() if patch is not None and self.patch_box.value() != patch else None
                then((self.height_box.value(), self.width_box.value()), chosen)

        self.accepted.connect(accepted)


def _pixels(value: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(1, 8192)
    box.setValue(value)
    box.setSuffix(" px")
    return box


def _buttons(dialog: QDialog) -> QDialogButtonBox:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    return buttons
