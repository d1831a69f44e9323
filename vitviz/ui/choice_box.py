"""A box of choices, each with the value that it stands for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox


def choice_box(choices: Iterable[tuple[Any, ...]], tip: str = "", name: str = "") -> QComboBox:
    """A box of (title, value) or (title, value, tip), the value as the data of its line.

    It is read out as `name`, or as its tip where it has none.
    """
    box = QComboBox()
    for title, value, *tips in choices:
        box.addItem(title, value)
        if tips:
            box.setItemData(box.count() - 1, tips[0], Qt.ItemDataRole.ToolTipRole)
    box.setToolTip(tip)
    box.setAccessibleName(name or tip)
    return box
