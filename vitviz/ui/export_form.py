"""The form of the export dialog: what is written and how, as a Plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QLineEdit, QSpinBox, QWidget

from vitviz.render.figure import WIDTHS, Figure
from vitviz.render.plan import MOVING, NUMBERS, Plan, scale_of
from vitviz.ui.choice_box import choice_box
from vitviz.ui.export_choices import FORMATS, OVERS, SCALES, SIZES, legal_overs


class ExportForm(QWidget):
    """`changed()` after every change. Only what fits together can be chosen, and what has no effect can't be set.

    What was chosen comes back as `Plan.figure`, `format`, `over`, `scale`, `seconds` and `mass`; the rest of the plan
    is that which the form was filled from.
    """

    changed = Signal()

    def __init__(self, plan: Plan, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plan = plan
        self._moving: bool | None = None
        self._make()
        self._fill(plan)
        self._connect()
        self._changed()

    def _make(self) -> None:
        self.format, self.over, self.extent = choice_box(FORMATS), choice_box(OVERS), choice_box(SIZES)
        self.colours = choice_box([each for each in SCALES if each[1] != "fixed" or self._plan.scale == "fixed"])
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
        self.label.setPlaceholderText("what the values are")
        self.bar, self.grid, self.labels = QCheckBox("Colour bar"), QCheckBox("Patch grid"), QCheckBox("Names of tiles")
        self.seen_only = QCheckBox("Only what the model saw")
        self.seen_only.setToolTip("Leave out what was cropped away of the picture, which else is grey and hatched")
        self.theme = choice_box((("Light", "light"), ("Dark", "dark")))
        form = self._form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        self._rows: dict[str, QWidget] = {}
        for name, text, widget in (
            ("format", "Format", self.format), ("over", "Of", self.over), ("colours", "Colour scale", self.colours),
            ("size", "Size", self.extent),
            ("width", "Width", self.width_box), ("scale", "Scale", self.scale), ("dpi", "Resolution", self.dpi),
            ("title", "Title", self.title), ("label", "Label of the bar", self.label),
            ("font", "Font size", self.letters),
            ("theme", "Background", self.theme), ("seconds", "Time", self.seconds), ("mass", "White holds", self.mass),
        ):  # fmt: skip
            form.addRow(text, widget)
            widget.setAccessibleName(text)
            self._rows[name] = widget
        for check in (self.bar, self.grid, self.labels, self.seen_only):
            form.addRow("", check)

    def _connect(self) -> None:
        for box in (self.format, self.over, self.colours, self.extent, self.theme):
            box.currentIndexChanged.connect(self._changed)
        for spin in (self.width_box, self.scale, self.dpi, self.letters, self.seconds, self.mass):
            spin.setKeyboardTracking(False)
            spin.valueChanged.connect(self._changed)
        for line in (self.title, self.label):
            line.textChanged.connect(self._changed)
        for check in (self.bar, self.grid, self.labels, self.seen_only):
            check.toggled.connect(self._changed)

    def _fill(self, plan: Plan) -> None:
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
            (self.seen_only, figure.seen_only),
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
            seen_only=self.seen_only.isChecked(),
            labels=self.labels.isChecked(),
            font_size=self.letters.value(),
            width=width,
            scale=self.scale.value(),
            dpi=self.dpi.value(),
            theme=self.theme.currentData(),
        )
        made: dict[str, Any] = {"format": self.format.currentData(), "over": self.over.currentData()}
        made |= {"seconds": self.seconds.value(), "mass": self.mass.value()}
        if made["over"] not in ("map", "methods"):
            made["scale"] = self.colours.currentData()
        return replace(self._plan, figure=figure, **made)

    @Slot()
    def _changed(self) -> None:
        """After any change: keep format and content together, show the controls that matter."""
        kind = self.format.currentData()
        method = self._plan.selection.method
        legal = legal_overs(kind, method)
        if self.over.currentData() not in legal:
            with QSignalBlocker(self.over):
                self.over.setCurrentIndex(self.over.findData(legal[0]))
        _enable(self.over, legal)
        _enable(self.format, [name for _, name in FORMATS if legal_overs(name, method)])
        drawn = kind not in (*NUMBERS, "mask")
        many = self.over.currentData() != "map"
        sheet = many and kind not in MOVING
        self._refuse_pixels(sheet)
        self._suit_scale(kind in MOVING)
        size = self.extent.currentData()
        seen = {
            "colours": drawn and self.over.currentData() not in ("map", "methods"),
            "size": drawn, "width": drawn and size == "other", "scale": drawn and size in ("own", "alone"),
            "dpi": drawn, "title": drawn, "label": drawn, "font": drawn, "theme": drawn, "seconds": kind in MOVING,
            "mass": kind == "mask",
        }  # fmt: skip
        for name, visible in seen.items():
            self._form.setRowVisible(self._rows[name], visible)
        self.labels.setText("Names of frames" if kind in MOVING else "Names of tiles")
        for check in (self.bar, self.grid, self.labels):
            self._form.setRowVisible(check, drawn and (check is not self.labels or many))
        self._form.setRowVisible(self.seen_only, drawn or kind == "mask")
        # What would change nothing in the file can't be set.
        around, bar = size != "alone", size != "alone" and self.bar.isChecked()
        lettered = bar or (around and bool(self.title.text().strip())) or (many and self.labels.isChecked())
        for widget, has_effect in (
            (self.title, around), (self.bar, around), (self.grid, around), (self.label, bar), (self.letters, lettered),
            (self.theme, around or lettered), (self.dpi, around or lettered or kind in ("svg", "pdf")),
        ):  # fmt: skip
            widget.setEnabled(has_effect)
        self.changed.emit()

    def _suit_scale(self, moving: bool) -> None:
        """Begin with one scale for all frames of an animation, and for the tiles of a sheet with that of the window."""
        if moving == self._moving:
            return
        self._moving = moving
        scale = scale_of(self._plan.scale, self.format.currentData())
        with QSignalBlocker(self.colours):
            self.colours.setCurrentIndex(self.colours.findData(scale))

    def _refuse_pixels(self, sheet: bool) -> None:
        """A sheet of many has a width of its own, whatever the picture's pixels are."""
        if sheet and self.extent.currentData() in ("own", "alone"):
            with QSignalBlocker(self.extent):
                self.extent.setCurrentIndex(self.extent.findData("two columns"))
        _enable(self.extent, [size for _, size in SIZES if not (sheet and size in ("own", "alone"))])


def _enable(box: QComboBox, legal: Sequence[str]) -> None:
    model: Any = box.model()
    for i in range(box.count()):
        model.item(i).setEnabled(box.itemData(i) in legal)


def _number(low: float, high: float, digits: int, suffix: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(digits)
    box.setRange(low, high)
    box.setSuffix(suffix)
    return box
