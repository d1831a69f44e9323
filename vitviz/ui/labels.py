"""Labels that show what files and networks are called: as it stands, never as markup."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel


def plain_label(text: str = " ", *, wrap: bool = False, bold: bool = False) -> QLabel:
    """A label of plain text; one space keeps its line where there is nothing to say yet."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(wrap)
    if bold:
        font = label.font()
        font.setBold(True)
        label.setFont(font)
    return label
