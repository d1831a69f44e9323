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

    def offer(self, trace: Trace, wanted: int | None = None) -> None:
        """Offer the classes of a trace, `wanted` among them; the one that was chosen stays where it is among them."""
        before = self.currentData() if wanted is None else wanted
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
