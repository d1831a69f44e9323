"""The mouse of the tests of the window."""

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication


def move_mouse(view, position, buttons=Qt.MouseButton.NoButton):
    """Move the mouse over a picture: QTest.mouseMove moves the one real cursor, which off screen arrives late."""
    target, position = view.viewport(), QPointF(position)
    event = QMouseEvent(
        QEvent.Type.MouseMove, position, target.mapToGlobal(position), Qt.MouseButton.NoButton, buttons,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(target, event)
    QApplication.processEvents()
