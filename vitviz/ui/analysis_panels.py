"""The panels on what attention does and which map to trust, as docks for the window."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from vitviz.render.studies.bias import BiasStudy
from vitviz.render.studies.reach import ReachStudy
from vitviz.ui.ablation_panel import AblationPanel
from vitviz.ui.bias_panel import BiasPanel
from vitviz.ui.jobs import Worker
from vitviz.ui.methods_panel import MethodsPanel
from vitviz.ui.pane import Pane
from vitviz.ui.reach_panel import ReachPanel
from vitviz.ui.rollout_panel import RolloutPanel
from vitviz.ui.settings import Settings
from vitviz.ui.study_buttons import Studies
from vitviz.ui.theme import Theme
from vitviz.ui.truth_panel import TruthPanel


class AnalysisPanels(QObject):
    """Makes the panels, keeps their colours, passes on what they say and that they are to stop.

    `told(str)` with a word for the status bar. None of them does any work before it is shown, two only when asked.
    `docked` are those that stand behind the atlas; Rollout stands elsewhere. `studies` are those that bring back what
    an exported figure shows.
    """

    told = Signal(str)

    def __init__(self, pane: Pane, worker: Worker, theme: Theme, settings: Settings, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.rollout, self.methods = RolloutPanel(pane, worker), MethodsPanel(pane, worker)
        self.reach, self.bias = ReachPanel(pane, worker, settings), BiasPanel(pane, worker, settings)
        self.ablation, self.truth = AblationPanel(pane, worker), TruthPanel(pane, worker)
        self.docked: tuple[tuple[str, QWidget], ...] = (
            ("Receptive field", self.reach),
            ("Relative bias", self.bias),
            ("Ablation", self.ablation),
            ("Is it true?", self.truth),
            ("Methods side by side", self.methods),
        )
        self.studies: Studies = {
            BiasStudy: ("Relative bias", self.bias),
            ReachStudy: ("Receptive field", self.reach),
        }
        for speaking in (self.ablation, self.truth, self.bias.buttons, self.reach.buttons):
            speaking.told.connect(self.told)
        theme.changed.connect(self.recolor)
        self.recolor()

    @Slot()
    def cancel(self) -> None:
        """Give up what runs."""
        self.ablation.cancel()
        self.truth.cancel()

    @Slot()
    def recolor(self) -> None:
        """Take the colours of the theme."""
        background, foreground = self._theme.canvas_background(), self._theme.canvas_foreground()
        self.rollout.view.set_colors(background)
        self.methods.set_colors(background)
        for panel in (self.ablation, self.bias, self.reach, self.truth):
            panel.set_colors(background, foreground)
