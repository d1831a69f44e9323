"""Every command can be found by typing and run by Enter; disabled ones can't."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QToolBar

from vitviz.ui.palette import CommandPalette, commands, plain, score


@pytest.fixture
def ran():
    return []


@pytest.fixture
def window(qtbot, ran):
    window = QMainWindow()
    qtbot.addWidget(window)

    def add(owner, text, shortcut="", enabled=True):
        action = QAction(text, window, shortcut=QKeySequence(shortcut), enabled=enabled)
        action.triggered.connect(lambda: ran.append(plain(text)))
        owner.addAction(action)
        return action

    file = window.menuBar().addMenu("&File")
    opened = add(file, "&Open picture", "Ctrl+O")
    file.addSeparator()
    add(file, "Open &model", "Ctrl+Shift+O")
    add(file, "Save && close", enabled=False)
    add(file, "Hidden").setVisible(False)
    view = window.menuBar().addMenu("View")
    colormap = view.addMenu("&Colormap")
    add(colormap, "<b>Viridis</b>")
    bar = QToolBar()
    window.addToolBar(bar)
    bar.addAction(opened)
    add(bar, "Compare")
    add(window, "Next layer", "Down")
    window.show()
    return window


@pytest.fixture
def palette(qtbot, window):
    palette = CommandPalette(window)
    palette.open()
    qtbot.waitExposed(palette)
    return palette


def rows(palette):
    items = [palette.list.topLevelItem(row) for row in range(palette.list.topLevelItemCount())]
    return [item.text(0) for item in items]


def test_commands_are_those_of_menus_bars_and_window_each_once(window):
    assert [(each.path, each.shortcut) for each in commands(window)] == [
        ("File › Open picture", "Ctrl+O"),
        ("File › Open model", "Ctrl+Shift+O"),
        ("File › Save & close", ""),
        ("View › Colormap › <b>Viridis</b>", ""),
        ("Compare", ""),
        ("Next layer", "Down"),
    ]


def test_all_are_listed_with_their_shortcut_at_the_right(palette):
    assert len(rows(palette)) == 6
    first = palette.list.topLevelItem(0)
    assert first.text(1) == "Ctrl+O"
    assert first.textAlignment(1) & Qt.AlignmentFlag.AlignRight
    assert palette.list.visualItemRect(first).width() > 0


def test_typing_filters_and_enter_runs(qtbot, palette, ran):
    qtbot.keyClicks(palette.search, "opmo")
    assert rows(palette) == ["File › Open model"]
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert ran == ["Open model"]
    assert not palette.isVisible()


def test_down_and_up_move_over_the_enabled_ones_and_around(qtbot, palette, ran):
    for _ in range(2):
        qtbot.keyClick(palette.search, Qt.Key.Key_Down)
    assert palette.list.currentItem().text(0).endswith("<b>Viridis</b>")
    for _ in range(3):
        qtbot.keyClick(palette.search, Qt.Key.Key_Up)
    assert palette.list.currentItem().text(0) == "Next layer"
    qtbot.keyClick(palette.search, Qt.Key.Key_PageUp)
    qtbot.keyClick(palette.search, Qt.Key.Key_Enter)
    assert ran == ["Open picture"]


def test_disabled_command_is_grey_and_does_not_run(qtbot, palette, ran):
    qtbot.keyClicks(palette.search, "save")
    item = palette.list.topLevelItem(0)
    assert item.text(0) == "File › Save & close"
    assert item.isDisabled()
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    centre = palette.list.visualItemRect(item).center()
    qtbot.mouseClick(palette.list.viewport(), Qt.MouseButton.LeftButton, pos=centre)
    assert ran == []
    assert palette.isVisible()


def test_click_runs(qtbot, palette, ran):
    centre = palette.list.visualItemRect(palette.list.topLevelItem(4)).center()
    qtbot.mouseClick(palette.list.viewport(), Qt.MouseButton.LeftButton, pos=centre)
    assert ran == ["Compare"]


def test_escape_closes_without_running(qtbot, palette, ran):
    qtbot.keyClick(palette.search, Qt.Key.Key_Escape)
    assert not palette.isVisible()
    assert ran == []


def test_nothing_fits_and_enter_does_nothing(qtbot, palette, ran):
    qtbot.keyClicks(palette.search, "zzzz")
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Return):
        qtbot.keyClick(palette.search, key)
    assert rows(palette) == []
    assert ran == []


def test_opening_again_starts_afresh(qtbot, palette, window):
    qtbot.keyClicks(palette.search, "zzzz")
    palette.reject()
    window.addAction(QAction("Later", window))
    palette.open()
    assert palette.search.text() == ""
    assert "Later" in rows(palette)
    qtbot.waitUntil(palette.search.hasFocus)


def test_action_deleted_meanwhile_is_not_run(qtbot, palette, window):
    action = QAction("Gone", window)
    window.addAction(action)
    palette.reject()
    palette.open()
    qtbot.keyClicks(palette.search, "gone")
    action.deleteLater()
    qtbot.wait(10)
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert not palette.isVisible()


def test_command_runs_after_the_palette_has_closed(qtbot, palette, window):
    seen = []
    action = QAction("Look", window)
    action.triggered.connect(lambda: seen.append(palette.isVisible()))
    window.addAction(action)
    palette.reject()
    palette.open()
    qtbot.keyClicks(palette.search, "look")
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert seen == [False]


@pytest.mark.parametrize(("query", "text"), [("opm", "Open model"), ("model open", "Open model"), ("", "x")])
def test_letters_in_order_fit(query, text):
    assert score(query, text) is not None


@pytest.mark.parametrize(("query", "text"), [("mo", "omen"), ("xyz", "Open"), ("oo", "Open")])
def test_other_letters_do_not_fit(query, text):
    assert score(query, text) is None


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [("open", "Open model", "Colour pen"), ("ne", "Next layer", "Open"), ("map", "Map", "Make a point")],
)
def test_word_beginnings_and_runs_fit_better(query, better, worse):
    assert score(query, better) > (score(query, worse) or 0)


def test_mnemonics_are_not_shown():
    assert plain("&Open && go") == "Open & go"
