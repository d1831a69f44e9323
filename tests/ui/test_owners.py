"""Every Qt object of the window has an owner in Qt: one that Python alone owns may be deleted in any thread."""

import gc

import pytest
import shiboken6
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QGraphicsItem


def of_python_alone():
    """The live Qt objects that only the garbage collector would delete."""
    gc.collect()
    found = [each for each in gc.get_objects() if issubclass(type(each), QObject) and shiboken6.isValid(each)]
    return [
        each
        for each in found
        if shiboken6.ownedByPython(each) and not (isinstance(each, QGraphicsItem) and each.scene() is not None)
    ]


@pytest.fixture
def before():
    """Those that other tests have left."""
    return of_python_alone()


def test_qt_owns_all_of_the_window(before, qtbot, two):
    for dock in two.docks:
        two.docks.show(dock.windowTitle())
        QApplication.processEvents()
    qtbot.waitUntil(lambda: not two.worker.is_busy(), timeout=60000)
    two.menus.export.trigger()
    QApplication.processEvents()
    known = {id(each) for each in before}
    assert [each for each in of_python_alone() if id(each) not in known] == [two]
