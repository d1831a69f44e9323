"""The line over a pane: its model, what it reads under the shared cursor, and the button that closes it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QFontMetrics, QMouseEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QSizePolicy, QToolButton, QWidget

from vitviz.models.wish import ModelWish
from vitviz.ui.elided_label import ElidedLabel
from vitviz.ui.labels import plain_label
from vitviz.ui.opening import Opened
from vitviz.ui.words import weight_text

_NARROW = 260  # pixels; a pane that is less wide has its reading below its name
APPROXIMATION = "resampled to a patch size it was not trained for: an approximation"


class PaneTitle(QFrame):
    """Shown where there are several panes. `pressed()` on a click, `close_asked()` from the button."""

    pressed = Signal()
    close_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name, self.reading = plain_label(""), ElidedLabel(fills=True)
        self.name.installEventFilter(self)
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._text = self._short = self._loading = ""
        self.current = True
        self.close_button = QToolButton()
        self.close_button.setText("×")
        self.close_button.setAutoRaise(True)
        self.close_button.setToolTip("Close this pane")
        self.close_button.setAccessibleName("Close this pane")
        self.close_button.clicked.connect(self.close_asked)
        self.setAutoFillBackground(True)
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(8, 1, 2, 1)
        self._layout.setVerticalSpacing(0)
        self._layout.setColumnStretch(0, 1)
        self._layout.addWidget(self.name, 0, 0)
        self._layout.addWidget(self.reading, 0, 1)
        self._layout.addWidget(self.close_button, 0, 2)

    def show_model(self, opened: Opened) -> None:
        """Say which model the pane shows, and how."""
        from vitviz.models.resizing import short_text

        self._text, self._short = model_text(opened), short_text(opened.model)
        self.reading.setMinimumWidth(0)
        tip = [self._text]
        if opened.model.random:
            tip.append("random weights")
        if is_approximation(opened):
            tip.append(APPROXIMATION)
        if opened.note:
            tip.append(opened.note)
        self.name.setToolTip("\n".join(tip))
        self._elide()

    def show_loading(self, wish: ModelWish | None) -> None:
        """Say which model is awaited, while the pane still shows another."""
        self._loading = "" if wish is None else f"Loading {wish_text(wish)} …"
        self.reading.setVisible(wish is None)
        self._elide()

    def show_current(self, current: bool) -> None:
        """Mark the pane that docks and toolbar speak of."""
        self.current = current
        self.setBackgroundRole(QPalette.ColorRole.Highlight if current else QPalette.ColorRole.Button)
        role = QPalette.ColorRole.HighlightedText if current else QPalette.ColorRole.ButtonText
        for widget in (self.name, self.reading, self.close_button):
            widget.setForegroundRole(role)
        self.setAccessibleName(f"{'Current pane' if current else 'Pane'}: {self._text}")

    def read(self, found: tuple[tuple[int, int], float] | None) -> None:
        """The patch under the shared cursor and its weight, in this pane's own map."""
        text = "" if found is None else f"({found[0][0]}, {found[0][1]}) {weight_text(found[1])}"
        # As wide as the widest so far: beside it the name would go to and fro under the mouse.
        if (needed := self.reading.fontMetrics().horizontalAdvance(text)) > self.reading.minimumWidth():
            self.reading.setMinimumWidth(needed)
        self.reading.setText(text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pressed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        below = event.size().width() < _NARROW
        self._layout.addWidget(self.reading, *((1, 0, 1, 3) if below else (0, 1, 1, 1)))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.name and event.type() == QEvent.Type.Resize:
            self._elide()  # beside a longer reading there is less room, too
        return False

    def _elide(self) -> None:
        """Where there is no room for all, say it shortly; what tells panes apart stands at the end."""
        metrics, room = QFontMetrics(self.name.font()), max(40, self.name.width())
        if self._loading:
            text = metrics.elidedText(self._loading, Qt.TextElideMode.ElideMiddle, room)
        elif metrics.horizontalAdvance(self._text) <= room:
            text = self._text
        else:
            text = metrics.elidedText(self._short, Qt.TextElideMode.ElideLeft, room)
        self.name.setText(text)


def wish_text(wish: ModelWish) -> str:
    """A model that is not there yet, as far as the wish says: "demo · patch 32"."""
    parts = [Path(wish.source).name]
    if wish.patch_size is not None:
        parts.append(f"patch {wish.patch_size}")
    if wish.image_size is not None:
        height, width = wish.image_size
        parts.append(f"{height} px" if height == width else f"{height} x {width} px")
    return " · ".join(parts)


def model_text(opened: Opened) -> str:
    """The model with its patch size and view: "demo · patch 8 · 128 px"."""
    from vitviz.models.resizing import variant_text

    return variant_text(opened.model, opened.trace.ablation.brief)


def is_approximation(opened: Opened) -> bool:
    """Whether the patch embedding was resampled to a size that these weights were never trained for."""
    from vitviz.models.resizing import is_approximation

    return is_approximation(opened.model)
