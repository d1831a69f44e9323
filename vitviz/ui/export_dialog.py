"""The export dialog: what is written and how, with a preview of the file's own pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from vitviz.render.figure import WIDTHS, Figure
from vitviz.render.plan import MOVING, NUMBERS, Plan
from vitviz.ui.elided_label import ElidedLabel
from vitviz.ui.export_choices import FORMATS, OVERS, SIZES, begun

if TYPE_CHECKING:
    from vitviz.render.preview import Preview

_DELAY = 120  # milliseconds without a change before the preview is drawn again


class ExportDialog(QDialog):
    """Asks how the shown figure is to be written.

    `preview_wanted(Plan)` soon after every change, `export_asked(Plan)` and `copy_asked(Plan)` by its buttons. What was
    chosen comes back as `Plan.figure`, `format` and `over`; selection and style are those it was opened with.
    `subject` says in one line what the file of a plan is of.
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
        self._plan, self._subject = begun(plan, remembered), subject
        self._pixels: np.ndarray | None = None
        self._soon = QTimer(self, singleShot=True, interval=_DELAY)
        self._soon.timeout.connect(self._want)
        self._make()
        self._show(self._plan)
        self.subject.setText(subject(self._plan) if subject else "")
        self._changed()

    def _make(self) -> None:
        self.format, self.over, self.extent = _box(FORMATS), _box(OVERS), _box(SIZES)
        self.width_box = _number(10, 1000, 1, " mm")
        self.scale = _number(0.05, 16, 2, " x")
        self.dpi = QSpinBox()
        self.dpi.setRange(30, 1200)
        self.dpi.setSuffix(" dpi")
        self.letters = _number(3, 72, 1, " pt")
        self.seconds = _number(0.02, 60, 2, " s a frame")
        self.mass = _number(0.01, 1, 2, " of the mass")
        self.mass.setSingleStep(0.05)
        self.title, self.label = QLineEdit(), QLineEdit()
        self.title.setPlaceholderText("none")
        self.subject = ElidedLabel()
        self.subject.setAccessibleName("What is exported")
        self.label.setPlaceholderText("what the values are")
        self.bar, self.grid, self.labels = QCheckBox("Colour bar"), QCheckBox("Patch grid"), QCheckBox("Names of tiles")
        self.theme = _box((("Light", "light"), ("Dark", "dark")))
        form = QFormLayout()
        self._rows: dict[str, QWidget] = {}
        for name, text, widget in (
            ("format", "Format", self.format), ("over", "Of", self.over), ("size", "Size", self.extent),
            ("width", "Width", self.width_box), ("scale", "Scale", self.scale), ("dpi", "Resolution", self.dpi),
            ("title", "Title", self.title), ("label", "Label of the bar", self.label),
            ("font", "Font size", self.letters),
            ("theme", "Background", self.theme), ("seconds", "Time", self.seconds), ("mass", "White holds", self.mass),
        ):  # fmt: skip
            form.addRow(text, widget)
            widget.setAccessibleName(text)
            self._rows[name] = widget
        for check in (self.bar, self.grid, self.labels):
            form.addRow("", check)
        self._form = form
        self.picture = QLabel()
        self.picture.setTextFormat(Qt.TextFormat.PlainText)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.picture.setMinimumSize(320, 240)
        self.picture.setAccessibleName("Preview of the file")
        self.note = QLabel(" ")
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.note.setWordWrap(True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.export = self.buttons.addButton("Export…", QDialogButtonBox.ButtonRole.ActionRole)
        self.buttons.button(QDialogButtonBox.StandardButton.Close).setAutoDefault(False)
        self.export.setDefault(True)
        self.copy = self.buttons.addButton("Copy", QDialogButtonBox.ButtonRole.ActionRole)
        self.export.clicked.connect(lambda: self._send(self.export_asked))
        self.copy.clicked.connect(lambda: self._send(self.copy_asked))
        self.buttons.rejected.connect(self.reject)
        left = QWidget()
        left.setLayout(form)
        left.setMaximumWidth(340)
        right = QVBoxLayout()
        right.addWidget(self.picture, 1)
        right.addWidget(self.note)
        top = QHBoxLayout()
        top.addWidget(left)
        top.addLayout(right, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(self.subject)
        layout.addLayout(top, 1)
        layout.addWidget(self.buttons)
        for box in (self.format, self.over, self.extent, self.theme):
            box.currentIndexChanged.connect(self._changed)
        for spin in (self.width_box, self.scale, self.dpi, self.letters, self.seconds, self.mass):
            spin.setKeyboardTracking(False)
            spin.valueChanged.connect(self._changed)
        for line in (self.title, self.label):
            line.textChanged.connect(self._changed)
        for check in (self.bar, self.grid, self.labels):
            check.toggled.connect(self._changed)

    def _show(self, plan: Plan) -> None:
        """Fill the controls from a plan."""
        figure = plan.figure
        size = next((name for name, mm in WIDTHS.items() if figure.width == mm), "other" if figure.width else "own")
        if figure.bare:
            size = "alone"
        for box, value in ((self.format, plan.format), (self.over, plan.over), (self.extent, size)):
            box.setCurrentIndex(max(0, box.findData(value)))
        self.theme.setCurrentIndex(max(0, self.theme.findData(figure.theme)))
        self.width_box.setValue(figure.width or WIDTHS["one column"])
        self.scale.setValue(figure.scale)
        self.dpi.setValue(figure.dpi)
        self.letters.setValue(figure.font_size)
        self.seconds.setValue(plan.seconds)
        self.mass.setValue(plan.mass)
        self.title.setText(figure.title)
        self.label.setText(figure.label)
        for check, on in (
            (self.bar, figure.color_bar or figure.bare),
            (self.grid, figure.grid),
            (self.labels, figure.labels),
        ):
            check.setChecked(on)

    def plan(self) -> Plan:
        """What the controls say; ValueError, with a sentence, where that is nothing that can be made."""
        size = self.extent.currentData()
        width = self.width_box.value() if size == "other" else WIDTHS.get(size)
        around = size != "alone"
        figure = Figure(
            title=self.title.text().strip() if around else "",
            label=self.label.text().strip() if around else "",
            color_bar=self.bar.isChecked() and around,
            grid=self.grid.isChecked() and around,
            labels=self.labels.isChecked(),
            font_size=self.letters.value(),
            width=width,
            scale=self.scale.value(),
            dpi=self.dpi.value(),
            theme=self.theme.currentData(),
        )
        made: dict[str, Any] = {"format": self.format.currentData(), "over": self.over.currentData()}
        made |= {"seconds": self.seconds.value(), "mass": self.mass.value()}
        return replace(self._plan, figure=figure, **made)

    @Slot()
    def _changed(self) -> None:
        """After any change: keep format and content together, show the controls that matter, draw again soon."""
        kind = self.format.currentData()
        sheets = ["map", "heads", "layers", "methods"]
        legal = {"mask": ["map"], **{key: ["layers", "heads", "queries"] for key in MOVING}}.get(kind, sheets)
        if kind in NUMBERS:
            legal = [*sheets, "queries"]
        if self.over.currentData() not in legal:
            with QSignalBlocker(self.over):
                self.over.setCurrentIndex(self.over.findData(legal[0]))
        model: Any = self.over.model()
        for i in range(self.over.count()):
            model.item(i).setEnabled(self.over.itemData(i) in legal)
        drawn = kind not in (*NUMBERS, "mask")
        many = self.over.currentData() != "map"
        sheet = many and kind not in MOVING
        self._refuse_pixels(sheet)
        size = self.extent.currentData()
        seen = {
            "size": drawn, "width": drawn and size == "other", "scale": drawn and size in ("own", "alone"),
            "dpi": drawn, "title": drawn, "label": drawn, "font": drawn, "theme": drawn, "seconds": kind in MOVING,
            "mass": kind == "mask",
        }  # fmt: skip
        for name, visible in seen.items():
            self._form.setRowVisible(self._rows[name], visible)
        for check in (self.bar, self.grid, self.labels):
            self._form.setRowVisible(check, drawn and (check is not self.labels or many))
        # What would change nothing in the file can't be set.
        around, bar = size != "alone", size != "alone" and self.bar.isChecked()
        lettered = bar or (around and bool(self.title.text().strip())) or (many and self.labels.isChecked())
        for widget, has_effect in (
            (self.title, around), (self.bar, around), (self.grid, around), (self.label, bar), (self.letters, lettered),
            (self.theme, around or lettered), (self.dpi, around or lettered or kind in ("svg", "pdf")),
        ):  # fmt: skip
            widget.setEnabled(has_effect)
        self.copy.setEnabled(kind not in NUMBERS)
        self._soon.start()

    def _refuse_pixels(self, sheet: bool) -> None:
        """A sheet of many has a width of its own, whatever the picture's pixels are."""
        if sheet and self.extent.currentData() in ("own", "alone"):
            with QSignalBlocker(self.extent):
                self.extent.setCurrentIndex(self.extent.findData("two columns"))
        model: Any = self.extent.model()
        for size in ("own", "alone"):
            model.item(self.extent.findData(size)).setEnabled(not sheet)

    @Slot()
    def _want(self) -> None:
        try:
            plan = self.plan()
            self.subject.setText(self._subject(plan) if self._subject else "")
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
            self.picture.setText(preview.text)
            self.note.setText("Numbers, with names and units; the recipe will lie beside them.")
            return
        self.note.setText(f"{preview.text}; the recipe will lie beside it.")
        self._fit()

    def say(self, sentence: str) -> None:
        """Say what became of what was asked for; the preview stays."""
        self.note.setText(sentence)

    def fail(self, sentence: str) -> None:
        """Say why there is no preview."""
        self._pixels = None
        self.picture.setText("")
        self.note.setText(sentence)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """The file's pixels, one to one where there is room for them."""
        if self._pixels is None:
            return
        pixels = np.ascontiguousarray(self._pixels)
        height, width = pixels.shape[:2]
        shown = QPixmap.fromImage(QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888))
        room = self.picture.size()
        if width > room.width() or height > room.height():
            ways = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            shown = shown.scaled(room, *ways)
        self.picture.setPixmap(shown)

    def done(self, result: int) -> None:
        self._soon.stop()
        super().done(result)


def _box(choices: Sequence[tuple[str, str]]) -> QComboBox:
    box = QComboBox()
    for title, value in choices:
        box.addItem(title, value)
    return box


def _number(low: float, high: float, digits: int, suffix: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(digits)
    box.setRange(low, high)
    box.setSuffix(suffix)
    return box
