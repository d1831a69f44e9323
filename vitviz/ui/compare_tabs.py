"""What stands under the panes of a comparison: costs, their curves, and what differs."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QTabWidget, QWidget

from vitviz.ui.cost_curve import CostCurve
from vitviz.ui.cost_table import CostTable
from vitviz.ui.costing import Costing
from vitviz.ui.difference_view import DifferenceView
from vitviz.ui.jobs import Worker
from vitviz.ui.labels import plain_label
from vitviz.ui.pane_column import PaneColumn
from vitviz.ui.pane_title import model_text, wish_text
from vitviz.ui.panes import Panes


class CompareTabs(QTabWidget):
    """Shown with two panes or more; measures only while it is on the screen."""

    def __init__(self, panes: Panes, costing: Costing, worker: Worker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._panes, self._costing = panes, costing
        self.table = CostTable(self)
        self.patch_curve, self.view_curve = CostCurve("patch size", self), CostCurve("resolution", self)
        self.addTab(self.table, "Costs")
        self.addTab(self.patch_curve, "Cost over patch size")
        self.addTab(self.view_curve, "Cost over resolution")
        self.differences = DifferenceView(panes, worker, self)
        self.addTab(self.differences, "Differences")
        self.memory = plain_label("")
        self.memory.setContentsMargins(0, 0, 8, 6)
        self.memory.setToolTip("Weights in memory; the oldest that no pane shows go where there are too many")
        self.setCornerWidget(self.memory)
        self.setDocumentMode(True)
        self.setAccessibleName("Comparison")
        self.currentChanged.connect(self._refresh)
        costing.changed.connect(self._refresh)

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours of the theme."""
        for curve in (self.patch_curve, self.view_curve):
            curve.set_colors(background, foreground)
        self.differences.set_colors(background, foreground)

    def minimumSizeHint(self) -> QSize:
        # Its tabs scroll: they are not to keep the panes above them wide.
        return QSize(200, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._make_room()

    def _make_room(self) -> None:
        """Say what is in memory where the tabs leave room for it; their tooltip says it, too."""
        needed = self.tabBar().sizeHint().width() + self.memory.sizeHint().width()
        self.memory.setVisible(needed <= self.width())

    def _refresh(self, *_: object) -> None:
        shown = self.currentWidget()
        self.memory.setText(self._panes.loaded.text())
        self.setTabToolTip(self.indexOf(self.table), self.memory.text())
        self._make_room()
        if isinstance(shown, CostTable | CostCurve) and self.isVisible():
            excuses = self._costing.excuses()
            names = [
                _name(column) + (f" ({why})" if why else "") for column, why in zip(self._panes, excuses, strict=True)
            ]
            if isinstance(shown, CostTable):
                shown.show_costs(names, self._costing.costs(), self._kin())
            else:
                shown.show_costs(names, self._costing.costs())

    def _kin(self) -> list[str]:
        """Which panes show one network; of those that wait for another model, nothing."""
        settled = [c.pane.opened if c.opener.awaited is None else None for c in self._panes]
        models = [opened.model for opened in settled if opened is not None]
        if not models:
            return []
        from vitviz.models.resizing import kinships

        found = iter(kinships(models))
        return ["" if opened is None else next(found) for opened in settled]

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._costing.watch(True)
        self._refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._costing.watch(False)


def _name(column: PaneColumn) -> str:
    if (awaited := column.opener.awaited) is not None:
        return f"{wish_text(awaited)} (loading)"
    return model_text(column.pane.opened) if column.pane.opened else "…"
