"""What the models of the panes cost, measured in the worker as long as somebody looks."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from vitviz.ui.jobs import Progress, Work, Worker
from vitviz.ui.newest import Newest
from vitviz.ui.opening import Opened
from vitviz.ui.pane_column import PaneColumn
from vitviz.ui.panes import Panes

if TYPE_CHECKING:
    from vitviz.attention.costs import Cost

KIND = "cost"
Key = Hashable


def key_of(opened: Opened) -> Key:
    """What is equal for panes that cost the same: network, view, picture and what is switched off."""
    return opened.model.module, opened.model.preprocessing, opened.image.sha256, opened.trace.ablation


class Costing(QObject):
    """First counts what is new, model by model, then times all models in turns, so that their times can be compared.

    `changed()` when a pane's costs are known, or are no longer those of what it shows. Panes that show the same are
    measured once. Nothing is measured until `watch(True)`.
    """

    changed = Signal()

    def __init__(self, panes: Panes, worker: Worker, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._panes, self._job = panes, Newest(worker, KIND, self)
        self._known: dict[Key, Cost | str] = {}  # a sentence where it could not be measured
        self._timed: frozenset[Key] = frozenset()  # those whose passes took turns
        self._asked: Key | None = None
        self._given_up: frozenset[Key] | None = None
        self._watched = False
        for column in panes:
            self._add(column)
        panes.added.connect(self._add)
        for signal in (panes.added, panes.removed):
            signal.connect(self._look)
        self._job.finished.connect(self._finished)
        self._job.failed.connect(self._failed)
        self._job.cancelled.connect(self._cancelled)

    @Slot(object)
    def _add(self, column: PaneColumn) -> None:
        column.pane.traced.connect(self._look)
        column.opener.waiting_changed.connect(self._look)

    def watch(self, on: bool) -> None:
        """Measure what the panes show, now and from now on, or stop. What failed is tried again."""
        self._watched, self._given_up = on, None
        self._known = {key: cost for key, cost in self._known.items() if not isinstance(cost, str)}
        if on:
            self._look()
        else:
            self._job.cancel()

    @Slot()
    def cancel(self) -> None:
        """Measure no more until the panes show something else."""
        if self._asked is not None:
            self._given_up = frozenset(self._shown())
            self._job.cancel()

    def costs(self) -> list[Cost | None]:
        """Per pane what its model costs, None as long as that is not known."""
        found = [self._of(column) for column in self._panes]
        return [None if isinstance(cost, str) else cost for cost in found]

    def excuses(self) -> list[str]:
        """Per pane why its costs will not be known, "" where they are or will be."""
        given_up = "measuring was cancelled" if self._given_up is not None else ""
        found = [self._of(column) for column in self._panes]
        return [cost if isinstance(cost, str) else given_up if cost is None else "" for cost in found]

    def _of(self, column: PaneColumn) -> Cost | str | None:
        if column.opener.awaited is not None or column.pane.opened is None:
            return None  # what it still shows is no result
        return self._known.get(key_of(column.pane.opened))

    def _shown(self) -> dict[Key, Opened]:
        """What is to be measured, each once."""
        every = [c.pane.opened for c in self._panes if c.opener.awaited is None]
        return {key_of(opened): opened for opened in every if opened is not None}

    @Slot()
    def _look(self, *_: object) -> None:
        """Ask for what is missing next."""
        kept = {key_of(c.pane.opened) for c in self._panes if c.pane.opened is not None}
        self._known = {key: cost for key, cost in self._known.items() if key in kept}
        shown = self._shown()
        if self._given_up is not None and self._given_up != frozenset(shown):
            self._given_up = None
        if self._watched and self._given_up is None:
            self._ask(shown)
        self.changed.emit()

    def _ask(self, shown: dict[Key, Opened]) -> None:
        new = next((key for key in shown if key not in self._known), None)
        costs = [(key, shown[key], cost) for key in shown if not isinstance(cost := self._known.get(key, ""), str)]
        every = frozenset(key for key, _, _ in costs)
        asked = new if new is not None else every
        if asked == self._asked or (new is None and every <= self._timed):
            return
        self._asked = asked
        self._job.submit(_counting(new, shown[new]) if new is not None else _timing(costs))

    @Slot(object)
    def _finished(self, result: dict[Key, Cost]) -> None:
        asked, self._asked = self._asked, None
        self._known |= result
        if isinstance(asked, frozenset):
            self._timed = asked
        self._look()

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        asked, self._asked = self._asked, None
        if isinstance(asked, frozenset):
            self._timed = asked  # each keeps the time of its own pass
        else:
            self._known[asked] = str(error) or type(error).__name__
        self._look()

    @Slot()
    def _cancelled(self) -> None:
        self._asked = None
        self.changed.emit()


def _counting(key: Key, opened: Opened) -> Work:
    def work(progress: Progress) -> dict[Key, Cost]:
        from vitviz.attention.costs import measure

        seen = opened.model, opened.image, opened.trace
        return {key: measure(*seen, runs=1, progress=progress, cancel=progress.cancelled)}

    return work


def _timing(every: list[tuple[Key, Opened, Cost]]) -> Work:
    def work(progress: Progress) -> dict[Key, Cost]:
        from vitviz.attention.costs import time_in_turns

        subjects = [(opened.model, opened.image, cost) for _, opened, cost in every]
        timed = time_in_turns(subjects, progress=progress, cancel=progress.cancelled)
        return {key: cost for (key, _, _), cost in zip(every, timed, strict=True)}

    return work
