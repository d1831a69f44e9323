"""A panel that computes only when asked to, about a class of the shown trace, and writes what came of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QComboBox, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from vitviz.atomic import slug, write_bytes
from vitviz.errors import FileError
from vitviz.ui import files
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.run_button import RunButton
from vitviz.ui.steady_label import SteadyLabel
from vitviz.ui.targets import TargetBox
from vitviz.ui.wrapping import Wrapping

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace


class Found(Protocol):
    """What came of a run: it knows of which trace."""

    @property
    def trace(self) -> Trace:
        """The trace that was asked about."""


R = TypeVar("R", bound=Found)


@dataclass(frozen=True, slots=True)
class Form(Generic[R]):
    """A form in which a result is written: its suffix, its line in the menu, its kind of file, and what makes it."""

    suffix: str
    line: str
    kind: str
    made: Callable[[R], bytes]


class AskedPanel(QWidget, Generic[R]):
    """Run, Cancel, progress, the class, a caption and Export; a panel fills in the rest, and has all laid out.

    `result` is what came of the last run, None once another trace is shown. `told(str)` with a word for the status bar.
    """

    told = Signal(str)

    def __init__(
        self,
        pane: Pane,
        worker: Worker,
        *,
        kind: str,
        tip: str,
        target_tip: str,
        least_classes: int,
        forms: list[Form[R]],
    ) -> None:
        super().__init__()
        self.pane = pane
        self.result: R | None = None
        self._opened: Opened | None = None
        self._least, self._forms = least_classes, forms
        self.target = TargetBox(target_tip, pane)
        self.run = RunButton(worker, kind, tip)
        self.progress = self.run.progress
        self.save = QToolButton()
        self.save.setText("Export")
        self.save.setToolTip("Write what is shown")
        self.save.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.save)
        for form in forms:
            self._offer(menu, form)
        self.save.setMenu(menu)
        self.caption = SteadyLabel()  # its words change under the mouse
        pane.traced.connect(self._traced)
        self.run.clicked.connect(self.toggle)
        self.run.done.connect(self._done)
        self.run.failed.connect(self.caption.setText)

    def lay_out(self, choices: Sequence[QComboBox], content: QWidget) -> None:
        """Class and Run above the panel's own choices and Export, then what was found, and what is said of it."""
        for box in choices:
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(Wrapping(self.target, self.run))
        layout.addLayout(Wrapping(*choices, self.save))
        layout.addWidget(self.progress)
        layout.addWidget(content, 1)
        layout.addWidget(self.caption)

    @abstractmethod
    def work(self, opened: Opened, target: int) -> Callable[[Progress], R]:
        """What Run does, with all that was chosen."""

    @abstractmethod
    def draw(self) -> None:
        """Show `result`, or that there is none."""

    @abstractmethod
    def words(self) -> str:
        """What the caption says of it."""

    @abstractmethod
    def stem(self, result: R) -> str:
        """What a file of the result is called after the picture and the model."""

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self.run.running

    @property
    def has_classes(self) -> bool:
        """Whether the shown model has classes to ask about."""
        return self.target.count() >= self._least

    @Slot()
    def toggle(self) -> None:
        """Run, or cancel what runs."""
        opened, target = self.pane.opened, self.target.currentData()
        if self.running:
            self.cancel()
        elif opened is not None and target is not None:
            self.run.start(self.work(opened, target))

    @Slot()
    def cancel(self) -> None:
        """Give up what runs."""
        self.run.cancel()

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        if opened is self._opened:  # in a pane beside this one, which is to be another's
            return
        self._opened = opened
        self.cancel()
        self.result = None
        self.target.offer(opened.trace)
        self.run.setEnabled(self.has_classes)
        self.show_result()

    @Slot(object)
    def _done(self, result: R) -> None:
        if self.pane.opened is not None and result.trace is self.pane.opened.trace:
            self.result = result
            self.show_result()

    def show_result(self) -> None:
        """Draw what there is, and say it."""
        self.draw()
        self.save.setEnabled(self.result is not None)
        self.caption.setText(self.words())

    def _offer(self, menu: QMenu, form: Form[R]) -> None:
        menu.addAction(form.line, lambda: self._ask(form))

    def _ask(self, form: Form[R]) -> None:
        result = self.result
        if result is None:
            return
        stem = slug(f"{Path(result.trace.image_name).stem} {result.trace.model_name} {self.stem(result)}")
        path = Path.home() / f"{stem}{form.suffix}"
        files.ask_save(
            self, path, [f"{form.kind} (*{form.suffix})"], title="Export", then=partial(self.export, result=result)
        )

    def export(self, path: Path, result: R | None = None) -> None:
        """Write a result, the shown one where none is given, in the form of the path's suffix, else the last one."""
        if (result := result or self.result) is None:
            return
        form = next((form for form in self._forms if path.suffix.lower() == form.suffix), None)
        if form is None:
            form = self._forms[-1]
            path = path.with_name(path.name + form.suffix)
        try:
            write_bytes(path, form.made(result))
        except FileError as error:
            self.caption.setText(str(error))
            return
        self.told.emit(f"Written: {path}")


def choice(choices: tuple[tuple[str, str], ...], tip: str) -> QComboBox:
    """A box of (title, value), the value as the data of its line."""
    box = QComboBox()
    for title, value in choices:
        box.addItem(title, value)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box
