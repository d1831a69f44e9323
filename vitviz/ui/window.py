"""The main window: assembles panels, commands and status bar. What they do lies with them."""

from __future__ import annotations

import time
from typing import Any, cast

from PySide6.QtCore import QByteArray, QEvent, QRectF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QMessageBox, QToolBar, QWidget

from vitviz import __version__
from vitviz.attention.values import Place
from vitviz.render.style import COLORMAPS, Interpolation, Style
from vitviz.ui.ablation_panel import AblationPanel
from vitviz.ui.actions import GESTURES
from vitviz.ui.altering import KIND as ABLATION
from vitviz.ui.atlas import AtlasPanel
from vitviz.ui.autosave import Autosave
from vitviz.ui.bias_panel import BiasPanel
from vitviz.ui.browsing import Browsing
from vitviz.ui.compare_tabs import CompareTabs
from vitviz.ui.comparing import Comparing
from vitviz.ui.controls import ViewControls
from vitviz.ui.costing import Costing
from vitviz.ui.export_folder import FolderExporter
from vitviz.ui.exporting import Exporter
from vitviz.ui.files import MODEL_KINDS, dropped_paths, kind_of
from vitviz.ui.jobs import Worker
from vitviz.ui.linking import Linking
from vitviz.ui.map_view import MapView
from vitviz.ui.menus import Menus
from vitviz.ui.messages import show_error
from vitviz.ui.method_controls import MethodControls
from vitviz.ui.methods_panel import MethodsPanel
from vitviz.ui.model_panel import ModelPanel
from vitviz.ui.opening import Opened, Opener, Wish
from vitviz.ui.palette import CommandPalette
from vitviz.ui.pane import KIND as MAPS
from vitviz.ui.pane import Pane
from vitviz.ui.panes import PaneColumn, Panes
from vitviz.ui.patches import PatchesPanel
from vitviz.ui.reach_panel import ReachPanel
from vitviz.ui.restoring import Restorer, may_be_restored
from vitviz.ui.rollout_panel import RolloutPanel
from vitviz.ui.saving import Saver
from vitviz.ui.settings import Settings
from vitviz.ui.shortcuts import ShortcutSheet
from vitviz.ui.sources import Sources
from vitviz.ui.status import Status
from vitviz.ui.store import State, Store
from vitviz.ui.tab_bars import hide_strays
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
        self.setAcceptDrops(True)
        self.resize(1440, 900)
        value = settings.value
        interpolation: Interpolation = "smooth" if value.interpolation == "smooth" else "nearest"
        colormap = value.colormap if value.colormap in COLORMAPS else COLORMAPS[0]
        self.worker = Worker(self)
        self._tidy = QTimer(self, singleShot=True, interval=0)
        self._tidy.timeout.connect(lambda: hide_strays(self))
        state = State(style=Style(colormap, value.opacity, "map", interpolation))
        self.panes = Panes(self.worker, state, self)
        self.setCentralWidget(self.panes)
        # What the current pane has, these have: whoever follows them need not know that there are several.
        self.pane, self.store = cast(Pane, self.panes.current), cast(Store, self.panes.current.store)
        self.sources = Sources(self, self.panes, settings, wish or Wish())
        self._beside = wish.beside if wish else ()
        self._make_panels()
        self.linking = Linking(self.panes, self)
        self.browsing = Browsing(self, self.panes, self.linking, (self.patches.view, self.rollout.view))
        self.comparing = Comparing(self)
        self.costing = Costing(self.panes, self.worker, self)
        self.compare_tabs = CompareTabs(self.panes, self.costing, self.worker)
        self.panes.put_under(self.compare_tabs)
        self.exporter = Exporter(self, self.pane, self.map_view, self.worker, settings)
        self.saver = Saver(self, self.pane, self.worker, settings)
        self.folder_exporter = FolderExporter(self, self.exporter, self.pane, self.worker, settings)
        self.restorer = Restorer(self)
        self.autosave = Autosave(self, settings.path.parent)
        self._make_bars()
        self._connect()
        self._recolor()
        self.tokens = TokenDocks(self)
        self._default_layout = self.saveState()
        self.restoreGeometry(QByteArray(value.geometry))
        self.restoreState(QByteArray(value.dock_state))

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
        """Two panes need the middle more than the docks do."""
        docked = [d for d in self.docks if d.isVisible() and not d.isFloating()]
        if len(self.panes) == 2 and self.panes.width() < self.width() * 0.55:
            right = Qt.DockWidgetArea.RightDockWidgetArea
            shares = [round(self.width() * (0.24 if self.dockWidgetArea(d) == right else 0.17)) for d in docked]
            self.resizeDocks(docked, shares, Qt.Orientation.Horizontal)

    def _make_panels(self) -> None:
        self.patches, self.atlas, self.model_panel = (
            PatchesPanel(self.pane),
            AtlasPanel(self.pane),
            ModelPanel(self.pane),
        )
        self.docks = [
            self._dock("Patches", self.patches, Qt.DockWidgetArea.LeftDockWidgetArea),
            self._dock("Model", self.model_panel, Qt.DockWidgetArea.LeftDockWidgetArea),
            self._dock("Heads", self.atlas, Qt.DockWidgetArea.RightDockWidgetArea),
        ]
        self._make_rollout_panel()
        self._make_weight_panels()
        self._make_cause_panels()
        self._make_methods_panel()
        self.resizeDocks(self.docks[:2], [430, 400], Qt.Orientation.Vertical)
        self.resizeDocks([self.docks[0], self.docks[2]], [330, 500], Qt.Orientation.Horizontal)

    def _make_weight_panels(self) -> None:
        """Behind the heads: what the weights say with no picture. They do no work before they are shown."""
        self.weights = WeightPanels(self.pane, self.worker, self.theme, self)
        self.bias = BiasPanel(self.pane, self.worker, self.settings)
        self.reach = ReachPanel(self.pane, self.worker)
        heads = self.docks[2]
        panels = (("Receptive field", self.reach), ("Relative bias", self.bias))
        for title, panel in (*self.weights.docked, *panels):
            self.docks.append(self._dock(title, panel, Qt.DockWidgetArea.RightDockWidgetArea))
            self.tabifyDockWidget(heads, self.docks[-1])
        bias = self.docks[-1]
        self.weights.bias_asked.connect(bias.show)
        self.weights.bias_asked.connect(bias.raise_)
        self.weights.told.connect(lambda text: self.statusBar().showMessage(text, 8000))
        heads.raise_()

    def _make_cause_panels(self) -> None:
        """Behind the heads: what changes when something is taken away. They run only when asked to."""
        from vitviz.ui.truth_panel import TruthPanel

        self.ablation = AblationPanel(self.pane, self.worker)
        self.truth = TruthPanel(self.pane, self.worker)
        self.truth.told.connect(lambda text: self.statusBar().showMessage(text, 8000))
        self.truth.follow(self.theme)
        for title, panel in (("Ablation", self.ablation), ("Is it true?", self.truth)):
            self.docks.append(self._dock(title, panel, Qt.DockWidgetArea.RightDockWidgetArea))
            self.tabifyDockWidget(self.docks[2], self.docks[-1])
        self.docks[2].raise_()

    def _make_rollout_panel(self) -> None:
        """Behind the model: the rollout of the query. It works only while it is shown."""
        self.rollout = RolloutPanel(self.pane, self.worker)
        self.docks.append(self._dock("Rollout", self.rollout, Qt.DockWidgetArea.LeftDockWidgetArea))
        self.tabifyDockWidget(self.docks[1], self.docks[-1])
        self.docks[1].raise_()

    def _make_methods_panel(self) -> None:
        """Behind the heads: all methods, and two of them compared. It works only while it is shown."""
        self.methods = MethodsPanel(self.pane, self.worker)
        self.docks.append(self._dock("Methods side by side", self.methods, Qt.DockWidgetArea.RightDockWidgetArea))
        self.tabifyDockWidget(self.docks[2], self.docks[-1])
        self.docks[2].raise_()

    def _dock(self, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(f"dock-{title.lower()}")
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        return dock

    def _make_bars(self) -> None:
        self.menus = Menus(self)
        for dock in self.docks:
            self.menus.panels.addAction(dock.toggleViewAction())
        bar = QToolBar("Files", self)
        bar.setObjectName("files")
        bar.addAction(self.menus.open_picture)
        bar.addWidget(self.menus.model_button())
        bar.addAction(self.menus.export)
        bar.addWidget(self.comparing.button())
        self.controls = ViewControls(self.store, self)
        self.method_controls = MethodControls(self.store, self.pane, self)
        self.addToolBar(bar)
        self.addToolBar(self.method_controls)
        self.addToolBarBreak()
        self.addToolBar(self.controls)
        self.status = Status(self.pane, self)
        self.setStatusBar(self.status)
        self.menus.fill_recents()

    def _connect(self) -> None:
        self.panes.opened.connect(self._opened)
        self.panes.current_changed.connect(self._current_changed)
        self.panes.added.connect(self._give_room)
        self.worker.failed.connect(self._maps_failed)
        self.worker.progressed.connect(self._progressed)
        self.worker.busy.connect(lambda busy: None if busy else self.status.idle())
        self.status.cancel_asked.connect(self.panes.cancel)
        self.status.cancel_asked.connect(self.folder_exporter.cancel)
        self.status.cancel_asked.connect(self.ablation.cancel)
        self.status.cancel_asked.connect(self.truth.cancel)
        self.status.cancel_asked.connect(lambda: self.pane.methods.cancel())
        self.store.changed.connect(self._chosen)
        self.pane.traced.connect(lambda _: self._entitle())
        self.theme.changed.connect(self._recolor)
        self.settings.changed.connect(self.menus.fill_recents)
        self.model_panel.correct_asked.connect(self.sources.ask_corrections)
        self.browsing.pointed.connect(self._pointed)
        self.patches.reach_asked.connect(self.show_reach)
        for teller in (
            self.browsing,
            self.comparing,
            self.exporter,
            self.saver,
            self.restorer,
            self.folder_exporter,
            self.bias,
        ):
            teller.told.connect(lambda text: self.status.showMessage(text, 8000))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.first_paint is None:
            self.first_paint = time.time()
            # Only now does the worker start: importing torch holds the interpreter, and the window comes first.
            QTimer.singleShot(0, self._begin)

    @Slot()
    def _begin(self) -> None:
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

    @Slot(int, str, float, str)
    def _progressed(self, number: int, kind: str, fraction: float, text: str) -> None:
        self.status.busy(fraction, text)
        self.panes.announce(text)

    @Slot(int, str, object)
    def _maps_failed(self, number: int, kind: str, error: Exception) -> None:
        if kind.startswith((MAPS, ABLATION)):
            show_error(self, error)

    @Slot(object, object)
    def _pointed(self, place: Place | None, patch: QRectF | None) -> None:
        self.status.read(place)

    @Slot(object, object)
    def _chosen(self, old: State, new: State) -> None:
        if old.style != new.style:
            style = new.style
            self.settings.update(colormap=style.colormap, opacity=style.opacity, interpolation=style.interpolation)
            self.menus.outline.setChecked(style.show_query)
            self.menus.one_window.setChecked(style.show_window)
            self.menus.partition.setChecked(style.show_partition)
        for choice in self.menus.ablation_to.actions():
            choice.setChecked(choice.data() == new.ablation.to)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # Qt takes all the room from the middle; the map is to keep about a third.
        docked = [d for d in self.docks if d.isVisible() and not d.isFloating()]
        if event.size().width() < event.oldSize().width() and self.panes.width() < event.size().width() / 3:
            left = Qt.DockWidgetArea.LeftDockWidgetArea
            shares = [round(event.size().width() * (0.24 if self.dockWidgetArea(d) == left else 0.36)) for d in docked]
            self.resizeDocks(docked, shares, Qt.Orientation.Horizontal)

    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize, QEvent.Type.Show):
            self._tidy.start()
        return handled

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_paths(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = dropped_paths(event.mimeData())
        beside = event.modifiers() & Qt.KeyboardModifier.ShiftModifier and all(kind_of(p) in MODEL_KINDS for p in paths)
        if paths and beside:
            self.comparing.add_paths(paths)
            event.acceptProposedAction()
        elif len(paths) == 1 and may_be_restored(paths[0]):
            self.restorer.open(paths[0])
            event.acceptProposedAction()
        elif self.sources.drop(event.mimeData()):
            event.acceptProposedAction()

    def present(self, opened: Opened) -> None:
        """Show what was opened elsewhere instead of beginning with something."""
        self.first_paint = time.time()
        self.opener.present(opened)

    def fit(self) -> None:
        """Show the whole pictures."""
        self.panes.fit()
        self.patches.view.fit()
        self.rollout.view.fit()
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
        self.rollout.view.set_colors(background)
        self.methods.set_colors(background)
        self.compare_tabs.set_colors(background, foreground)
        for panel in (self.atlas, self.ablation, self.bias, self.reach):
            panel.set_colors(background, foreground)

    def set_full_screen(self, on: bool) -> None:
        """Full screen, or back."""
        full = Qt.WindowState.WindowFullScreen
        self.setWindowState(self.windowState() | full if on else self.windowState() & ~full)

    def reset_layout(self) -> None:
        """Put the panels back where they were at first."""
        self.restoreState(self._default_layout)
        self._tidy.start()

    def show_reach(self) -> None:
        """What can this token see: its receptive field grows, layer after layer."""
        dock = next(dock for dock in self.docks if dock.widget() is self.reach)
        dock.show()
        dock.raise_()
        self.reach.start()

    def show_palette(self) -> None:
        """Every command by name."""
        CommandPalette(self).open()

    def show_shortcuts(self) -> None:
        """The sheet of keys and gestures."""
        ShortcutSheet(self, gestures=GESTURES).open()

    def show_about(self) -> None:
        """Version and purpose."""
        box = QMessageBox(self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle("About vitviz")
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(
            f"vitviz {__version__}\n\nLook inside vision transformers: every head of every layer.\nMIT licence."
        )
        box.open()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.browsing.play(False)
        self.settings.update(geometry=bytes(self.saveGeometry().data()), dock_state=bytes(self.saveState().data()))
        self.settings.flush()
        self.autosave.close()
        self.hide()
        self.stopped = self.worker.close(timeout=2.0)
        super().closeEvent(event)
