"""A choice among the classes that a model finds most probable, which begins with the class of the toolbar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSignalBlocker, Slot
from PySide6.QtWidgets import QComboBox, QSizePolicy

from vitviz.ui.store import State

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace
    from vitviz.ui.pane import Pane

_MOST = 10
HERE, ABOVE = "here: ", " · as in the toolbar"


class TargetBox(QComboBox):
    """The most probable classes of a trace, the number of a class as the data of its line.

    It follows the class that the pane's state explains, or the most probable one where it names none. What the user
    chooses in the box itself stays, and is called `here: NAME`, until a class is chosen in the toolbar, or a
    model with other classes is shown.
    """

    def __init__(self, tip: str, pane: Pane) -> None:
        super().__init__()
        self._pane, self._tip = pane, tip
        self._names: list[str] = []
        self._seen: Trace | None = None
        self.own = False
        self.shared: int | None = None
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(90)
        self.activated.connect(self._chosen)
        pane.store.changed.connect(self._follow)

    def offer(self, trace: Trace) -> None:
        """Offer the classes of a trace, that of the toolbar and an own choice among them."""
        before, self._seen = self._seen, trace
        own = self.currentData() if self.own and before is not None and same_classes(before, trace) else None
        shares, wanted = trace.probabilities, self._pane.store.state.target
        best = [int(index) for index in np.argsort(-trace.logits, kind="stable")[:_MOST]]
        self.shared = wanted if wanted is not None and wanted < trace.logits.size else next(iter(best), None)
        best += [i for i in dict.fromkeys((self.shared, own)) if i is not None and i not in best]
        self.own = own is not None and own != self.shared
        self._names = [f"{trace.label(i)} · {shares[i]:.1%}" if shares.size else trace.label(i) for i in best]
        with QSignalBlocker(self):
            self.clear()
            for name, index in zip(self._names, best, strict=True):
                self.addItem(name, index)
            self._stand(own if self.own else self.shared)

    @Slot(object, object)
    def _follow(self, old: State, new: State) -> None:
        """The toolbar explains another class: what was chosen last counts, wherever it was."""
        if old.target != new.target and self._seen is not None:
            self.own = False
            self.offer(self._seen)

    @Slot(int)
    def _chosen(self, index: int) -> None:
        self.own = self.itemData(index) != self.shared
        self._stand(self.itemData(index))

    def _stand(self, index: int | None) -> None:
        """Stand on a class, and say where it is another than that of the toolbar."""
        for i, name in enumerate(self._names):
            mine, shared = self.itemData(i) == index, self.itemData(i) == self.shared
            self.setItemText(i, f"{HERE}{name}" if self.own and mine else name + ABOVE if self.own and shared else name)
        self.setCurrentIndex(next((i for i in range(self.count()) if self.itemData(i) == index), -1))
        other = "chosen here, another than in the toolbar" if self.own else "the one of the toolbar, until one chooses"
        self.setToolTip(f"{self._tip}: {other}")


def same_classes(one: Trace, other: Trace) -> bool:
    """Whether the number of a class means the same in both."""
    if one.logits.size != other.logits.size or one.labels != other.labels:
        return False
    return bool(one.labels) or one.model_name == other.model_name
