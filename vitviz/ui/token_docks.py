"""The panels on what heads and tokens do, as tabs behind the atlas. They do no work before they are seen."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Slot

from vitviz.ui.lens_panel import LensPanel
from vitviz.ui.statistics_panel import StatisticsPanel
from vitviz.ui.tokens_panel import TokensPanel


class TokenDocks(QObject):
    """Makes the panels and joins them to the window: its pane, worker, theme, atlas, menus and Cancel."""

    def __init__(self, window: Any) -> None:
        super().__init__(window)
        self._window = window
        self.statistics = StatisticsPanel(window.pane, window.worker)
        self.statistics.ordered.connect(window.atlas.set_order)
        self.statistics.plot.pointed.connect(window.atlas.point_at)
        window.atlas.pointed.connect(self.statistics.plot.point_at)
        window.status.cancel_asked.connect(self.statistics.numbers.cancel)
        self.features = TokensPanel(window.pane, window.worker)
        self.lens = LensPanel(window.pane, window.worker)
        window.status.cancel_asked.connect(self.lens.cancel)
        for view in (self.features.view, self.lens.view):
            window.browsing.join(view)
        for title, panel in (("Statistics", self.statistics), ("Tokens", self.features), ("Logit lens", self.lens)):
            window.docks.add(title, panel)
        window.theme.changed.connect(self._recolor)
        self._recolor()

    @Slot()
    def _recolor(self) -> None:
        theme = self._window.theme
        self.statistics.set_colors(theme.canvas_background(), theme.canvas_foreground())
        self.lens.set_colors(theme.canvas_background(), theme.canvas_foreground())
        self.features.set_colors(theme.canvas_background())
