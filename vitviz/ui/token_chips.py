"""A row of chips, one for each named token, of which one may be chosen."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QToolButton, QWidget

from vitviz.render.sequence import token_name
from vitviz.ui.wrapping import Wrapping


class TokenChips(QWidget):
    """`chosen(token, on)` when the user clicks a chip; `check` shows which one is chosen and emits nothing."""

    chosen = Signal(str, bool)

    def __init__(self, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tip = tip
        self.buttons: dict[str, QToolButton] = {}
        self._row = Wrapping(parent=self, spacing=4)

    def show_tokens(self, tokens: Sequence[str]) -> None:
        """Show other tokens."""
        while item := self._row.takeAt(0):
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.buttons.clear()
        for token in tokens:
            button = QToolButton()
            button.setText(token_name(token))
            button.setCheckable(True)
            button.setToolTip(self._tip.format(token_name(token)))
            button.clicked.connect(lambda on, token=token: self.chosen.emit(token, on))
            self._row.addWidget(button)
            self.buttons[token] = button

    def check(self, chosen: object) -> None:
        """Show which token is chosen, if any."""
        for token, button in self.buttons.items():
            button.setChecked(token == chosen)
