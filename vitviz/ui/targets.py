"""A choice among the classes that a model finds most probable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QComboBox, QSizePolicy

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace

_MOST = 10


class TargetBox(QComboBox):
    """The most probable classes of a trace, the number of a class as the data of its line."""

    def __init__(self, tip: str) -> None:
        super().__init__()
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(90)
        self._seen: Trace | None = None
        self._mine: int | None = None  # what the user chose here
        self.activated.connect(self._choose)

    def _choose(self, index: int) -> None:
        self._mine = self.itemData(index)

    def follow(self, wanted: int | None) -> None:
        """Show the class that was chosen elsewhere, the most probable one where none was."""
        self._mine = None
        if self._seen is not None:
            self.offer(self._seen, wanted)

    def offer(self, trace: Trace, wanted: int | None = None) -> None:
        """Offer the classes of a trace, `wanted` among them. What the user chose here stays where it is among them; of
        a model with other classes the same number would mean another one."""
        if self._seen is not None and not same_classes(self._seen, trace):
            self._mine = None
        self._seen = trace
        before = wanted if self._mine is None else self._mine
        shares = trace.probabilities
        with QSignalBlocker(self):
            self.clear()
            best = [int(index) for index in np.argsort(-trace.logits, kind="stable")[:_MOST]]
            if wanted is not None and wanted not in best and wanted < trace.logits.size:
                best.append(wanted)
            for index in best:
                share = f" · {shares[index]:.1%}" if shares.size else ""
                self.addItem(f"{trace.label(index)}{share}", index)
            kept = next((i for i in range(self.count()) if self.itemData(i) == before), 0)
            self.setCurrentIndex(kept if self.count() else -1)


def same_classes(one: Trace, other: Trace) -> bool:
    """Whether the number of a class means the same in both."""
    if one.logits.size != other.logits.size or one.labels != other.labels:
        return False
    return bool(one.labels) or one.model_name == other.model_name
