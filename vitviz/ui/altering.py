"""Heads switched off in the model of a pane: from the ablation in its state to the trace that it shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from vitviz.attention.values import Ablation
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.newest import Newest
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.store import State

if TYPE_CHECKING:
    from vitviz.attention.trace import Trace

KIND = "ablation"


@dataclass(frozen=True, slots=True)
class _Passes:
    """What was asked for from `plain`, None where that was not seen yet: with all heads on, and as wished."""

    plain: Opened | None
    whole: Opened
    altered: Opened


class Alteration(QObject):
    """Keeps what a pane shows to the ablation in its state: runs the model without these heads, and shows that trace.

    Another network begins with all heads on, and `told(str)` says so where some were off; another picture, and the same
    network with another size or crop, are shown as altered. `failed(exception)` when the altered model could not be
    run: the state goes back to what is shown.
    """

    failed = Signal(object)
    told = Signal(str)

    def __init__(self, pane: Pane, worker: Worker, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pane, self._job = pane, Newest(worker, f"{KIND} {pane.number}", self)
        self._plain: Opened | None = None  # what is shown, with all heads on
        self._shown: Opened | None = None
        pane.traced.connect(self._traced)
        pane.store.changed.connect(self._changed)
        self._job.finished.connect(self._finished)
        self._job.failed.connect(self._failed)
        self._job.cancelled.connect(self._go_back)

    @property
    def plain(self) -> Opened | None:
        """What is shown, with all heads on; None where only the altered model was seen."""
        return self._plain

    def cancel(self) -> None:
        """Give up the pass that runs; what is shown stays."""
        self._job.cancel()

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        before, shown, self._shown = self._plain, self._shown, opened
        if opened.trace.ablation:
            if before is None or before.model is not opened.model or before.image is not opened.image:
                self._plain = None  # it comes from elsewhere, as of a script, where only the altered model was seen
            self._pane.store.update(ablation=opened.trace.ablation)
            return
        self._plain = opened
        if before is not None and before.model is not opened.model and not _same_heads(before, opened):
            if self._pane.store.state.ablation or (shown is not None and shown.trace.ablation):
                same = _network(before) == _network(opened)
                why = "now has other layers or heads" if same else "is another network"
                self.told.emit(f"All heads are on again: {opened.model.name} {why}.")
            self._pane.store.update(ablation=Ablation())
        self._alter()

    @Slot(object, object)
    def _changed(self, old: State, new: State) -> None:
        # While a new trace is being faced, the pane holds it already: `traced` follows.
        if old.ablation != new.ablation and self._pane.opened is self._shown:
            self._alter()

    def _alter(self) -> None:
        wish, plain, base = self._pane.store.state.ablation, self._plain, self._shown
        if base is None:
            return
        shown = base.trace.ablation
        if wish == shown or not (wish or shown):
            self._job.cancel()
            return
        if not wish and plain is not None:
            self._job.cancel()
            self._pane.show(plain)
            return

        def work(progress: Progress) -> _Passes:
            from vitviz.attention.trace import trace

            def seen(**how: Any) -> Trace:
                return trace(base.model, base.image, progress=progress, cancel=progress.cancelled, **how)

            whole = plain or replace(base, trace=seen())
            altered = replace(whole, trace=seen(ablation=wish, plain=whole.trace)) if wish else whole
            return _Passes(plain, whole, altered)

        self._job.submit(work)

    @Slot(object)
    def _finished(self, result: _Passes) -> None:
        if result.plain is self._plain and self._shown is not None and self._shown.model is result.whole.model:
            self._plain = result.whole
            self._pane.show(result.altered)

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        self._go_back()
        self.failed.emit(error)

    @Slot()
    def _go_back(self) -> None:
        if self._shown is not None:
            self._pane.store.update(ablation=self._shown.trace.ablation)


def _network(opened: Opened) -> tuple[str, str | None, bool]:
    """What tells networks apart, whatever the sizes, the crop, the device."""
    wish = opened.wish.model
    return wish.source, wish.network, wish.pretrained


def _same_heads(one: Opened, other: Opened) -> bool:
    """Whether a layer and head mean the same in both."""
    counts = [[layer.num_heads for layer in opened.trace.layers] for opened in (one, other)]
    return _network(one) == _network(other) and counts[0] == counts[1]
