"""The sheet shows every shortcut by menu and every gesture, and gives them away as text."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QKeySequence
from PySide6.QtWidgets import QDialogButtonBox, QMainWindow, QPushButton

from vitviz.ui.shortcuts import ShortcutSheet

GESTURES = [("hover a patch", "it is the query"), ("wheel", "zoom <i>in</i>")]


@pytest.fixture
def window(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    file = window.menuBar().addMenu("&File")
    file.addAction("&Open").setShortcuts([QKeySequence("Ctrl+O"), QKeySequence("F2")])
    file.addAction("No key")
    view = window.menuBar().addMenu("View")
    view.addMenu("Layer").addAction("Next").setShortcut(QKeySequence("Down"))
    lone = window.menuBar().addAction("Lone")
    lone.setShortcut(QKeySequence("F5"))
    window.show()
    return window


@pytest.fixture
def sheet(qtbot, window):
    sheet = ShortcutSheet(window, GESTURES)
    sheet.open()
    qtbot.waitExposed(sheet)
    return sheet


def test_sections_follow_the_menus_then_others_then_the_mouse(sheet):
    assert list(sheet.sections().items()) == [
        ("File", [("Ctrl+O / F2", "Open")]),
        ("View", [("Down", "Layer › Next")]),
        ("Other", [("F5", "Lone")]),
        ("Mouse", GESTURES),
    ]


def test_all_rows_are_shown_unfolded(sheet):
    sections = [sheet.table.topLevelItem(row) for row in range(sheet.table.topLevelItemCount())]
    assert [section.text(0) for section in sections] == ["File", "View", "Other", "Mouse"]
    assert all(section.isExpanded() for section in sections)
    assert sections[3].child(1).text(1) == "zoom <i>in</i>"


def test_chosen_rows_are_copied_by_key(qtbot, sheet):
    item = sheet.table.topLevelItem(0).child(0)
    centre = sheet.table.visualItemRect(item).center()
    qtbot.mouseClick(sheet.table.viewport(), Qt.MouseButton.LeftButton, pos=centre)
    qtbot.keyClick(sheet.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "Ctrl+O / F2\tOpen"


def test_button_copies_all(qtbot, sheet):
    qtbot.mouseClick(sheet.copy_button, Qt.MouseButton.LeftButton)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[:2] == ["File", "Ctrl+O / F2\tOpen"]
    assert lines[-1] == "wheel\tzoom <i>in</i>"
    assert sheet.isVisible()


def test_opening_again_reads_the_menus_anew(sheet, window):
    sheet.reject()
    window.menuBar().actions()[0].menu().addAction("New").setShortcut(QKeySequence("F9"))
    sheet.open()
    assert sheet.table.topLevelItem(0).childCount() == 2


def test_escape_and_close_button_close(qtbot, sheet):
    qtbot.keyClick(sheet.table, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
    sheet.open()
    button = sheet.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Close)
    assert isinstance(button, QPushButton)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert not sheet.isVisible()
