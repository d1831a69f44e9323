"""A comparison from the command to the file, by mouse: panes, cursor, zoom, links, sizes, costs, differences, file."""

import json
import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is imported

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QFileDialog, QLineEdit, QToolButton

from vitviz import cli, resources
from vitviz.attention.comparison import difference
from vitviz.attention.values import Place
from vitviz.ui.corrections import CorrectionDialog

PICTURE = resources.path("demo/pictures/star_and_ring.png")
LOADING = 60_000
LEFT = Qt.MouseButton.LeftButton


def click_menu(qtbot, window, *titles):
    """Click through the menu bar: a menu, its submenus, a command."""
    menu = window.menuBar()
    for title in titles:
        found = next(each for each in menu.actions() if each.text().replace("&", "") == title)
        assert found.isEnabled(), title
        qtbot.mouseClick(menu, LEFT, pos=menu.actionGeometry(found).center())
        if found.menu() is not None:
            menu = found.menu()
            qtbot.waitUntil(menu.isVisible)
    qtbot.waitUntil(lambda: QApplication.activePopupWidget() is None)


def wheel(view, place, up):
    at = QPointF(view.position_of(place).toPoint())
    target, none = view.viewport(), Qt.KeyboardModifier.NoModifier
    event = QWheelEvent(
        at, target.mapToGlobal(at), QPoint(0, 0), QPoint(0, 120 if up else -120), Qt.MouseButton.NoButton, none,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(target, event)
    QApplication.processEvents()


def settle(qtbot, window):
    qtbot.waitUntil(lambda: not window.worker.is_busy() and all(c.pane.map for c in window.panes), timeout=LOADING)


def middle(column):
    centre = column.map_view.view.box.viewRect().center()
    return centre.x(), centre.y()


def show_tab(qtbot, tabs, title):
    at = next(i for i in range(tabs.count()) if tabs.tabText(i) == title)
    qtbot.mouseClick(tabs.tabBar(), LEFT, pos=tabs.tabBar().tabRect(at).center())
    assert tabs.tabText(tabs.currentIndex()) == title


def in_every_pane_its_own_patch(window, place):
    for column in window.panes:
        shown = column.pane.map
        assert shown.query_cell == shown.grid.cell_at(*shown.view.to_view(place.x, place.y))


def give_another_patch_size(qtbot, window, patch):
    click_menu(qtbot, window, "Model", "Sizes, heads and assumptions…")
    dialog = window.findChild(CorrectionDialog)
    box = dialog.patch_box
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, str(patch))
    qtbot.mouseClick(dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok), LEFT)


def write_to(qtbot, window, path):
    window.settings.update(export_folder=str(path.parent))  # where the last one went
    click_menu(qtbot, window, "Compare", "Export comparison…")
    dialog = window.findChild(QFileDialog)
    line = dialog.findChild(QLineEdit, "fileNameEdit")
    line.clear()
    qtbot.keyClicks(line, path.name)
    with qtbot.waitSignal(window.comparing.exported, timeout=LOADING):
        qtbot.mouseClick(dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Save), LEFT)


def test_three_panes_by_mouse_from_the_command_to_the_figure_and_its_recipe(qtbot, run, hover, tmp_path):
    out = tmp_path / "comparison.png"

    def job(window):
        qtbot.waitUntil(lambda: len(window.panes) == 2, timeout=LOADING)
        settle(qtbot, window)
        assert [column.pane.opened.model.source for column in window.panes] == ["demo", "demo-swin"]
        first, swin = window.panes.columns
        # A third pane, a twin of the first, at another patch size.
        qtbot.mouseClick(first.title, LEFT)
        button = next(b for b in window.findChildren(QToolButton) if b.text() == "Compare")
        qtbot.mouseClick(button, LEFT, pos=QPoint(8, button.height() // 2))
        settle(qtbot, window)
        third = window.panes.columns[2]
        assert window.panes.current_column is third and third.pane.opened is first.pane.opened
        give_another_patch_size(qtbot, window, 8)
        qtbot.waitUntil(lambda: third.pane.opened.model.patch_size == (8, 8), timeout=LOADING)
        settle(qtbot, window)
        assert first.pane.opened.model.patch_size == (16, 16)
        # One cursor.
        place = Place(150.3, 170.2)
        hover(first.map_view.view, place)
        in_every_pane_its_own_patch(window, place)
        assert first.pane.map.grid != third.pane.map.grid
        # One zoom, until its link is broken.
        whole = first.map_view.view.box.viewRect()
        wheel(first.map_view.view, place, up=True)
        assert first.map_view.view.box.viewRect().width() < whole.width()
        for column in (swin, third):
            assert middle(column) == pytest.approx(middle(first), abs=1.0)
        click_menu(qtbot, window, "Compare", "Link zoom and pan")
        before = middle(swin), middle(third)
        wheel(first.map_view.view, Place(120.0, 130.0), up=True)
        assert (middle(swin), middle(third)) == before
        click_menu(qtbot, window, "Compare", "Link zoom and pan")
        assert middle(swin) == pytest.approx(middle(window.panes.current_column), abs=1.0)
        # What they cost.
        qtbot.waitUntil(lambda: all(window.costing.costs()), timeout=LOADING)
        table = window.compare_tabs.table
        rows = {table.verticalHeaderItem(i).text(): i for i in range(table.rowCount())}
        tokens = [table.item(rows["Tokens"], i).text().split(" ")[0] for i in range(3)]
        assert tokens == ["65", f"{swin.pane.opened.trace.layers[0].grid.size:,}", "257"]
        # What differs.
        show_tab(qtbot, window.compare_tabs, "Differences")
        differences = window.compare_tabs.differences
        qtbot.waitUntil(lambda: differences.difference is not None and not window.worker.is_busy(), timeout=LOADING)
        wanted = difference(first.pane.map, swin.pane.map)
        assert np.array_equal(differences.difference.values, wanted.values, equal_nan=True)
        # The figure is of what is shown.
        write_to(qtbot, window, out)
        told = json.loads(out.with_name("comparison.png.json").read_text())
        assert [m["limits"] for m in told["models"]] == [list(column.pane.limits()) for column in window.panes]
        settle(qtbot, window)  # a pass that is being timed can't be interrupted, and must not outlive the window

    assert run([str(PICTURE), "--model", "demo", "--model", "demo-swin"], job) == 0
    # And the command line makes the same bytes from its recipe.
    recipe = str(out.with_name("comparison.png.json"))
    assert cli.main(["export", "--recipe", recipe, "--out", str(tmp_path / "again")]) == 0
    (again,) = (tmp_path / "again").glob("*.png")
    assert again.read_bytes() == out.read_bytes()
