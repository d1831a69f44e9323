"""Bars of tabs that Qt leaves behind.

When docks are put into tabs in a second area, or a layout is restored, QMainWindow (seen with Qt 6.11.3) keeps the bars
of layouts that are no more: visible, over the status bar, and dead.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabBar


def hide_strays(window: QMainWindow) -> None:
    """Hide every bar of tabs of the window that no shown dock stands on; of two at one place the older one."""
    docks = [dock for dock in window.findChildren(QDockWidget) if dock.isVisible() and not dock.isFloating()]
    bars = window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
    owned: dict[tuple[int, int], QTabBar] = {}
    for bar in bars:
        place = next((_foot(dock) for dock in docks if _stands_on(dock, bar)), None)
        if place is not None:
            owned[place] = bar
    for bar in bars:
        if bar.isVisible() and bar not in owned.values():
            bar.hide()


def _foot(dock: QDockWidget) -> tuple[int, int]:
    return dock.geometry().left(), dock.geometry().bottom() + 1


def _stands_on(dock: QDockWidget, bar: QTabBar) -> bool:
    left, below = _foot(dock)
    same = bar.count() > 1 and bar.tabText(bar.currentIndex()).replace("&", "") == dock.windowTitle()
    return same and abs(bar.x() - left) <= 2 and abs(bar.y() - below) <= 2
