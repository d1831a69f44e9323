"""The status bar: device and why, model, time, and what is under the mouse."""

from __future__ import annotations

import html

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import QProgressBar, QSizePolicy, QStatusBar, QToolButton, QWidget

from vitviz.attention.methods import about
from vitviz.attention.values import Place
from vitviz.render.titles import asked_text, head_text, layer_text, map_text
from vitviz.ui.elided_label import ElidedLabel
from vitviz.ui.labels import plain_label
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.words import weight_text

_READING, _BAR = 60, 160  # pixels
_PATIENCE = 300  # milliseconds of work before its progress is shown, so that nothing flickers while one hovers


class Status(QStatusBar):
    """One line at the bottom; `cancel_asked()` when the user gives up the running work; `doing` says what that is."""

    cancel_asked = Signal()

    def __init__(self, pane: Pane, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane = pane
        self.device, self.model, self.work = (ElidedLabel() for _ in range(3))
        self.reading = ElidedLabel(fills=True)
        self.time = plain_label("")
        # Of the width that device, model and work leave it, so that nothing jumps while one hovers.
        self.reading.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.reading.setMinimumWidth(_READING)
        self.bar = QProgressBar()
        self.bar.setMinimumWidth(_BAR // 3)
        self.bar.setMaximumWidth(_BAR)
        self.bar.setTextVisible(False)
        self.cancel = QToolButton()
        self.cancel.setText("Cancel")
        self.cancel.setToolTip("Give up what is running; what is shown stays")
        self.cancel.clicked.connect(self.cancel_asked)
        for label in (self.device, self.model, self.time):
            label.setContentsMargins(4, 0, 8, 0)
            self.addWidget(label)
        self.addWidget(self.reading, 1)
        for widget in (self.work, self.bar, self.cancel):
            self.addPermanentWidget(widget)
        self.messageChanged.connect(lambda text: self.setToolTip(html.escape(text)))  # a narrow bar cuts it
        self.patience = QTimer(self, singleShot=True, interval=_PATIENCE)
        self.patience.timeout.connect(self._show_progress)
        self._fraction: float | None = None
        self.doing = ""
        self.idle()
        pane.traced.connect(self._traced)
        pane.map_changed.connect(lambda _: self.read(self._place))
        self._place: Place | None = None

    @Slot(object)
    def _traced(self, opened: Opened) -> None:
        device = opened.model.device
        self.device.setText(f"{device.title} ({device.reason}), {opened.model.precision}")
        self.model.setText(opened.model.name + (", random weights" if opened.model.random else ""))
        self.time.setText(f"{opened.trace.seconds * 1000:.0f} ms")
        self.time.setToolTip("Time of this pass through the model")

    def read(self, place: Place | None) -> None:
        """Say what is under the mouse: layer, head, from, to, weight."""
        self._place = place
        shown = self._pane.map
        if shown is None:
            self.reading.setText("")
            return
        chosen = shown.selection
        if not about(shown).of_head:
            self.reading.setText(self._method_words(place))
            return
        words = f"{layer_text(chosen.layer, shown.layer_title).lower()} {head_text(chosen.head)}"
        query = ("the pinned " if self._pane.is_pinned() else "") + asked_text(shown)
        found = self._pane.weight_at(place) if place is not None else None
        if place is not None and found is None:
            words += " | the model did not see this part of the picture"
        elif found is not None:
            cell, weight = found
            there = f"({cell[0]}, {cell[1]}) under the mouse"
            words += f" | from {query} to {there}" if chosen.direction == "from" else f" | from {there} to {query}"
            words += f": {weight_text(weight)}"
        else:
            words += f" | {'from' if chosen.direction == 'from' else 'to'} {query}"
        self.reading.setText(words)

    def _method_words(self, place: Place | None) -> str:
        """The same for methods that are of no one layer and head."""
        shown, opened = self._pane.map, self._pane.opened
        assert shown is not None
        target = shown.selection.target
        words = map_text(shown, opened.trace.label(target) if opened and target is not None else "")
        if place is None:
            return words
        found = self._pane.weight_at(place)
        if found is None:
            return f"{words} | the model did not see this part of the picture"
        cell, value = found
        return f"{words} | patch ({cell[0]}, {cell[1]}) under the mouse: {about(shown).unit} {weight_text(value)}"

    def begin(self) -> None:
        """Something runs: its progress is shown once it has lasted."""
        self.patience.start()

    def busy(self, fraction: float, text: str) -> None:
        """Take progress in; a negative fraction means that no end is in sight."""
        self._fraction, self.doing = fraction, text
        if not self.patience.isActive():
            self._show_progress()

    @Slot()
    def _show_progress(self) -> None:
        if self._fraction is None:  # no word of it yet
            return
        self.work.setText(self.doing)
        self.bar.setRange(0, 0 if self._fraction < 0 else 1000)
        self.bar.setValue(round(max(self._fraction, 0.0) * 1000))
        for widget in (self.work, self.bar, self.cancel):
            widget.show()

    def idle(self) -> None:
        """Nothing is running."""
        self.patience.stop()
        self._fraction, self.doing = None, ""
        for widget in (self.work, self.bar, self.cancel):
            widget.hide()
