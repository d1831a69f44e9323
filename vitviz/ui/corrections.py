"""What the user may say otherwise about the shown model: network, architecture, sizes, heads, mean, std, labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QCompleter,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from vitviz.models.names import architectures
from vitviz.ui import files
from vitviz.ui.labels import plain_label
from vitviz.ui.network_dialog import described

if TYPE_CHECKING:
    from vitviz.models.model import Model
    from vitviz.models.report import Finding


@dataclass(frozen=True, slots=True)
class Corrections:
    """What is to be otherwise; None is as it is now."""

    network: str | None = None
    architecture: str | None = None
    image_size: tuple[int, int] | None = None
    patch_size: int | None = None
    num_heads: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    norm_eps: float | None = None
    labels: Path | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the dialog shows: the values now, and what the report says about each topic."""

    networks: tuple[str, ...]
    architecture: str
    image_size: tuple[int, int]
    patch_size: int | None
    num_heads: int | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    norm_eps: float | None
    classes: int
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, model: Model, heads: Sequence[int]) -> Known:
        """Of a model whose layers have these numbers of heads."""
        wanted, patch = model.preprocessing, model.patch_size
        return cls(
            networks=model.networks,
            architecture=model.architecture,
            image_size=wanted.input_size,
            patch_size=patch[0] if patch else None,
            num_heads=heads[0] if len(set(heads)) == 1 else None,
            mean=wanted.mean,
            std=wanted.std,
            norm_eps=model.norm_eps,
            classes=len(model.labels),
            findings=tuple(model.report),
        )

    def said(self, *topics: str) -> str:
        """What the report says about these topics, "" where nothing."""
        return "\n".join(str(finding) for finding in self.findings if finding.topic in topics)


class CorrectionDialog(QDialog):
    """Shows each value with its source and how certain it is; `then(Corrections)`, None for all as the model has it.

    `said` is what was said before, and `trouble` why it could not be so.
    """

    def __init__(
        self,
        parent: QWidget,
        known: Known,
        then: Callable[[Corrections | None], object],
        said: Corrections | None = None,
        trouble: str = "",
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Sizes, heads and assumptions")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._known = known
        self.network_box = QComboBox(self)
        self.network_box.addItems([described(name, "" if i else "shown now") for i, name in enumerate(known.networks)])
        self.network_box.setVisible(len(known.networks) > 1)
        self.architecture_line = QLineEdit(placeholderText=known.architecture, clearButtonEnabled=True)
        self.architecture_line.setToolTip("One of timm's, where another one than this was found or assumed")
        names = QCompleter([named.name for named in architectures()], self)
        names.setFilterMode(Qt.MatchFlag.MatchContains)
        self.architecture_line.setCompleter(names)
        height, width = known.image_size
        self.height_box, self.width_box, self.patch_box = (_pixels(v) for v in (height, width, known.patch_size or 16))
        self.heads_box = QSpinBox()
        self.heads_box.setRange(1 if known.num_heads else 0, 256)
        self.heads_box.setSpecialValueText("" if known.num_heads else "not the same in all")
        self.heads_box.setValue(known.num_heads or 0)
        self.heads_box.setToolTip("A wrong number opens without an error and spoils every map")
        self.mean_line, self.std_line = (QLineEdit(_text(values)) for values in (known.mean, known.std))
        self.eps_line = QLineEdit("" if known.norm_eps is None else f"{known.norm_eps:g}")
        self.eps_line.setPlaceholderText("differs from norm to norm")
        self.labels_line = QLineEdit(placeholderText=f"{known.classes} names" if known.classes else "no names")
        self.own = QCheckBox("All as the model &has them")
        self.trouble = plain_label("", wrap=True)
        self.trouble.setText(trouble)
        self.trouble.setObjectName("trouble")
        self._fields = QWidget()
        self._fill(QFormLayout(self._fields))
        scroll = QScrollArea()
        scroll.setWidget(self._fields)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(scroll, 1)
        for widget in (self.own, self.trouble, buttons):
            layout.addWidget(widget)
        self.resize(620, 620)
        self.own.toggled.connect(self._fields.setDisabled)
        if said is not None:
            self._repeat(said)
        self.accepted.connect(lambda: then(None if self.own.isChecked() else self.corrections()))

    def _fill(self, form: QFormLayout) -> None:
        known = self._known
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        if len(known.networks) > 1:
            form.addRow("&Network of the file", self.network_box)
        form.addRow("&Architecture", self.architecture_line)
        self._note(form, known.said("recognised") or known.said("structure") or known.said("format"))
        form.addRow("Heigh&t of the view", self.height_box)
        form.addRow("&Width of the view", self.width_box)
        form.addRow("&Patch size", self.patch_box)
        self._note(form, known.said("view", "image size", "resampled", "window"))
        form.addRow("Heads of each &layer", self.heads_box)
        many = "" if known.num_heads else "The layers have different numbers of heads, which can't be set here."
        self._note(form, known.said("heads") or many)
        form.addRow("&Mean", self.mean_line)
        form.addRow("&Std", self.std_line)
        self._note(form, known.said("mean and std", "mean", "std", "preprocessing"))
        form.addRow("Norm &epsilon", self.eps_line)
        self._note(form, known.said("norm epsilon"))
        browse = QPushButton("&Browse…")
        browse.clicked.connect(self._browse)
        row = QHBoxLayout()
        row.addWidget(self.labels_line, 1)
        row.addWidget(browse)
        form.addRow("Labels file", row)
        self._note(form, "A text file with one name a line, or a JSON list or object.")
        others = known.said("activation", "norms", "pooling", "patches", "attention scale")
        if others:
            self._note(form, others, "Also said")
        self.patch_box.setEnabled(known.patch_size is not None)
        self.heads_box.setEnabled(known.num_heads is not None)

    def _note(self, form: QFormLayout, text: str, title: str = "") -> None:
        if not text:
            return
        label = plain_label(text, wrap=True)
        label.setMinimumWidth(400)  # a narrower one would be measured higher than it is shown
        label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        form.addRow(title, label)

    def _repeat(self, said: Corrections) -> None:
        if said.network in self._known.networks:
            self.network_box.setCurrentIndex(self._known.networks.index(said.network))
        self.height_box.setValue((said.image_size or self._known.image_size)[0])
        self.width_box.setValue((said.image_size or self._known.image_size)[1])
        for box, value in ((self.patch_box, said.patch_size), (self.heads_box, said.num_heads)):
            if value is not None:
                box.setValue(value)
        for line, text in (
            (self.architecture_line, said.architecture),
            (self.mean_line, None if said.mean is None else _text(said.mean)),
            (self.std_line, None if said.std is None else _text(said.std)),
            (self.eps_line, None if said.norm_eps is None else f"{said.norm_eps:g}"),
            (self.labels_line, None if said.labels is None else str(said.labels)),
        ):
            if text is not None:
                line.setText(text)

    def _browse(self) -> None:
        files.ask_labels(self, lambda path: self.labels_line.setText(str(path)))

    def corrections(self) -> Corrections:
        """What was changed; ValueError with a sentence for what can't be read."""
        known, size = self._known, (self.height_box.value(), self.width_box.value())
        patch, heads = self.patch_box.value(), self.heads_box.value()
        network = known.networks[self.network_box.currentIndex()] if len(known.networks) > 1 else None
        mean = _numbers(self.mean_line, "The mean", len(known.mean))
        std = _numbers(self.std_line, "The std", len(known.std))
        if any(value <= 0 for value in std):
            raise ValueError("The std must be greater than 0.")
        eps = self._eps()
        labels, architecture = self.labels_line.text().strip(), self.architecture_line.text().strip()
        return Corrections(
            network=network if self.network_box.currentIndex() else None,
            architecture=architecture if architecture not in ("", known.architecture) else None,
            image_size=size if size != known.image_size else None,
            patch_size=patch if known.patch_size is not None and patch != known.patch_size else None,
            num_heads=heads if known.num_heads is not None and heads != known.num_heads else None,
            mean=mean if self.mean_line.text() != _text(known.mean) else None,
            std=std if self.std_line.text() != _text(known.std) else None,
            norm_eps=eps if eps != known.norm_eps else None,
            labels=Path(labels).expanduser() if labels else None,
        )

    def _eps(self) -> float | None:
        text = self.eps_line.text().strip()
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value < 1:
            raise ValueError(f"The norm epsilon must be a number between 0 and 1, such as 1e-6, not {text}.")
        return value

    def accept(self) -> None:
        """Close where all can be read; else say what can't."""
        if not self.own.isChecked():
            try:
                self.corrections()
            except ValueError as error:
                self.trouble.setText(str(error))
                return
        super().accept()


def _numbers(line: QLineEdit, what: str, channels: int) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in line.text().split(","))
    except ValueError:
        values = ()
    if len(values) not in (1, channels):
        line.setFocus()
        raise ValueError(f"{what} must be one number, or {channels} with commas between them, such as 0.485, 0.456.")
    return values * channels if len(values) == 1 else values


def _text(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def _pixels(value: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(1, 8192)
    box.setValue(value)
    box.setSuffix(" px")
    return box
