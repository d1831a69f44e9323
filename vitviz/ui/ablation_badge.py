"""Says over the map that the model is altered, and puts it back."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from vitviz.attention.values import Ablation
from vitviz.ui.labels import plain_label
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane


class AblationBadge(QFrame):
    """A line that is there as long as heads are off, or are about to be, with a button that switches all on again."""

    def __init__(self, pane: Pane, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane = pane
        self._shown = Ablation()
        self.setObjectName("ablation-badge")
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.text = plain_label("", bold=True)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.reset = QToolButton()
        self.reset.setText("Reset")
        self.reset.setToolTip("Switch all heads on again (Ctrl+Shift+X)")
        self.reset.clicked.connect(self._reset)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 2, 2, 2)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.reset)
        self.hide()
        pane.traced.connect(self._traced)
        pane.store.changed.connect(self._say)

    @Slot()
    def _reset(self) -> None:
        store = self._pane.store
        store.update(ablation=replace(store.state.ablation, heads=()))

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        self._shown = opened.trace.ablation
        self._say()

    @Slot()
    def _say(self) -> None:
        wish = self._pane.store.state.ablation
        self.setVisible(bool(wish) or bool(self._shown))
        running = "" if wish == self._shown else ", being computed"
        words = f"Altered model: {wish.words}{running}" if wish else "All heads on again"
        self.text.setText(words)
        self.text.setToolTip(f"{words}\nMaps and prediction are those of the model without these heads.")
