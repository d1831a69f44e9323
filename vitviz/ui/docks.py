"""The docks around the maps: where each panel stands, which are open at first, and the menu that opens them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QByteArray, QEvent, QObject, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QAction, QMouseEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QMenu, QTabBar, QToolButton, QWidget

from vitviz.ui.scroller import Scroller
from vitviz.ui.tab_bars import hide_strays

# Layouts kept by a program with other panels are let go: Qt would put the new ones anywhere.
_LAYOUT = 2
_UNSIZED = 3  # the same, of docks whose widths are the program's own
# With bars to scroll by; in a window of 640 x 480 two stand on top of each other.
_LEAST = QSize(130, 64)
_NARROW = 192  # pixels that the panels at the left can be read in
_SHARES = (0.23, 0.35), (0.17, 0.24), (0.16, 0.2)  # of the window, for the docks at the left and right of 1, 2, 3 panes
LEFT, RIGHT = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel as the menu names it: its group there, what it answers, the panel behind which it stands as a tab."""

    group: str
    tip: str
    behind: str = ""
    area: Qt.DockWidgetArea = RIGHT
    open: bool = False


PANELS = {
    "Patches": Panel("Picture", "The model's view, cut into patches", area=LEFT, open=True),
    "Model": Panel("Picture", "Prediction, and all that is known about the model", area=LEFT, open=True),
    "Tokens from pixels": Panel("Picture", "How the picture becomes a sequence of tokens", "Heads"),
    "Heads": Panel("Attention", "The atlas: every head of every layer", open=True),
    "Statistics": Panel("Attention", "How far each head looks, and how spread", "Heads", open=True),
    "Rollout": Panel("Attention", "Attention through all layers, with its options", "Model", LEFT, open=True),
    "Receptive field": Panel("Attention", "What can this token see? Layer by layer", "Heads"),
    "Methods side by side": Panel("Explanation", "Two methods on one picture, and where they differ", "Heads"),
    "Ablation": Panel("Explanation", "What the prediction owes to every head", "Heads"),
    "Is it true?": Panel("Explanation", "Deletion and insertion: which map to trust", "Heads"),
    "Tokens": Panel("Tokens", "Norms, principal components and likeness of the tokens of a layer", "Heads", open=True),
    "Logit lens": Panel("Tokens", "Which class every patch is read as, layer by layer", "Heads"),
    "Positions": Panel("Weights", "What the position embeddings learned", "Heads", open=True),
    "Relative bias": Panel("Weights", "What the model adds to attention for every offset", "Heads"),
    "Filters": Panel("Weights", "The patch embedding's filters, or their principal components", "Heads"),
}


class Docks(QObject):
    """The docks of a window, in the order in which they were added."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._docks: dict[str, QDockWidget] = {}
        self._actions: dict[str, QAction] = {}
        self._first_layout = QByteArray()
        self._sized = False
        self._widths: dict[Qt.DockWidgetArea, int] = {}  # at the left and right, as the user gave them
        window.installEventFilter(self)
        self._tidying = QTimer(self, singleShot=True, interval=0)
        self._tidying.timeout.connect(self._tidy)

    def __len__(self) -> int:
        return len(self._docks)

    def __iter__(self) -> Iterator[QDockWidget]:
        return iter(self._docks.values())

    def __getitem__(self, title: str) -> QDockWidget:
        return self._docks[title]

    def add(self, title: str, widget: QWidget) -> QDockWidget:
        """A dock around a panel, where `PANELS` has it; one that is behind another is not seen at first."""
        known = PANELS[title]
        dock = QDockWidget(title, self._window)
        dock.setObjectName(f"dock-{title.lower()}")
        dock.setWidget(Scroller(widget, _LEAST, dock))
        self._window.addDockWidget(known.area, dock)
        self._docks[title] = dock
        if known.behind in self._docks:
            front = self._docks[known.behind]
            self._window.tabifyDockWidget(front, dock)
            front.raise_()
        dock.setVisible(known.open)
        shown = QAction(title, self)
        shown.setCheckable(True)
        shown.setToolTip(known.tip)
        shown.triggered.connect(partial(self._toggle, title))
        self._actions[title] = shown
        return dock

    def fill(self, menu: QMenu) -> None:
        """List all panels in a menu, by group; a tick stands beside those that are open."""
        group = ""
        for title, known in PANELS.items():
            if title not in self._actions:
                continue
            if known.group != group:
                group = known.group
                menu.addSection(group)
            menu.addAction(self._actions[title])
        menu.aboutToShow.connect(self._tick)

    def button(self, menu: QMenu) -> QToolButton:
        """A button for the toolbar that opens the menu of panels."""
        button = QToolButton()
        button.setText("Panels")
        button.setToolTip("What else can be looked at: open or close a panel")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setMenu(menu)
        return button

    def show(self, title: str) -> None:
        """Open a panel and bring it to the front."""
        self._docks[title].show()
        self._docks[title].raise_()

    def _toggle(self, title: str, _: bool = False) -> None:
        dock = self._docks[title]
        # One behind another is open, but who asks for it wants to see it.
        if dock.isHidden() or dock.visibleRegion().isEmpty():
            self.show(title)
        else:
            dock.hide()
        self._tick()

    @Slot()
    def _tick(self) -> None:
        for title, shown in self._actions.items():
            shown.setChecked(not self._docks[title].isHidden())

    @property
    def sized(self) -> bool:
        """Whether the user gave the docks their widths, now or when the layout was kept."""
        return self._sized

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Between the panels the window itself is dragged at: there its borders are.
        if (
            event.type() == QEvent.Type.MouseMove
            and isinstance(event, QMouseEvent)
            and event.buttons() & Qt.MouseButton.LeftButton
        ):
            self._sized, self._widths = True, {}
            self.tidy()
        return False

    def hold(self) -> None:
        """Give the docks the widths that the user gave them, less where the map would have under a third."""
        # Qt takes all that a smaller window lacks from the docks in the end, and gives them nothing of it back.
        total, room = sum(self._widths.values()), self._window.width() * 2 / 3
        shown = [d for d in self if not d.isHidden() and not d.isFloating()]
        shown = [d for d in shown if self._window.dockWidgetArea(d) in self._widths]
        part = min(1.0, room / max(total, 1))
        widths = [round(part * self._widths[self._window.dockWidgetArea(d)]) for d in shown]
        self._window.resizeDocks(shown, widths, Qt.Orientation.Horizontal)

    def _note_widths(self) -> None:
        for dock in self:
            area = self._window.dockWidgetArea(dock)
            if area in (LEFT, RIGHT) and not dock.isFloating() and not dock.visibleRegion().isEmpty():
                self._widths[area] = dock.width()

    def share_out(self, panes: int = 1) -> None:
        """Give the docks the shares that they have until the user gives them others, less with several panes."""
        left, right = _SHARES[min(panes, len(_SHARES)) - 1]
        least = 0.0 if panes > 2 else min(0.3, _NARROW / self._window.width())
        self.share(max(left, least), right)

    def share(self, left: float, right: float) -> None:
        """Give the docks at the left and right these shares of the window's width."""
        shown = [d for d in self if not d.isHidden() and not d.isFloating()]
        wanted = {LEFT: left, RIGHT: right}
        width = self._window.width()
        shares = [round(width * wanted.get(self._window.dockWidgetArea(d), right)) for d in shown]
        self._window.resizeDocks(shown, shares, Qt.Orientation.Horizontal)

    def save(self) -> bytes:
        """Where the docks stand, as Qt gives it."""
        return bytes(self._window.saveState(_LAYOUT if self._sized else _UNSIZED).data())

    def restore(self, layout: bytes) -> None:
        """Put the docks where `save` had them; a layout of another program, or of other panels, changes nothing."""
        self._sized, self._widths = self._window.restoreState(QByteArray(layout), _LAYOUT), {}
        if not self._sized:
            self._window.restoreState(QByteArray(layout), _UNSIZED)
        self.tidy()

    def hide_floating(self) -> None:
        """Take the panels that are windows of their own off the screen; the window that they belong to goes."""
        for dock in self:
            if dock.isFloating():
                dock.hide()

    def keep_first(self) -> None:
        """Remember the layout as it is now for `reset`."""
        self._first_layout = self._window.saveState(_LAYOUT)

    def reset(self) -> None:
        """Put the docks back where they were at first."""
        self.restore(bytes(self._first_layout.data()))
        self._sized = False

    def tidy(self) -> None:
        """Look after the bars of tabs, which Qt makes itself, once it has laid them out."""
        self._tidying.start()

    @Slot()
    def _tidy(self) -> None:
        for bar in self._window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
            # Qt would shorten the words before it offers to scroll. Only where it would: a bar that is told asks for a
            # new layout, which calls for this again, for ever.
            if bar.elideMode() != Qt.TextElideMode.ElideNone or not bar.usesScrollButtons():
                bar.setElideMode(Qt.TextElideMode.ElideNone)
                bar.setUsesScrollButtons(True)
        hide_strays(self._window)
        if self._sized and not self._widths:
            self._note_widths()
