"""The small dialogs that ask for a model's name, its architecture, or another size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Sizes:
    """What SizeDialog asks for; None is the model's own."""

    image_size: tuple[int, int] | None = None
    patch_size: int | None = None
    num_heads: int | None = None


class SizeDialog(QDialog):
    """Asks for another size of view and patches, or number of heads; `then(Sizes)`, None for the model's own."""

    def __init__(self, parent: QWidget, shown: Sizes, then: Callable[[Sizes], object]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Sizes and heads")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._shown, self._then = shown, then
        self.own = QCheckBox("All as the model has them")
        height, width = shown.image_size or (224, 224)
        self.height_box, self.width_box, self.patch_box = (_pixels(v) for v in (height, width, shown.patch_size or 16))
        self.heads_box = QSpinBox()
        self.heads_box.setRange(1, 256)
        self.heads_box.setValue(shown.num_heads or 1)
        self.heads_box.setToolTip("A wrong number opens without an error and spoils every map: see the report")
        form = QFormLayout(self)
        form.addRow("Height of the view", self.height_box)
        form.addRow("Width of the view", self.width_box)
        form.addRow("Patch size", self.patch_box)
        form.addRow("Heads of each layer", self.heads_box)
        form.addRow(self.own)
        form.addRow(_buttons(self))
        self.own.toggled.connect(self._enable)
        self._enable(False)
        self.accepted.connect(lambda: then(self.sizes()))

    def sizes(self) -> Sizes:
        """What was chosen; what was not changed stays the model's own."""
        if self.own.isChecked():
            return Sizes()
        shown, size = self._shown, (self.height_box.value(), self.width_box.value())
        patch, heads = self.patch_box.value(), self.heads_box.value()
        return Sizes(
            size if size != shown.image_size else None,
            patch if shown.patch_size is not None and patch != shown.patch_size else None,
            heads if shown.num_heads is not None and heads != shown.num_heads else None,
        )

    def _enable(self, own: bool) -> None:
        self.height_box.setDisabled(own)
        self.width_box.setDisabled(own)
        self.patch_box.setEnabled(not own and self._shown.patch_size is not None)
        self.heads_box.setEnabled(not own and self._shown.num_heads is not None)


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
