"""A file that is dropped on the window."""

from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication

from vitviz.ui.messages import ErrorBox


def drop(window, path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(
        QPointF(50, 50), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    window.dropEvent(event)


def drop_and_wait(qtbot, window, path):
    """The view of the file is back, and nothing was said against it."""
    with qtbot.waitSignal(window.restorer.restored, timeout=60_000):
        drop(window, path)
    QApplication.processEvents()
    assert not [box.text() for box in window.findChildren(ErrorBox) if box.isVisible()]
