"""The main window: assembles panels, commands and status bar. What they do lies with them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

from PySide6.QtCore import QByteArray, QEvent, QRectF, QSignalBlocker, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QMainWindow

from vitviz.attention.values import Place
from vitviz.render.studies.study import Study
from vitviz.render.style import COLORMAPS, Interpolation, Style
from vitviz.ui.actions import GESTURES
from vitviz.ui.altering import KIND as ABLATION
from vitviz.ui.analysis_panels import AnalysisPanels
from vitviz.ui.atlas import AtlasPanel
from vitviz.ui.autosave import Autosave
from vitviz.ui.bars import Bars
from vitviz.ui.browsing import Browsing
from vitviz.ui.closed_panes import ClosedPanes
from vitviz.ui.common_scale import CommonScale
from vitviz.ui.compare_tabs import CompareTabs
from vitviz.ui.comparing import Comparing
from vitviz.ui.costing import Costing
from vitviz.ui.docks import Docks
from vitviz.ui.dropping import Dropping
from vitviz.ui.export_folder import FolderExporter
from vitviz.ui.exporting import Exporter
from vitviz.ui.fitting import fit_to_screen
from vitviz.ui.jobs import Worker
from vitviz.ui.levelling import Levelling
from vitviz.ui.linking import Linking
from vitviz.ui.map_view import MapView
from vitviz.ui.messages import show_error
from vitviz.ui.model_panel import ModelPanel
from vitviz.ui.opening import Opened, Opener, Wish
from vitviz.ui.palette import CommandPalette
from vitviz.ui.pane import KIND as MAPS
from vitviz.ui.pane import Pane
from vitviz.ui.pane_column import PaneColumn
from vitviz.ui.panes import Panes
from vitviz.ui.patches import PatchesPanel
from vitviz.ui.recipes import figure_text, may_be_restored
from vitviz.ui.restoring import Restorer
from vitviz.ui.saving import Saver
from vitviz.ui.settings import Settings
from vitviz.ui.shortcuts import ShortcutSheet
from vitviz.ui.sources import Sources
from vitviz.ui.store import State, Store
from vitviz.ui.theme import Theme
from vitviz.ui.token_docks import TokenDocks
from vitviz.ui.weight_panels import WeightPanels


class MainWindow(QMainWindow):
    """The window. `opened(Opened)` when something new is shown."""

    opened = Signal(object)

    def __init__(self, settings: Settings, theme: Theme, wish: Wish | None = None) -> None:
        super().__init__()
        self.settings, self.theme = settings, theme
        self.first_paint: float | None = None
        self.stopped = False
        self.setWindowTitle("vitviz")
        self.resize(1440, 900)
        value = settings.value
        interpolation: Interpolation = "smooth" if value.interpolation == "smooth" else "nearest"
        colormap = value.colormap if value.colormap in COLORMAPS else COLORMAPS[0]
        self.worker = Worker(self)
        state = State(style=Style(colormap, value.opacity, "map", interpolation))
        self.panes = Panes(self.worker, state, self)
        self.setCentralWidget(self.panes)
        # What the current pane has, these have: whoever follows them need not know that there are several.
        self.pane, self.store = cast(Pane, self.panes.current), cast(Store, self.panes.current.store)
        self.sources = Sources(self, self.panes, settings, wish or Wish())
        self._beside = wish.beside if wish else ()
        self._make_panels()
        self.linking = Linking(self.panes, self)
        self.levelling = Levelling(self.panes, self)
        self.common_scale = CommonScale(self.panes, self.linking, self)
        self.browsing = Browsing(self, self.panes, self.linking, (self.patches.view, self.analysis.rollout.view))
        self.closed_panes = ClosedPanes(self)
        self.comparing = Comparing(self)
        self.costing = Costing(self.panes, self.worker, self)
        self.compare_tabs = CompareTabs(self.panes, self.costing, self.worker)
        self.panes.put_under(self.compare_tabs)
        self.exporter = Exporter(self, self.pane, self.map_view, self.worker, settings)
        self.saver = Saver(self, self.pane, self.worker, settings)
        self.folder_exporter = FolderExporter(self, self.exporter, self.pane, self.worker, settings)
        self.restorer = Restorer(self)
        self.dropping = Dropping(self)
        self.autosave = Autosave(self, settings.path.parent)
        bars = Bars(self)
        self.menus, self.status = bars.menus, bars.status
        self.controls, self.method_controls = bars.controls, bars.method_controls
        self._connect()
        self._recolor()
        self.tokens = TokenDocks(self)
        self.docks.fill(self.menus.panels)
        self.docks.keep_first()
        self.restoreGeometry(QByteArray(value.geometry))
        fit_to_screen(self)
        self.docks.restore(value.dock_state)

    @property
    def map_view(self) -> MapView:
        """The map of the current pane."""
        return self.panes.current_column.map_view

    @property
    def opener(self) -> Opener:
        """The opener of the current pane."""
        return self.panes.current_column.opener

    @Slot()
    def _give_room(self, *_: object) -> None:
        """Several panes need the middle more than the docks do, which get back what they had in the end."""
        if not self.docks.sized:
            self.docks.share_out(len(self.panes))

    def _make_panels(self) -> None:
        """All but the first three do no work before they are seen."""
        pane, worker = self.pane, self.worker
        self.docks = Docks(self)
        self.patches, self.atlas, self.model_panel = PatchesPanel(pane), AtlasPanel(pane), ModelPanel(pane)
        self.weights = WeightPanels(pane, worker, self.theme, self.settings, self)
        self.analysis = AnalysisPanels(pane, worker, self.theme, self.settings, self)
        for title, panel in (
            ("Patches", self.patches),
            ("Model", self.model_panel),
            ("Heads", self.atlas),
            ("Rollout", self.analysis.rollout),
            *self.weights.docked,
            *self.analysis.docked,
        ):
            self.docks.add(title, panel)
        self.weights.bias_asked.connect(lambda: self.docks.show("Relative bias"))
        upright = [self.docks["Patches"], self.docks["Model"]]
        self.resizeDocks(upright, [430, 400], Qt.Orientation.Vertical)
        self.docks.share_out()

    def _connect(self) -> None:
        self.panes.opened.connect(self._opened)
        self.panes.current_changed.connect(self._current_changed)
        self.panes.added.connect(self._give_room)
        self.panes.removed.connect(self._give_room)
        self.worker.failed.connect(self._maps_failed)
        self.store.changed.connect(self._chosen)
        self.pane.traced.connect(lambda _: self._entitle())
        self.theme.changed.connect(self._recolor)
        self.model_panel.correct_asked.connect(self.sources.ask_corrections)
        self.browsing.pointed.connect(self._pointed)
        self.atlas.pointed.connect(self.browsing.point_at)
        self.exporter.asking.connect(self.browsing.hold)
        self.patches.reach_asked.connect(self.show_reach)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.first_paint is None:
            self.first_paint = time.time()
            # Only now does the worker start: importing torch holds the interpreter, and the window comes first.
            QTimer.singleShot(0, self._begin)

    @Slot()
    def _begin(self) -> None:
        fit_to_screen(self)  # now that there is a frame
        self.sources.begin()
        self.comparing.begin(self._beside)
        self.autosave.offer()

    @Slot(object)
    def _opened(self, opened: Opened) -> None:
        self.controls.face()
        self._entitle()
        self.menus.fill_devices([("Automatic", "auto"), *opened.devices])
        if opened.note:
            self.status.showMessage(opened.note, 15000)
        elif isinstance(opened.wish.picture, Path) and may_be_restored(opened.wish.picture):
            self.status.showMessage(figure_text(opened.wish.picture, self.menus.open_session.text()), 60000)
        self.opened.emit(opened)

    @Slot(object)
    def _current_changed(self, column: PaneColumn) -> None:
        self.exporter.view = column.map_view
        self.controls.face()
        self._entitle()

    def _entitle(self) -> None:
        shown = self.pane.opened
        if shown is not None:
            off = f" · {shown.trace.ablation.words}" if shown.trace.ablation else ""
            self.setWindowTitle(f"{shown.image.name} · {shown.model.name}{off} · vitviz")

    @Slot(int, str, object)
    def _maps_failed(self, number: int, kind: str, error: Exception) -> None:
        if kind.startswith((MAPS, ABLATION)):
            show_error(self, error)

    @Slot(object, object)
    def _pointed(self, place: Place | None, patch: QRectF | None) -> None:
        self.status.read(place)
        self.patches.mark(patch)

    @Slot(object, object)
    def _chosen(self, old: State, new: State) -> None:
        if old.style != new.style:
            style = new.style
            self.settings.update(colormap=style.colormap, opacity=style.opacity, interpolation=style.interpolation)
        self.menus.follow(new)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # Qt takes all the room from the middle, and gives it all that is won.
        if not self.docks.sized:
            self._give_room()
        else:
            self.docks.hold()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange:  # by the command, by what was remembered, or from outside
            with QSignalBlocker(self.menus.full_screen):
                self.menus.full_screen.setChecked(self.isFullScreen())

    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize, QEvent.Type.Show):
            self.docks.tidy()
        return handled

    def present(self, opened: Opened) -> None:
        """Show what was opened elsewhere instead of beginning with something."""
        self.first_paint = time.time()
        self.opener.present(opened)

    def fit(self) -> None:
        """Show the whole pictures."""
        self.panes.fit()
        self.patches.view.fit()
        self.analysis.rollout.view.fit()
        self.atlas.view.fit()

    def set_theme(self, mode: str) -> None:
        """Light, dark, or as the system has it."""
        self.settings.update(theme=mode)
        self.theme.set_mode(cast(Any, mode))

    @Slot()
    def _recolor(self) -> None:
        background, foreground = self.theme.canvas_background(), self.theme.canvas_foreground()
        self.panes.set_colors(background)
        self.patches.view.set_colors(background)
        self.compare_tabs.set_colors(background, foreground)
        self.atlas.set_colors(background, foreground)

    def set_full_screen(self, on: bool) -> None:
        """Full screen, or back."""
        full = Qt.WindowState.WindowFullScreen
        self.setWindowState(self.windowState() | full if on else self.windowState() & ~full)

    def reset_layout(self) -> None:
        """Put the panels back where they were at first."""
        self.docks.reset()

    def show_reach(self) -> None:
        """What can this token see: its receptive field grows, layer after layer."""
        self.docks.show("Receptive field")
        self.analysis.reach.start()

    def show_study(self, study: Study[Any]) -> None:
        """Bring back the panel that an exported figure is of, with what it showed."""
        title, panel = (self.weights.studies | self.analysis.studies)[type(study)]
        self.docks.show(title)
        tabs = self.weights.tabs
        tabs.setCurrentIndex(tabs.indexOf(panel) if tabs.indexOf(panel) >= 0 else tabs.currentIndex())
        panel.show_study(study)

    def show_palette(self) -> None:
        """Every command by name."""
        CommandPalette(self).open()

    def show_shortcuts(self) -> None:
        """The sheet of keys and gestures."""
        ShortcutSheet(self, gestures=GESTURES).open()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.browsing.play(False)
        self.settings.update(geometry=bytes(self.saveGeometry().data()), dock_state=self.docks.save())
        self.settings.flush()
        self.autosave.close()
        self.docks.hide_floating()
        self.hide()
        self.stopped = self.worker.close(timeout=1.5)
        super().closeEvent(event)
