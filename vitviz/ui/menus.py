"""The menu bar, filled with the window's commands."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMenu, QToolButton

from vitviz.attention.methods import METHODS
from vitviz.ui import samples
from vitviz.ui.actions import action, choices
from vitviz.ui.messages import show_about
from vitviz.ui.model_menus import ModelMenus
from vitviz.ui.recents import Recents
from vitviz.ui.theme import MODES

if TYPE_CHECKING:
    from vitviz.attention.values import Method
    from vitviz.ui.store import State, Store
    from vitviz.ui.window import MainWindow

Standard = QKeySequence.StandardKey
OFF = (("Zero", "zero"), ("Its mean over the tokens", "mean"))


class Menus:
    """Makes the menus once; recents and devices are refilled as they change, ticks follow the state."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._file()
        self._view()
        self._show()
        self._model()
        window.comparing.fill(window.menuBar().addMenu("&Compare"))
        self._help()
        for menu in window.menuBar().findChildren(QMenu):
            menu.setToolTipsVisible(True)

    def _file(self) -> None:
        w, menu = self._window, self._window.menuBar().addMenu("&File")
        self.file = menu
        self.open_picture = action(
            w, "&Open picture…", w.sources.ask_picture, shortcut=Standard.Open, tip="Open a picture"
        )
        self.open_model = action(
            w, "Open &model…", w.sources.ask_model, shortcut="Ctrl+Shift+O", tip="Open a checkpoint file"
        )
        self.open_folder = action(w, "Open model &folder…", w.sources.ask_folder, tip="Open a folder with config.json")
        self.open_name = action(
            w, "Open model by &name…", w.sources.ask_name, shortcut="Ctrl+Shift+N", tip="Open a timm model"
        )
        self.paste = action(
            w, "&Paste picture", w.sources.paste, shortcut=Standard.Paste, tip="Open the picture copied"
        )
        self.export = action(
            w,
            "&Export figure…",
            w.exporter.ask,
            shortcut="Ctrl+E",
            tip="Write the shown figure: PNG, SVG, PDF, animation, numbers",
        )
        self.copy = action(w, "&Copy figure", w.exporter.copy, shortcut=Standard.Copy, tip="Copy the shown figure")
        quit_action = action(w, "&Quit", w.close, shortcut=Standard.Quit)
        for made in (self.open_picture, self.open_model, self.open_folder, self.open_name, self.paste):
            menu.addAction(made)
        self.recents = Recents(menu, w.settings, lambda name: w.sources.open_picture(Path(name)), w.sources.open_source)
        sample = menu.addMenu("Samples")
        for path in samples.pictures():
            sample.addAction(samples.title(path), partial(w.sources.open_picture, path))
        sample.addSeparator()
        for title, source in samples.MODELS:
            sample.addAction(title, partial(w.sources.open_source, source))
        menu.addSeparator()
        self.copy_python = action(
            w,
            "Copy as P&ython",
            w.exporter.copy_python,
            shortcut="Ctrl+Shift+C",
            tip="Copy the lines that make this view",
        )
        self.open_session = action(
            w,
            "Open sess&ion or figure…",
            w.restorer.ask_open,
            tip="Bring back a saved session, or an exported figure's view",
        )
        self.save_session = action(
            w, "&Save session…", w.restorer.ask_save, shortcut="Ctrl+S", tip="Write pictures, panes, view and layout"
        )
        self.export_folder = action(
            w,
            "Export pictures of a fol&der…",
            w.folder_exporter.ask,
            tip="Write this view of every picture in a folder",
        )
        for made in (self.export, self.export_folder, self.copy, self.copy_python):
            menu.addAction(made)
        menu.addSeparator()
        for made in (self.open_session, self.save_session):
            menu.addAction(made)
        menu.addSeparator()
        menu.addAction(quit_action)

    def _view(self) -> None:
        w, menu = self._window, self._window.menuBar().addMenu("&View")
        menu.addAction(action(w, "&Undo view change", w.browsing.undo, shortcut=Standard.Undo))
        menu.addSeparator()
        menu.addAction(action(w, "&Fit pictures", w.fit, shortcut="F", tip="Show the whole pictures"))
        self.grid = action(w, "Patch &grid over the map", w.panes.show_grid, shortcut="G", checked=False)
        menu.addAction(self.grid)
        self.outline = action(
            w, "&Outline the query", lambda on: w.store.update(show_query=on), shortcut="O", checked=True
        )
        menu.addAction(self.outline)
        menu.addAction(
            action(
                w,
                "Mass &threshold",
                lambda: w.store.update(threshold=0.0 if w.store.state.style.threshold > 0 else 0.6),
                shortcut="T",
                tip="Mark the smallest set of patches that holds 60 % of the map, or none",
            )
        )
        self.one_window = action(
            w,
            "&Window of the query",
            lambda on: w.store.update(show_window=on),
            shortcut="W",
            tip="The window that the query looks within: its pieces, its seam, the keys that the mask shuts out",
            checked=True,
        )
        self.partition = action(
            w,
            "All wi&ndows",
            lambda on: w.store.update(show_partition=on),
            shortcut="Shift+W",
            tip="All windows of the layer and, dashed, of the one beside it in its stage: how neighbours connect",
            checked=False,
        )
        menu.addAction(self.one_window)
        menu.addAction(self.partition)
        menu.addSeparator()
        self.panels = menu.addMenu("&Panels")
        menu.addAction(action(w, "&Reset layout", w.reset_layout))
        theme = menu.addMenu("&Theme")
        choices(w, theme, [(m.capitalize(), m) for m in MODES], w.settings.value.theme, w.set_theme)
        self.full_screen = action(w, "F&ull screen", w.set_full_screen, shortcut="F11", checked=False)
        menu.addAction(self.full_screen)

    def _show(self) -> None:
        w, store = self._window, self._window.store
        menu = w.menuBar().addMenu("&Selection")
        for made in (
            action(
                w,
                "Layer &above",
                lambda: w.browsing.step_layer(-1),
                shortcut="Up",
                tip="One layer up in the atlas, nearer to the picture",
            ),
            action(
                w,
                "Layer &below",
                lambda: w.browsing.step_layer(1),
                shortcut="Down",
                tip="One layer down in the atlas, further from the picture",
            ),
            action(w, "&First layer", lambda: store.update(layer=0), shortcut="Home"),
            action(w, "&Last layer", lambda: store.update(layer=-1), shortcut="End"),
            action(w, "&Next head", lambda: w.browsing.step_head(1), shortcut="Right"),
            action(w, "&Previous head", lambda: w.browsing.step_head(-1), shortcut="Left"),
            action(w, "&Mean of heads", lambda: store.update(head="mean"), shortcut="M"),
            action(w, "&Turn direction", w.browsing.turn, shortcut="D", tip="Looks at, or is looked at by"),
            action(w, "F&ree the query", w.browsing.free, shortcut="Esc", tip="Back to the class token or the mean"),
        ):
            menu.addAction(made)
        menu.addSeparator()
        for made in (
            action(
                w,
                "Switch head o&ff or on",
                w.browsing.switch_head,
                shortcut="X",
                tip="Take the head under the mouse in the atlas, else the chosen one, away",
            ),
            action(
                w,
                "Switch la&yer off or on",
                w.browsing.switch_layer,
                shortcut="Shift+X",
                tip="Take all heads of the chosen layer away",
            ),
            action(w, "&All heads on", w.browsing.switch_on, shortcut="Ctrl+Shift+X", tip="The model as it was opened"),
        ):
            menu.addAction(made)
        instead = menu.addMenu("A head that is off &gives")
        self.ablation_to = choices(
            w, instead, OFF, store.state.ablation.to, lambda to, *_: w.browsing.set_ablation_to(to)
        )
        menu.addSeparator()
        methods = menu.addMenu("Me&thod")
        for i, (name, about) in enumerate(METHODS.items(), 1):
            choose = partial(_choose_method, store, name)
            methods.addAction(action(w, about.title, choose, shortcut=f"Ctrl+{i}", tip=about.tip))
        menu.addAction(
            action(
                w,
                "What can this token s&ee",
                w.show_reach,
                shortcut="S",
                tip="The receptive field of the patch under the mouse, growing layer by layer",
            )
        )
        self.play = action(w, "Pla&y the layers", w.browsing.play, shortcut="Space", checked=False)
        menu.addAction(self.play)
        w.browsing.played.connect(self.play.setChecked)

    def _model(self) -> None:
        w, menu = self._window, self._window.menuBar().addMenu("&Model")
        self.model = ModelMenus(w, menu)
        self.fill_devices = self.model.fill_devices
        menu.addAction(
            action(
                w,
                "&Sizes, heads and assumptions…",
                w.sources.ask_corrections,
                shortcut="Ctrl+Shift+H",
                tip="Say otherwise what was found or assumed: network, sizes, heads, mean and std, epsilon, labels",
            )
        )
        menu.addAction(
            action(
                w,
                "Sa&ve as safetensors…",
                w.saver.ask,
                tip="Write the shown model into a folder that leaves nothing to guess, and says what was guessed",
            )
        )

    def _help(self) -> None:
        w, menu = self._window, self._window.menuBar().addMenu("&Help")
        palette = action(w, "&Commands…", w.show_palette, shortcut="Ctrl+Shift+P", tip="Every command by name")
        sheet = action(w, "&Shortcuts", w.show_shortcuts, shortcut=("?", "F1"), tip="Keys and mouse gestures")
        for made in (palette, sheet, action(w, "&About vitviz", partial(show_about, w))):
            menu.addAction(made)

    def follow(self, state: State) -> None:
        """Tick what the store holds."""
        self.outline.setChecked(state.style.show_query)
        self.one_window.setChecked(state.style.show_window)
        self.partition.setChecked(state.style.show_partition)
        for choice in self.ablation_to.actions():
            choice.setChecked(choice.data() == state.ablation.to)

    def model_button(self) -> QToolButton:
        """The toolbar's button that opens the ways to a model."""
        button = QToolButton()
        button.setText("Open model")
        button.setToolTip("Open a model: file, folder, name or sample")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        for made in (self.open_model, self.open_folder, self.open_name):
            menu.addAction(made)
        menu.addSeparator()
        for title, source in samples.MODELS:
            menu.addAction(title, partial(self._window.sources.open_source, source))
        menu.addMenu(self.recents.models)
        button.setMenu(menu)
        return button


def _choose_method(store: Store, name: Method) -> None:
    # `store` is asked for its update only now: by then another pane may be current, and this one gone.
    store.update(method=name)
