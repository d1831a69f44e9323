"""One of two large maps beside each other, with its method and class."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from vitviz.attention.methods import METHODS
from vitviz.attention.values import Method
from vitviz.ui.choice_box import choice_box
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.labels import plain_label
from vitviz.ui.pane import Pane
from vitviz.ui.picture_view import PictureView
from vitviz.ui.targets import TargetBox
from vitviz.ui.wrapping import narrow


class MethodSide(QWidget):
    """`chosen()` when the user takes another method or class."""

    chosen = Signal()

    def __init__(self, where: str, method: Method, pane: Pane, parent: QWidget) -> None:
        super().__init__(parent)
        self.box = choice_box([(each.title, name) for name, each in METHODS.items()], f"Method on the {where}")
        self.box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.box.setCurrentIndex(list(METHODS).index(method))
        self.targets = TargetBox(f"Class on the {where}", pane)
        self.view = PictureView(self)
        self.view.setAccessibleName(f"Map on the {where}")
        self.bar = ColorBar(self)
        self.note = plain_label("", wrap=True)
        self.origin = plain_label(" ", wrap=True)
        self.origin.setAccessibleName(f"What the map on the {where} is from")
        narrow(self.box, 7)
        narrow(self.targets, 7)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(2)
        grid.addWidget(self.box, 0, 0, 1, 2)
        grid.addWidget(self.targets, 1, 0, 1, 2)
        grid.addWidget(self.origin, 2, 0, 1, 2)
        grid.addWidget(self.view, 3, 0)
        grid.addWidget(self.bar, 3, 1)
        grid.addWidget(self.note, 4, 0, 1, 2)
        grid.setRowStretch(3, 1)
        grid.setColumnStretch(0, 1)
        for box in (self.box, self.targets):
            box.activated.connect(lambda _: self.chosen.emit())

    @property
    def method(self) -> Method:
        """The chosen method."""
        found: Method = self.box.currentData()
        return found

    @property
    def target(self) -> int | None:
        """The chosen class."""
        found: int | None = self.targets.currentData()
        return found

    def choose(self, method: Method) -> None:
        """Show another method here."""
        self.box.setCurrentIndex(list(METHODS).index(method))
        self.chosen.emit()
