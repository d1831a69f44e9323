"""What of a network's position embeddings is looked at: which of them, from which token, on which scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QWidget

from vitviz.ui.choice_box import choice_box
from vitviz.ui.token_chips import TokenChips
from vitviz.ui.wrapping import Wrapping

if TYPE_CHECKING:
    from vitviz.embeddings.positions import Positions

SCALES = (("Scale: −1 to 1", "whole"), ("Scale: smallest to largest", "own"))
_NAMES = {"learned": "Learned", "separate": "Rows and columns", "sin-cos": "Sin-cos", "rotary": "Rotary"}


class PositionChoices(QWidget):
    """A row of choices. `kind_chosen()`, `scale_chosen()`; a chip tells of itself."""

    kind_chosen = Signal()
    scale_chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kinds = choice_box(
            (),
            "This network has more than one position embedding: which one is shown",
            name="Which of the network's position embeddings",
        )
        self.scales = choice_box(
            SCALES,
            "Scale of the colours: that of any cosine, or from the smallest to the largest value",
            name="Scale of the colours",
        )
        self.chips = TokenChips("The row of the position embedding that {} gets", self)
        self._wished = ""
        Wrapping(self.kinds, self.chips, self.scales, parent=self)
        self.kinds.activated.connect(self.kind_chosen)
        self.scales.activated.connect(self.scale_chosen)

    @property
    def index(self) -> int:
        """The chosen position embedding."""
        return max(0, self.kinds.currentIndex())

    @property
    def whole(self) -> bool:
        """Whether the scale is that of any cosine."""
        return bool(self.scales.currentData() == "whole")

    def wish(self, kind: str, whole: bool) -> None:
        """Choose the scale, and the position embedding of a kind as soon as it is offered."""
        self._wished = kind
        self.scales.setCurrentIndex(self.scales.findData("whole" if whole else "own"))

    def offer(self, found: tuple[Positions, ...]) -> None:
        """The position embeddings of another network."""
        with QSignalBlocker(self.kinds):
            self.kinds.clear()
            for each in found:
                self.kinds.addItem(_NAMES[each.kind])
                if each.kind == self._wished:
                    self.kinds.setCurrentIndex(self.kinds.count() - 1)
        if found:
            self._wished = ""
        self.kinds.setVisible(len(found) > 1)
        self.scales.setVisible(bool(found))
