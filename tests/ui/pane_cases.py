"""What the tests of several panes have in common."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from vitviz.attention.values import Place

CENTRE = Place(62.0, 42.0)


def columns(window):
    QApplication.processEvents()
    return window.panes.columns


def click_at(qtbot, column, place):
    view = column.map_view.view
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.position_of(place).toPoint())
    QApplication.processEvents()


def settled(qtbot, window):
    """All costs are known, and nothing more is to come."""
    qtbot.waitUntil(lambda: all(window.costing.costs()) and not window.worker.is_busy(), timeout=30000)
