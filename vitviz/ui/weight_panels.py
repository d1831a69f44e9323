"""The panels of what the weights say with no picture, and of how a picture becomes tokens, as docks for the window."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QTabWidget, QWidget

from vitviz.render.studies.cut import CutStudy
from vitviz.render.studies.filters import FilterStudy
from vitviz.render.studies.positions import PositionStudy
from vitviz.render.studies.transfer import TransferStudy
from vitviz.ui.filters_panel import FiltersPanel
from vitviz.ui.jobs import Worker
from vitviz.ui.pane import Pane
from vitviz.ui.positions_panel import PositionsPanel
from vitviz.ui.resolution_panel import ResolutionPanel
from vitviz.ui.sequence_panel import SequencePanel
from vitviz.ui.settings import Settings
from vitviz.ui.study_buttons import Studies
from vitviz.ui.theme import Theme


class WeightPanels(QObject):
    """Makes the panels, keeps their colours, and passes on what they say.

    `told(str)` with a word for the status bar, `bias_asked()` when the user wants to see the relative position bias.
    None of them does any work before it is shown. `studies` are those that bring back what an exported figure shows.
    """

    told = Signal(str)
    bias_asked = Signal()

    def __init__(self, pane: Pane, worker: Worker, theme: Theme, settings: Settings, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.positions, self.resolution = (
            PositionsPanel(pane, worker, settings),
            ResolutionPanel(pane, worker, settings),
        )
        self.filters, self.sequence = FiltersPanel(pane, worker, settings), SequencePanel(pane, worker, settings)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.positions, "Similarity")
        self.tabs.addTab(self.resolution, "At another size")
        self.tabs.setTabToolTip(0, "How alike the network takes two places to be")
        self.tabs.setTabToolTip(1, "The position embedding resampled for a view of another size")
        self.docked: tuple[tuple[str, QWidget], ...] = (
            ("Positions", self.tabs),
            ("Filters", self.filters),
            ("Tokens from pixels", self.sequence),
        )
        self.studies: Studies = {
            PositionStudy: ("Positions", self.positions),
            TransferStudy: ("Positions", self.resolution),
            FilterStudy: ("Filters", self.filters),
            CutStudy: ("Tokens from pixels", self.sequence),
        }
        for panel in (self.positions, self.resolution, self.filters, self.sequence):
            panel.buttons.told.connect(self.told)
        self.positions.bias_asked.connect(self.bias_asked)
        theme.changed.connect(self.recolor)
        self.recolor()

    @Slot()
    def recolor(self) -> None:
        """Take the colours of the theme."""
        background, foreground = self._theme.canvas_background(), self._theme.canvas_foreground()
        for panel in (self.positions, self.resolution, self.filters, self.sequence):
            panel.set_colors(background, foreground)
