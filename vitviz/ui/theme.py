"""Light or dark: as the system has it, live, or as the user wants it."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

Mode = Literal["system", "light", "dark"]
MODES: tuple[Mode, ...] = ("system", "light", "dark")

_SCHEMES = {
    "system": Qt.ColorScheme.Unknown,  # hands the choice back to the system
    "light": Qt.ColorScheme.Light,
    "dark": Qt.ColorScheme.Dark,
}
# (background, foreground) of the panels that pyqtgraph draws: neutral, so that they don't tint a colormap.
_CANVAS = {False: ("#ffffff", "#202020"), True: ("#1b1b1b", "#e4e4e4")}
_COLORS = {
    # window, base, alternate base, button, text, faint text, highlight, link
    False: ("#f0f0f0", "#ffffff", "#f5f5f5", "#f0f0f0", "#1a1a1a", "#8c8c8c", "#2f6fb5", "#1a5fb4"),
    True: ("#2b2b2b", "#1f1f1f", "#262626", "#353535", "#ececec", "#808080", "#2f6fb5", "#78b4ff"),
}


class Theme(QObject):
    """The colours of the program, in Fusion style.

    `changed()` is emitted when the mode is set to another, and when the system turns light or dark while
    the mode is "system"; palette and canvas colours are the new ones by then.
    """

    changed = Signal()

    def __init__(self, mode: Mode = "system", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._mode = _checked(mode)
        self._hints = QApplication.styleHints()
        QApplication.setStyle("Fusion")
        self._apply()
        self._hints.colorSchemeChanged.connect(self._system_changed)

    def mode(self) -> Mode:
        """What the user wants: "system", "light" or "dark"."""
        return self._mode

    def set_mode(self, mode: Mode) -> None:
        """Follow the system, or not."""
        if _checked(mode) != self._mode:
            self._mode = mode
            self._apply()
            self.changed.emit()

    def is_dark(self) -> bool:
        """Whether what is shown is dark."""
        if self._mode == "system":
            return self._system_scheme() == Qt.ColorScheme.Dark
        return self._mode == "dark"

    def canvas_background(self) -> QColor:
        """The colour behind pictures and plots."""
        return QColor(_CANVAS[self.is_dark()][0])

    def canvas_foreground(self) -> QColor:
        """The colour of axes, ticks and text on the canvas."""
        return QColor(_CANVAS[self.is_dark()][1])

    def _system_scheme(self) -> Qt.ColorScheme:
        return self._hints.colorScheme()

    def _apply(self) -> None:
        if hasattr(self._hints, "setColorScheme"):  # since Qt 6.8
            self._hints.setColorScheme(_SCHEMES[self._mode])
        # Some platforms ignore the request (offscreen, some X11 desktops): then the palette is ours.
        honoured = self._mode == "system" or self._system_scheme() == _SCHEMES[self._mode]
        QApplication.setPalette(QPalette() if honoured else palette(dark=self.is_dark()))

    @Slot()
    def _system_changed(self) -> None:
        if self._mode == "system":
            self.changed.emit()


def palette(*, dark: bool) -> QPalette:
    """A neutral palette, for platforms that have none of this darkness."""
    window, base, alternate, button, text, faint, highlight, link = (QColor(each) for each in _COLORS[dark])
    role = QPalette.ColorRole
    result = QPalette(button, window)  # derives the shades of the bevels
    for each, color in (
        (role.Window, window),
        (role.Base, base),
        (role.AlternateBase, alternate),
        (role.Button, button),
        (role.ToolTipBase, base),
        (role.Highlight, highlight),
        (role.HighlightedText, QColor("#ffffff")),
        (role.Link, link),
        (role.PlaceholderText, faint),
    ):
        result.setColor(each, color)
    for each in (role.WindowText, role.Text, role.ButtonText, role.ToolTipText):
        result.setColor(each, text)
        result.setColor(QPalette.ColorGroup.Disabled, each, faint)
    return result


def _checked(mode: Mode) -> Mode:
    if mode not in MODES:
        raise ValueError(f"theme {mode!r}: expected one of {', '.join(MODES)}")
    return mode
