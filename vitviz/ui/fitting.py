"""The size of the window: never more than its screen has room for, frame included."""

from __future__ import annotations

from PySide6.QtCore import QMargins, QRect
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QStyle, QWidget


def fitted(window: QRect, room: QRect, frame: QMargins) -> QRect:
    """A window, given without its frame, made as large and moved as far as it must be to lie in a room with it."""
    inner = room.marginsRemoved(frame)
    width, height = min(window.width(), inner.width()), min(window.height(), inner.height())
    x = min(max(window.x(), inner.x()), inner.x() + inner.width() - width)
    y = min(max(window.y(), inner.y()), inner.y() + inner.height() - height)
    return QRect(x, y, width, height)


def fit_to_screen(window: QWidget) -> None:
    """Let a window that reaches beyond its screen fit into it; one that fills it as asked stays."""
    # Drawn off screen there is no screen to fit: its size is that of the picture that is taken.
    if window.isMaximized() or window.isFullScreen() or QGuiApplication.platformName() in ("offscreen", "minimal"):
        return
    now, room = window.geometry(), window.screen().availableGeometry()
    wanted = fitted(now, room, _frame(window))
    if wanted.size() != now.size():
        window.setGeometry(wanted)


def _frame(window: QWidget) -> QMargins:
    """How far the frame reaches beyond the window: as it is, or before it is there as it will be, about."""
    inner, outer = window.geometry(), window.frameGeometry()
    if window.isVisible():
        return QMargins(
            inner.left() - outer.left(),
            inner.top() - outer.top(),
            outer.right() - inner.right(),
            outer.bottom() - inner.bottom(),
        )
    title = window.style().pixelMetric(QStyle.PixelMetric.PM_TitleBarHeight)
    return QMargins(4, max(title, 30), 4, 4)
