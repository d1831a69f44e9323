"""The window as a whole: commands, keys, layout, themes, and the end."""

import threading
import time
from collections import Counter

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QMenu, QToolBar

from vitviz.attention.values import Place
from vitviz.ui.app import create
from vitviz.ui.export_dialog import ExportDialog
from vitviz.ui.jobs import THREAD_NAME
from vitviz.ui.palette import CommandPalette, Offered, commands
from vitviz.ui.shortcuts import ShortcutSheet

Key = Qt.Key


def press(qtbot, widget, key, modifier=Qt.KeyboardModifier.NoModifier):
    qtbot.keyClick(widget, key, modifier)
    QApplication.processEvents()


@pytest.fixture
def focused(window):
    """The window with the keyboard in the map."""
    window.activateWindow()
    window.map_view.view.setFocus()
    QApplication.processEvents()
    return window


def test_every_action_has_a_name_a_tooltip_and_a_place_in_the_palette(window):
    found = commands(window)
    assert len(found) > 40
    for each in found:
        assert each.name.strip() and (isinstance(each.action, Offered) or each.action.toolTip().strip())
    listed = {each.action for each in found}
    inner = {action for menu in window.findChildren(QMenu) for action in menu.actions() if action.menu()}
    for action in window.findChildren(QAction):
        if action.text() and not action.isSeparator() and not action.menu() and action not in inner:
            assert action in listed or action.parent() is not window, action.text()


def test_every_command_of_the_window_stands_in_a_menu_and_shows_its_shortcut(window):
    in_menus = {each.action for each in commands(window) if each.menus}
    for action in window.actions():
        assert action in in_menus, action.text()
        if not action.shortcut().isEmpty():
            assert action.shortcut().toString() in action.toolTip()


def test_shortcuts_are_unique(window):
    keys = Counter(key.toString() for action in window.findChildren(QAction) for key in action.shortcuts())
    assert [key for key, count in keys.items() if count > 1] == []
    assert {"Up", "Down", "Left", "Right", "Home", "End", "Space", "Esc", "M", "D", "F11", "Ctrl+Z"} <= set(keys)
    assert {"Ctrl+O", "Ctrl+Shift+O", "Ctrl+E", "Ctrl+C", "Ctrl+V", "Ctrl+Shift+P", "?"} <= set(keys)


def test_mnemonics_of_the_menu_bar_are_unique(window):
    letters = [action.text()[action.text().index("&") + 1] for action in window.menuBar().actions()]
    assert len(set(letters)) == len(letters) == 6


STEPS = [
    (Key.Key_Up, {"layer": 2}, {"layer": 1}),
    (Key.Key_Up, {"layer": 0}, {"layer": 0}),
    (Key.Key_Down, {"layer": 2}, {"layer": 3}),
    (Key.Key_Down, {"layer": 5}, {"layer": 5}),
    (Key.Key_Home, {"layer": 3}, {"layer": 0}),
    (Key.Key_End, {"layer": 3}, {"layer": 5}),
    (Key.Key_Right, {"head": "mean"}, {"head": 0}),
    (Key.Key_Right, {"head": 0}, {"head": 1}),
    (Key.Key_Right, {"head": 1}, {"head": 1}),
    (Key.Key_Left, {"head": 1}, {"head": 0}),
    (Key.Key_Left, {"head": 0}, {"head": "mean"}),
    (Key.Key_Left, {"head": "mean"}, {"head": "mean"}),
    (Key.Key_M, {"head": 1}, {"head": "mean"}),
    (Key.Key_D, {"direction": "from"}, {"direction": "to"}),
    (Key.Key_D, {"direction": "to"}, {"direction": "from"}),
    (Key.Key_Escape, {"query": "mean"}, {"query": None}),
    (Key.Key_O, {"show_query": True}, {"show_query": False}),
]


def held(window, field):
    state = window.store.state
    return getattr(state, field) if hasattr(state, field) else getattr(state.style, field)


@pytest.mark.parametrize(("key", "before", "after"), STEPS)
@pytest.mark.parametrize("where", ["map_view.view", "patches.view", "atlas.view"])
def test_key_does_what_it_says_in_every_picture(qtbot, window, key, before, after, where):
    widget = window
    for name in where.split("."):
        widget = getattr(widget, name)
    window.activateWindow()
    widget.setFocus()
    window.store.update(**before)
    press(qtbot, widget, key)
    assert {field: held(window, field) for field in after} == after


@pytest.mark.parametrize("box", ["layer", "head", "colormap", "opacity"])
@pytest.mark.parametrize(
    ("key", "before", "after"),
    [
        (Key.Key_M, {"head": 1}, {"head": "mean"}),
        (Key.Key_D, {"direction": "from"}, {"direction": "to"}),
        (Key.Key_Escape, {"query": "mean"}, {"query": None}),
    ],
)
def test_keys_work_while_a_control_has_the_focus(qtbot, window, box, key, before, after):
    window.activateWindow()
    control = getattr(window.controls, box)
    control.setFocus()
    window.store.update(**before)
    press(qtbot, control, key)
    assert {field: held(window, field) for field in after} == after


def test_arrows_in_a_focused_control_are_the_controls_own_or_the_windows_and_happen_once(qtbot, window):
    window.activateWindow()
    window.store.update(layer=2, head=0)
    window.controls.layer.setFocus()
    press(qtbot, window.controls.layer, Key.Key_Up)
    assert window.store.state.layer == 1


def test_undo_by_key_takes_the_last_change_back(qtbot, focused):
    focused.store.update(layer=1)
    focused.store.update(head=1)
    for wanted in ((1, "mean"), (5, "mean")):
        press(qtbot, focused.map_view.view, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        assert (focused.store.state.layer, focused.store.state.head) == wanted
    press(qtbot, focused.map_view.view, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert "nothing to undo" in focused.status.currentMessage()


def test_space_plays_the_layers_around_and_stops(qtbot, focused):
    focused.store.update(layer=4)
    focused.browsing._timer.setInterval(5)
    seen = []
    focused.store.changed.connect(lambda old, new: seen.append(new.layer))
    press(qtbot, focused.map_view.view, Key.Key_Space)
    qtbot.waitUntil(lambda: len(seen) >= 4)
    press(qtbot, focused.map_view.view, Key.Key_Space)
    count = len(seen)
    assert seen[:4] == [5, 0, 1, 2]
    qtbot.wait(40)
    assert len(seen) == count


def test_f11_is_full_screen_and_back(qtbot, focused):
    press(qtbot, focused, Key.Key_F11)
    assert focused.isFullScreen()
    press(qtbot, focused, Key.Key_F11)
    assert not focused.isFullScreen()


def test_window_that_was_full_screen_comes_back_so_and_the_first_f11_ends_it(qtbot, window):
    window.set_full_screen(True)
    window.close()
    again = create()
    again.first_paint = 0.0
    qtbot.addWidget(again)
    again.show()
    again.activateWindow()
    QApplication.processEvents()
    assert again.isFullScreen() and again.menus.full_screen.isChecked()
    press(qtbot, again, Key.Key_F11)
    assert not again.isFullScreen() and not again.menus.full_screen.isChecked()


def test_full_screen_that_something_else_ends_is_no_longer_ticked(qtbot, focused):
    press(qtbot, focused, Key.Key_F11)
    focused.showNormal()  # as a window manager does
    assert not focused.menus.full_screen.isChecked()
    press(qtbot, focused, Key.Key_F11)
    assert focused.isFullScreen() and focused.menus.full_screen.isChecked()


def test_dialog_of_a_figure_stops_the_play_which_the_next_space_begins_again(qtbot, focused):
    press(qtbot, focused.map_view.view, Key.Key_Space)
    assert focused.menus.play.isChecked()
    press(qtbot, focused, Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    (dialog,) = focused.findChildren(ExportDialog)
    assert not focused.menus.play.isChecked() and not focused.browsing._timer.isActive()
    dialog.reject()
    focused.activateWindow()
    focused.map_view.view.setFocus()
    QApplication.processEvents()
    press(qtbot, focused.map_view.view, Key.Key_Space)
    assert focused.menus.play.isChecked() and focused.browsing._timer.isActive()
    press(qtbot, focused.map_view.view, Key.Key_Space)
    assert not focused.browsing._timer.isActive()


def test_grid_key_draws_the_patches_over_the_map(qtbot, focused):
    press(qtbot, focused.map_view.view, Key.Key_G)
    assert focused.map_view._grid.isVisible()
    press(qtbot, focused.map_view.view, Key.Key_G)
    assert not focused.map_view._grid.isVisible()


def test_fit_key_shows_the_whole_pictures_again(qtbot, focused):
    view = focused.map_view.view
    whole = view.box.viewRect()
    view.box.setRange(whole.adjusted(40, 30, -40, -30), padding=0)
    press(qtbot, view, Key.Key_F)
    assert view.box.viewRect().width() == pytest.approx(whole.width(), rel=0.01)


def test_palette_runs_a_command_by_name(qtbot, focused):
    press(qtbot, focused, Key.Key_P, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    (palette,) = focused.findChildren(CommandPalette)
    focused.store.update(layer=3)
    qtbot.keyClicks(palette.search, "first layer")
    qtbot.keyClick(palette.search, Key.Key_Return)
    QApplication.processEvents()
    assert focused.store.state.layer == 0 and not palette.isVisible()


def test_sheet_of_shortcuts_lists_every_key_and_gesture(qtbot, focused):
    press(qtbot, focused, Key.Key_F1)
    (sheet,) = focused.findChildren(ShortcutSheet)
    said = str(sheet.sections())
    for action in focused.actions():
        for key in action.shortcuts():
            assert key.toString() in said
    for gesture in ("Hover a picture", "Wheel, drag, double click", "Drop a picture"):
        assert gesture in said
    sheet.close()


def place(window, hover, x, y):
    hover(window.map_view.view, window.map_view.view.position_of(Place(x, y)).toPoint())
    QApplication.processEvents()


def click(qtbot, window, x, y):
    at = window.map_view.view.position_of(Place(x, y)).toPoint()
    qtbot.mouseClick(window.map_view.view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    QApplication.processEvents()


def test_hover_is_the_query_of_every_panel(window, hover):
    place(window, hover, 62, 42)
    shown = window.pane.map
    assert shown.query_cell is not None
    r, c = shown.query_cell
    assert f"patch ({r}, {c})" in window.map_view.title.text()
    assert f"({r}, {c})" in window.status.reading.text()
    assert window.patches._frame.isVisible() and window.map_view.under_mouse.item.isVisible()
    assert window.pane.maps.cells[0] == (r, c)


def test_click_pins_click_again_frees(qtbot, window, hover):
    click(qtbot, window, 62, 42)
    pinned = window.pane.map.query_cell
    place(window, hover, 100, 20)
    assert window.pane.map.query_cell == pinned
    click(qtbot, window, 100, 20)
    assert window.pane.map.query_cell != pinned
    click(qtbot, window, 101, 21)  # the same patch
    assert window.store.state.query is None


def test_what_is_pinned_and_what_is_under_the_mouse_have_other_frames(qtbot, window, hover):
    view = window.map_view
    place(window, hover, 62, 42)
    assert view.under_mouse.item.isVisible() and view.under_mouse.item.pen().style() == Qt.PenStyle.CustomDashLine
    assert view.pin.rect is None and "pinned" not in window.status.reading.text()
    click(qtbot, window, 62, 42)
    held = view.pin.rect
    assert held is not None and held.contains(62, 42)
    place(window, hover, 100, 20)
    assert view.pin.rect == held and view.under_mouse.item.rect().contains(100, 20)
    (r, c), (to, _) = window.pane.map.query_cell, window.pane.weight_at(Place(100, 20))
    assert f"from the pinned patch ({r}, {c}) to ({to[0]}, {to[1]}) under the mouse" in window.status.reading.text()
    assert window.patches._pin.rect.contains(62, 42)
    window.menus.outline.trigger()
    assert view.pin.rect is None
    window.menus.outline.trigger()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    QApplication.processEvents()
    assert view.pin.rect is None and window.patches._pin.rect is None


def test_pinned_query_shows_again_after_the_mouse_has_left(qtbot, window, hover):
    click(qtbot, window, 62, 42)
    hover(window.map_view.view, window.map_view.view.rect().topLeft())
    QApplication.processEvents()
    assert window.pane.map.query_cell is not None and not window.map_view.under_mouse.item.isVisible()


def test_mouse_that_leaves_gives_the_class_token_back(window, hover):
    place(window, hover, 62, 42)
    hover(window.map_view.view, window.map_view.view.rect().topLeft())
    QApplication.processEvents()
    assert window.pane.map.selection.query == "cls"


def test_click_where_the_model_did_not_see_pins_nothing(qtbot, window):
    click(qtbot, window, 3, 45)
    assert window.store.state.query is None


def test_zoom_of_one_picture_is_that_of_the_other(window):
    from PySide6.QtCore import QRectF

    window.map_view.view.box.setRange(QRectF(30, 20, 40, 30), padding=0)
    window.map_view.view._moved()
    seen = window.patches.view.box.viewRect()
    wanted = window.map_view.view.box.viewRect()
    assert seen.center().x() == pytest.approx(wanted.center().x(), abs=1)
    assert seen.center().y() == pytest.approx(wanted.center().y(), abs=1)


def test_layout_is_saved_and_comes_back(qtbot, window):
    window.docks["Patches"].close()
    window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, window.docks["Model"])
    window.close()
    again = create()
    again.first_paint = 0.0
    qtbot.addWidget(again)
    again.show()
    assert not again.docks["Patches"].isVisible()
    assert again.dockWidgetArea(again.docks["Model"]) == Qt.DockWidgetArea.BottomDockWidgetArea
    again.reset_layout()
    assert again.docks["Patches"].isVisible()
    assert again.dockWidgetArea(again.docks["Model"]) == Qt.DockWidgetArea.LeftDockWidgetArea


def test_style_is_remembered(qtbot, window):
    window.store.update(colormap="magma", opacity=0.35, interpolation="smooth")
    window.close()
    again = create()
    qtbot.addWidget(again)
    style = again.store.state.style
    assert (style.colormap, style.opacity, style.interpolation) == ("magma", 0.35, "smooth")
    assert again.controls.colormap.currentData() == "magma" and again.controls.opacity.value() == 35


@pytest.mark.parametrize(
    "content", ['{"colormap": "no-such", "interpolation": "no-such"}', "not json", '{"dock_state": "AAAA"}']
)
def test_damaged_settings_do_not_stop_the_window(qtbot, config_dir, content, opened):
    (config_dir / "settings.json").write_text(content)
    window = create()
    window.first_paint = 0.0
    qtbot.addWidget(window)
    window.show()
    window.opener.opened.emit(opened)
    QApplication.processEvents()
    assert window.map_view.view.image.image is not None
    assert window.docks["Patches"].isVisible()


def test_tiny_window_still_shows_the_map_and_takes_clicks(qtbot, window):
    window.resize(640, 480)
    QApplication.processEvents()
    assert window.map_view.view.width() > 50 and window.map_view.view.height() > 50
    window.map_view.view.fit()
    click(qtbot, window, 62, 42)
    assert window.pane.map.query_cell is not None
    for panel in (window.map_view, window.atlas, window.patches, window.model_panel):
        panel.grab()


def test_useful_from_1024_by_700(window):
    window.resize(1024, 700)
    QApplication.processEvents()
    assert (window.width(), window.height()) == (1024, 700)
    assert window.map_view.view.width() >= 250 and window.atlas.view.width() >= 100


def test_theme_switch_repaints_the_pictures(window):
    def corner():
        return window.map_view.view.grab().toImage().pixelColor(1, 1).lightness()

    window.set_theme("light")
    QApplication.processEvents()
    light = corner(), window.atlas.view.image.lut[0].tolist(), window.palette().window().color().lightness()
    window.set_theme("dark")
    QApplication.processEvents()
    dark = corner(), window.atlas.view.image.lut[0].tolist(), window.palette().window().color().lightness()
    assert light[0] > 200 > 60 > dark[0]
    assert light[1] == [255, 255, 255] and max(dark[1]) < 60
    assert light[2] > dark[2] + 80
    assert window.settings.value.theme == "dark"
    window.set_theme("system")


def test_title_says_picture_and_model(window):
    assert window.windowTitle() == "test picture · test_vit · vitviz"


@pytest.mark.parametrize("busy", ["checks", "never checks"])
def test_close_while_a_job_runs_ends_quickly_and_leaves_no_thread(qtbot, window, busy):
    running = threading.Event()

    def work(progress):
        running.set()
        end = time.monotonic() + (20 if busy == "checks" else 0.5)
        while time.monotonic() < end:
            if busy == "checks":
                progress.check()
            time.sleep(0.002)

    window.worker.submit("open", work)
    assert running.wait(5)
    start = time.monotonic()
    window.close()
    assert time.monotonic() - start < (0.3 if busy == "checks" else 1.5)
    assert not window.isVisible()
    assert THREAD_NAME not in {thread.name for thread in threading.enumerate()}


def test_panels_grow_with_the_window_unless_the_user_sized_them(qtbot, window):
    def resized(width, height):
        window.resize(width, height)
        qtbot.wait(50)
        return window.docks["Patches"].width(), window.docks["Heads"].width()

    first = resized(1440, 900)
    small = resized(900, 700)
    assert small[0] < first[0] and small[1] < first[1]
    again = resized(1440, 900)
    assert all(abs(a - b) <= 20 for a, b in zip(first, again, strict=True))
    # The border between panel and map is dragged: that is where it stays.
    border = QPoint(window.docks["Patches"].geometry().right() + 2, window.height() // 2)
    qtbot.mousePress(window, Qt.MouseButton.LeftButton, pos=border)
    held = Qt.MouseButton.LeftButton
    for step in (10, 40):
        at = QPointF(border + QPoint(step, 0))
        keys = Qt.KeyboardModifier.NoModifier
        move = QMouseEvent(QEvent.Type.MouseMove, at, window.mapToGlobal(at), Qt.MouseButton.NoButton, held, keys)
        QApplication.sendEvent(window, move)
    qtbot.mouseRelease(window, Qt.MouseButton.LeftButton, pos=border + QPoint(40, 0))
    assert window.docks.sized
    mine = window.docks["Patches"].width()
    assert resized(1600, 900)[0] == mine
    # Room that was missing for a while is given back; what was kept of the widths is the user's own.
    assert resized(640, 480)[0] < mine
    assert window.panes.width() >= 200
    assert abs(resized(1600, 900)[0] - mine) <= 1
    window.reset_layout()
    assert not window.docks.sized


def test_panels_that_nobody_sized_grow_again_after_a_start_in_a_small_window(qtbot, bare_window):
    def resized(width, height):
        bare_window.resize(width, height)
        qtbot.wait(50)
        return [bare_window.docks[title].width() for title in ("Patches", "Heads")]

    first = resized(1280, 860)
    resized(640, 480)
    bare_window.docks.restore(bare_window.docks.save())
    assert not bare_window.docks.sized
    assert all(abs(a - b) <= 20 for a, b in zip(first, resized(1280, 860), strict=True))


def test_floating_panels_go_with_the_window_and_come_back(qtbot, window):
    dock = window.docks["Heads"]
    dock.setFloating(True)
    seen = []
    window.worker.close, close = (
        (lambda timeout: seen.append(dock.isVisible()) or close(timeout=timeout)),
        window.worker.close,
    )
    assert dock.isVisible()
    window.close()
    assert seen == [False] and not window.isVisible()
    state = window.settings.value.dock_state
    window.docks.restore(state)
    assert dock.isFloating() and not dock.isHidden()


def test_close_while_playing_stops_the_clock(qtbot, focused):
    press(qtbot, focused.map_view.view, Key.Key_Space)
    focused.close()
    assert not focused.browsing._timer.isActive()


def test_nothing_happens_to_a_window_without_a_model(qtbot, bare_window, hover):
    bare_window.activateWindow()
    for key, *_ in STEPS:
        press(qtbot, bare_window.map_view.view, key)
    hover(bare_window.map_view.view, bare_window.map_view.view.rect().center())
    press(qtbot, bare_window, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert bare_window.pane.map is None


def test_every_command_can_be_triggered_without_an_unexpected_error(qtbot, window, monkeypatch):
    monkeypatch.setattr(window.opener, "open", lambda **fields: None)
    for each in commands(window):
        if each.name in ("Quit", "Paste picture"):
            continue
        each.action.trigger()
        QApplication.processEvents()
        for dialog in window.findChildren(QDialog):
            dialog.close()
    window.set_full_screen(False)


def test_about_gives_the_version(window):
    from PySide6.QtWidgets import QMessageBox

    import vitviz

    next(each for each in commands(window) if each.name == "About vitviz").action.trigger()
    (box,) = window.findChildren(QMessageBox)
    assert vitviz.__version__ in box.text() and box.textFormat() == Qt.TextFormat.PlainText
    box.close()


def test_tool_bars_have_names_so_that_their_places_are_kept(window):
    bars = window.findChildren(QToolBar)
    assert len({bar.objectName() for bar in bars}) == len(bars) and all(bar.objectName() for bar in bars)
    assert len({dock.objectName() for dock in window.docks}) == len(window.docks)


def test_pixels_do_not_depend_on_the_way_there(window):
    window.store.update(layer=2, head=1, query=Place(62.0, 42.0))
    QApplication.processEvents()
    wanted = window.map_view.view.image.image.copy()
    for fields in ({"layer": 0}, {"query": "mean"}, {"head": "max"}, {"opacity": 0.2}):
        window.store.update(**fields)
        QApplication.processEvents()
    window.store.update(layer=2, head=1, query=Place(62.0, 42.0), opacity=0.6)
    QApplication.processEvents()
    assert np.array_equal(window.map_view.view.image.image, wanted)


@pytest.mark.parametrize("panes", [1, 4])
def test_a_small_window_stays_small_whatever_is_opened_in_it(qtbot, window, panes):
    for _ in range(panes - 1):
        window.panes.add()
    window.resize(640, 480)
    for dock in list(window.docks):
        window.docks.show(dock.windowTitle())
        QApplication.processEvents()
    assert (window.width(), window.height()) == (640, 480)
    for dock in window.docks:
        room = dock.widget()
        panel = room.widget()

        def fits(room=room, panel=panel):
            assert room.viewport().width() + room.horizontalScrollBar().maximum() == panel.width(), panel

        qtbot.waitUntil(fits, timeout=10_000)  # what a job has found may just have changed what a panel needs
        assert panel.width() >= panel.minimumSizeHint().width(), dock.windowTitle()


def test_tab_goes_through_the_window_and_comes_back(window):
    start = window.map_view.view
    window.activateWindow()
    start.setFocus()
    names = []
    for _ in range(120):
        focused = QApplication.focusWidget()
        names.append(
            focused.accessibleName() or focused.text() if hasattr(focused, "text") else focused.accessibleName()
        )
        QTest.keyClick(focused, Qt.Key.Key_Tab)
        if QApplication.focusWidget() is start:
            break
    assert QApplication.focusWidget() is start, names
    assert {"Report about the model", "Colormap", "Opacity of the map", "Layer", "Method"} <= set(names)
    assert {window.atlas.view.accessibleName(), window.patches.view.accessibleName()} <= set(names)
