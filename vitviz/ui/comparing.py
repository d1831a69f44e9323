"""The commands of a comparison: more panes, patch sizes, resolutions, links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QToolButton

from vitviz.atomic import slug
from vitviz.errors import VitvizError
from vitviz.models.wish import ModelWish
from vitviz.ui import files
from vitviz.ui.actions import action, choices
from vitviz.ui.costing import key_of
from vitviz.ui.jobs import Progress
from vitviz.ui.linking import Links
from vitviz.ui.messages import show_error
from vitviz.ui.panes import MOST

if TYPE_CHECKING:
    from vitviz.render.plan import Scale
    from vitviz.ui.window import MainWindow

EXPORT = "write comparison"
_LAYERS = (
    ("Layer by relative depth", "depth"),
    ("Layer by number", "number"),
    ("Every pane its own layer", "own"),
)
_SWITCHES = (
    ("cursor", "Link the &cursor", "Hovering one picture asks every pane for its own patch there"),
    ("zoom", "Link &zoom and pan", "All panes show the same part of the picture"),
    ("head", "Link the &head", "All panes show the same head and method"),
    (
        "colours", "Link c&olour map and opacity",
        "All panes are drawn in the same way; the ends of the scale are each pane's own, unless they are linked too",
    ),
    (
        "scale", "One scale for all &panes",
        "Colours mean the same number in every pane, where their maps are of the same quantity",
    ),
)  # fmt: skip


class Comparing(QObject):
    """Adds and fills panes. `exported(Path)` when a figure is written, `told(str)` with a word for the status bar."""

    exported = Signal(object)
    told = Signal(str)

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window, self._panes, self._linking = window, window.panes, window.linking
        self.add = action(
            window, "Add a &pane", self.add_pane, shortcut="Ctrl+T",
            tip=f"Compare: another pane beside this one, up to {MOST}; then open another model in it",
        )  # fmt: skip
        self.close_pane = action(
            window, "C&lose this pane", self.close_current, shortcut="Ctrl+W", tip="Close the current pane"
        )
        self.next = action(window, "&Next pane", self.next_pane, shortcut="F6", tip="Make the next pane current")
        self.patch_sizes = action(
            window, "Compare patch &sizes", self.compare_patch_sizes,
            tip="This model at patches of 8, 16 and 32 px, as far as they divide its view",
        )  # fmt: skip
        self.resolutions = action(
            window, "Compare &resolutions", self.compare_resolutions,
            tip="This model at its own view and at larger ones",
        )  # fmt: skip
        self.free_size = action(
            window, "Add a pane with other si&zes…", self.add_with_size,
            tip="This model once more, with a view or patches of your choice, non-square too",
        )  # fmt: skip
        self.export = action(
            window, "&Export comparison…", self.ask_export, shortcut="Ctrl+Shift+E",
            tip="All panes and their table as one figure: PNG, SVG or PDF, with the numbers as CSV",
        )  # fmt: skip
        window.worker.finished.connect(self._written)
        window.worker.failed.connect(self._not_written)
        self.switches: dict[str, QAction] = {}
        self._enable()
        self._panes.added.connect(self._enable)
        self._panes.removed.connect(self._enable)
        self._linking.changed.connect(self._show_links)

    def fill(self, menu: QMenu) -> None:
        """Put all commands into the menu bar's menu."""
        for made in (self.add, self.free_size, self.patch_sizes, self.resolutions):
            menu.addAction(made)
        menu.addAction(self.export)
        menu.addSeparator()
        for made in (self.next, self.close_pane, self._window.closed_panes.reopen):
            menu.addAction(made)
        menu.addSeparator()
        for name, title, tip in _SWITCHES:
            made = action(self._window, title, partial(self._link, name), tip=tip, checked=getattr(Links(), name))
            self.switches[name] = made
            menu.addAction(made)
        layers = menu.addMenu("Link the la&yer")
        self.layers = choices(
            self._window, layers, _LAYERS, Links().layer, lambda value, *_: self._linking.update(layer=value)
        )

    def button(self) -> QToolButton:
        """The toolbar's button: a click adds a pane, its arrow offers the rest."""
        button = QToolButton()
        button.setText("Compare")
        button.setToolTip("Compare: add a pane (Ctrl+T); the arrow offers patch sizes and resolutions")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(self.add.trigger)
        menu = QMenu(button)
        menu.setToolTipsVisible(True)
        for made in (self.add, self.free_size, self.patch_sizes, self.resolutions):
            menu.addAction(made)
        button.setMenu(menu)
        return button

    def begin(self, beside: Sequence[ModelWish]) -> None:
        """Show the models that the program was started with beside the first one."""
        first = self._panes.wish.model
        for wish in beside:
            # The first one's device and precision were filled in from the settings.
            self.add_pane(replace(wish, device=first.device, precision=first.precision))
        self._panes.set_current(self._panes.columns[0])

    def add_pane(self, model: ModelWish | None = None) -> None:
        """Another pane, with this model or the current pane's."""
        try:
            self._panes.add(model)
        except VitvizError as error:
            show_error(self._window, error)
            return
        if model is None:
            self.told.emit("The new pane is current: open another model, or change its sizes.")

    def add_paths(self, paths: list[Path]) -> None:
        """Show checkpoints that were dropped with Shift beside what is shown."""
        for path in paths:
            self.add_pane(self._window.sources.run.on(ModelWish(str(path))))

    def add_with_size(self) -> None:
        """The current model once more; the dialog asks for its sizes."""
        if len(self._panes) < MOST:
            self._panes.add()
            self._window.sources.ask_corrections()

    def close_current(self) -> None:
        """Close the current pane."""
        self._panes.close_column(self._panes.current_column)

    def next_pane(self) -> None:
        """Make the pane to the right current, the first after the last."""
        columns = self._panes.columns
        column = columns[(columns.index(self._panes.current_column) + 1) % len(columns)]
        self._panes.set_current(column)
        column.map_view.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def compare_patch_sizes(self) -> None:
        """One pane for each patch size, the current model in all of them."""
        opened = self._panes.current.opened
        if opened is None:
            return
        from vitviz.models.resizing import own_patch_size, patch_sizes

        fitting, own = patch_sizes(opened.model), own_patch_size(opened.model)
        if len(fitting) < 2:
            self._say(
                f"{opened.model.name} can't be compared over patch sizes: its patches can't be resampled, or no other "
                "of 8, 16 and 32 px divides its view. Change the size of the view, or open a plain ViT."
            )
            return
        # At its own patch size nothing is resampled.
        self._fill([{"patch_size": None if size == own else size} for size in fitting])

    def compare_resolutions(self) -> None:
        """One pane for each size of the view, the current model in all of them."""
        opened = self._panes.current.opened
        if opened is None:
            return
        from vitviz.models.resizing import sides

        fitting = sides(opened.model)
        if len(fitting) < 2:
            self._say(
                f"No other view of {opened.model.name} is divided by its patches: choose one under Model > Sizes."
            )
            return
        own = opened.model.preprocessing.input_size
        kept = opened.wish.model.image_size
        self._fill([{"image_size": kept if (side, side) == own else (side, side)} for side in fitting])

    def _fill(self, variants: Sequence[dict[str, Any]]) -> None:
        """As many panes as there are variants of the current model, in this order; the current one stays what it is."""
        opened, current = self._panes.current.opened, self._panes.current_column
        assert opened is not None
        base = opened.wish.model
        while len(self._panes) > len(variants):
            self._panes.close_column([column for column in self._panes if column is not current][-1])
        wishes = [replace(base, **fields) for fields in variants]
        while len(self._panes) < len(variants):
            self._panes.add()
        self._panes.put_at(current, wishes.index(base) if base in wishes else 0)
        # Before anything else is opened: what panels found out of the current pane is kept.
        self._panes.set_current(current)
        for column, wish in zip(self._panes, wishes, strict=True):
            if column.pane.opened is None or column.pane.opened.wish.model != wish:
                column.opener.open(picture=opened.wish.picture, model=wish)

    def ask_export(self) -> None:
        """Choose where the comparison goes."""
        opened = self._panes.current.opened
        if opened is None:
            return
        name = f"{slug(f'{Path(opened.image.name).stem} comparison')}.png"
        folder, filters = self._window.settings.export_folder, ["Figures (*.png *.svg *.pdf)"]
        files.ask_save(self._window, folder / name, filters, title="Export comparison", then=self.export_to)

    def export_to(self, path: Path) -> None:
        """Write what the panes show now, whatever the mouse does until the worker comes to it."""
        style = self._panes.current.store.state.style
        styles = [c.store.state.style for c in self._panes]
        shown = [
            (c.pane.opened, c.pane.map, c.pane.limits(), cost, None if own == style else own, c.store.state.query)
            for c, cost, own in zip(self._panes, self._window.costing.costs(), styles, strict=True)
            if c.pane.opened is not None and c.pane.map is not None and c.opener.awaited is None
        ]
        scale: Scale | None = "figure" if self._panes.current.common_limits() else None
        if not shown:
            return

        def work(progress: Progress) -> Path:
            from vitviz.attention.costs import measure_in_turns
            from vitviz.render.comparison import FIGURE, Compared
            from vitviz.render.comparison_recipe import write_comparison
            from vitviz.render.plan import Seen

            every = {key_of(opened): (opened.model, opened.image, opened.trace) for opened, *_ in shown}
            known = {key_of(opened): cost for opened, _, _, cost, *_ in shown}
            if None in known.values():
                costs = measure_in_turns(list(every.values()), progress=progress, cancel=progress.cancelled)
                known = dict(zip(every, costs, strict=True))
            models = [
                Compared(Seen(opened.image, opened.model, opened.trace), found, limits, known[key_of(opened)], own, pin)
                for opened, found, limits, _, own, pin in shown
            ]
            return write_comparison(path, models, style, FIGURE, scale)[0]

        self._window.settings.update(export_folder=str(path.parent))
        self._window.worker.submit(f"{EXPORT} {path}", work, supersede=False)

    @Slot(int, str, object)
    def _written(self, number: int, kind: str, result: object) -> None:
        if kind.startswith(EXPORT) and isinstance(result, Path):
            self.exported.emit(result)
            self.told.emit(f"Written: {result}, its numbers {result.name}.csv and its recipe {result.name}.json")

    @Slot(int, str, object)
    def _not_written(self, number: int, kind: str, error: Exception) -> None:
        if kind.startswith(EXPORT):
            show_error(self._window, error)

    def _say(self, sentence: str) -> None:
        show_error(self._window, VitvizError(sentence))

    def _link(self, name: str, on: bool) -> None:
        self._linking.update(**{name: on})

    def _show_links(self, links: Links) -> None:
        for name, made in self.switches.items():
            made.setChecked(getattr(links, name))
        for made in self.layers.actions():
            made.setChecked(made.data() == links.layer)

    def _enable(self, *_: object) -> None:
        count = len(self._panes)
        self.add.setEnabled(count < MOST)
        self.free_size.setEnabled(count < MOST)
        self.close_pane.setEnabled(count > 1)
        self.next.setEnabled(count > 1)
        self.export.setEnabled(count > 1)
