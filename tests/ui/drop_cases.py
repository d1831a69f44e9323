"""A file that is dropped on the window."""

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from vitviz.ui.messages import ErrorBox


def drop(window, path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    how = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(window, QDragEnterEvent(QPoint(50, 50), *how))
    QApplication.sendEvent(window, QDropEvent(QPointF(50, 50), *how))


def drop_and_wait(qtbot, window, path):
    """The view of the file is back, and nothing was said against it."""
    with qtbot.waitSignal(window.restorer.restored, timeout=60_000):
        drop(window, path)
    QApplication.processEvents()
    assert not [box.text() for box in window.findChildren(ErrorBox) if box.isVisible()]
