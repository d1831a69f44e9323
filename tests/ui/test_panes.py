"""Several panes: they come, go and take turns, and one picture is looked at in all of them."""

from dataclasses import replace

import pytest
import shiboken6
from pane_cases import CENTRE, click_at, columns, settled
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QToolBar, QToolButton

from vitviz.attention.values import Place
from vitviz.models.wish import ModelWish
from vitviz.ui.panes import MOST
from vitviz.ui.samples import pictures


def test_window_begins_with_one_pane_without_a_title(window):
    assert len(window.panes) == 1
    assert not window.panes.columns[0].title.isVisible()
    assert not window.comparing.close_pane.isEnabled() and not window.comparing.next.isEnabled()


def test_compare_button_adds_a_twin_that_is_current(qtbot, window, opened):
    bar = next(b for b in window.findChildren(QToolBar) if b.objectName() == "files")
    button = next(b for b in bar.findChildren(QToolButton) if b.text() == "Compare")
    window.store.update(layer=2, head=1)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(8, button.height() // 2))
    first, second = columns(window)
    assert window.panes.current_column is second and second.pane.opened is opened
    assert (second.store.state.layer, second.store.state.head) == (2, 1)
    assert first.title.isVisible() and second.title.isVisible()
    assert (first.title.current, second.title.current) == (False, True)
    assert second.opener.wish.model == opened.wish.model


def test_no_more_than_four(window):
    for _ in range(MOST - 1):
        assert window.comparing.add.isEnabled()
        window.comparing.add.trigger()
    assert len(columns(window)) == MOST and not window.comparing.add.isEnabled()
    assert len({column.number for column in window.panes}) == MOST
    window.comparing.close_pane.trigger()
    assert len(columns(window)) == MOST - 1 and window.comparing.add.isEnabled()


def test_close_button_closes_its_own_pane_and_the_docks_follow_the_other(qtbot, two, opened, ragged):
    first, second = columns(two)
    assert two.pane.opened is ragged
    qtbot.mouseClick(second.title.close_button, Qt.MouseButton.LeftButton)
    assert columns(two) == [first] and two.pane.opened is opened and not first.title.isVisible()
    assert two.controls.layer.maximum() == 5
    qtbot.mouseClick(first.title.close_button, Qt.MouseButton.LeftButton)
    assert columns(two) == [first]


def test_closed_pane_comes_back_by_key_where_it_stood_with_its_model_and_state(qtbot, bare_window):
    for model in (ModelWish("demo", device="cpu"), ModelWish("demo-swin", device="cpu")):
        with qtbot.waitSignal(bare_window.opened, timeout=60_000):
            if len(bare_window.panes) > 1 or bare_window.pane.opened is not None:
                bare_window.panes.add(model)
            else:
                bare_window.panes.open(picture=pictures()[0], model=model)
    bare_window.linking.update(layer="own", colours=False)
    first, second = columns(bare_window)
    bare_window.panes.set_current(first)
    bare_window.store.update(layer=3, colormap="magma", query="mean")
    settled(qtbot, bare_window)
    state, reopen = replace(first.store.state, hover=None), bare_window.closed_panes.reopen
    assert not reopen.isEnabled()
    bare_window.activateWindow()
    qtbot.keyClick(bare_window, Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier)
    assert columns(bare_window) == [second] and reopen.isEnabled()
    assert bare_window.status.currentMessage() == "demo · patch 16 · 128 px closed; Ctrl+Shift+T brings it back"
    bare_window.store.update(layer=0, head="max", colormap="inferno")
    kept = replace(second.store.state, hover=None)
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    with qtbot.waitSignal(bare_window.opened, timeout=60_000):
        qtbot.keyClick(bare_window, Qt.Key.Key_T, keys)
    back, other = columns(bare_window)
    assert other is second and bare_window.panes.current_column is back
    assert back.pane.opened.wish.model == ModelWish("demo", device="cpu")
    # Heads are linked: it has the one that was chosen meanwhile. What is its own is as it was.
    assert replace(back.store.state, hover=None) == replace(state, head="max")
    assert replace(second.store.state, hover=None) == kept and not reopen.isEnabled()
    assert back.pane.map.selection.layer == 3


def test_panes_come_back_one_after_the_other_while_there_is_room(two, opened, ragged):
    two.panes.set_current(columns(two)[0])
    two.comparing.close_pane.trigger()
    for _ in range(MOST - 1):
        two.comparing.add.trigger()
    assert not two.closed_panes.reopen.isEnabled()
    two.comparing.close_pane.trigger()
    two.comparing.close_pane.trigger()
    for count in (MOST - 1, MOST):
        two.closed_panes.reopen.trigger()
        assert len(columns(two)) == count and two.pane.opened is ragged
    assert not two.closed_panes.reopen.isEnabled()


def test_middle_pane_can_be_closed_while_another_is_current(qtbot, two):
    two.comparing.add.trigger()
    first, second, third = columns(two)
    qtbot.mouseClick(second.title.close_button, Qt.MouseButton.LeftButton)
    assert columns(two) == [first, third] and two.panes.current_column is third


def test_click_into_another_pane_chooses_it_and_pins_nothing(qtbot, two, opened, ragged):
    first, second = columns(two)
    click_at(qtbot, first, CENTRE)
    assert two.panes.current_column is first and two.pane.opened is opened
    assert first.store.state.query is None and second.store.state.query is None
    assert two.controls.layer.maximum() == 5 and opened.model.name in two.windowTitle()
    click_at(qtbot, first, CENTRE)
    assert isinstance(first.store.state.query, Place)
    qtbot.mouseClick(second.title, Qt.MouseButton.LeftButton)
    assert two.panes.current_column is second and two.controls.layer.maximum() == 3


def test_next_pane_by_key(qtbot, two):
    first, second = columns(two)
    two.activateWindow()
    qtbot.keyClick(two, Qt.Key.Key_F6)
    assert two.panes.current_column is first
    qtbot.keyClick(two, Qt.Key.Key_F6)
    assert two.panes.current_column is second


def test_hover_asks_every_pane_for_its_own_patch_and_draws_a_crosshair_in_the_others(two, hover):
    first, second = columns(two)
    hover(first.map_view.view, first.map_view.view.position_of(CENTRE))
    for column in (first, second):
        shown = column.pane.map
        assert shown.query_cell == shown.grid.cell_at(*shown.view.to_view(CENTRE.x, CENTRE.y))
        assert column.title.reading.text().startswith(f"({shown.query_cell[0]}, {shown.query_cell[1]})")
    assert first.pane.map.grid != second.pane.map.grid
    assert not first.map_view._cross.isVisible() and second.map_view._cross.isVisible()
    hover(first.map_view.view, QPointF(-5, -5))
    assert first.store.state.hover is None and second.store.state.hover is None
    assert not second.map_view._cross.isVisible() and second.title.reading.text() == ""


def test_place_that_one_model_did_not_see_is_no_query_there(two, hover):
    first, second = columns(two)
    place = Place(2.0, 45.0)  # cut off by the first one's crop, seen by the squashed view of the second
    hover(second.map_view.view, second.map_view.view.position_of(place))
    assert second.pane.map.query_cell is not None and first.pane.map.query_cell is None
    assert first.title.reading.text() == ""


def test_picture_is_for_all_panes_and_a_model_for_the_current_one(two, monkeypatch):
    asked = []
    for i, column in enumerate(two.panes):
        monkeypatch.setattr(column.opener, "open", lambda i=i, **fields: asked.append((i, sorted(fields))))
    two.panes.open(model=ModelWish("demo"))
    assert asked == [(1, ["model"])]
    asked.clear()
    two.sources.open_picture(two.pane.opened.image)
    assert asked == [(0, ["picture"]), (1, ["picture"])]


CORNER = QPoint(50, 50)


def middle_of(window, column):
    return column.mapTo(window, column.rect().center())


def drag(window, paths, modifiers, at):
    """What is held over a point of the window, which the caller keeps as long as the drag lasts."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    how = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, modifiers)
    QApplication.sendEvent(window, QDragEnterEvent(at, *how))
    return how


def drop(window, paths, modifiers, at=CORNER):
    how = drag(window, paths, modifiers, at)
    QApplication.sendEvent(window, QDropEvent(QPointF(at), *how))


def test_checkpoint_dropped_with_shift_comes_into_a_pane_of_its_own(window, tmp_path, monkeypatch):
    from vitviz.ui.opening import Opener

    asked = []
    monkeypatch.setattr(Opener, "open", lambda self, **fields: asked.append(fields.get("model")))
    path = tmp_path / "weights.safetensors"
    path.touch()
    drop(window, [path], Qt.KeyboardModifier.ShiftModifier)
    assert len(columns(window)) == 2 and [wish.source for wish in asked] == [str(path)]
    drop(window, [path], Qt.KeyboardModifier.NoModifier)
    assert len(columns(window)) == 2 and asked[-1].source == str(path)


def test_checkpoint_is_opened_in_the_pane_that_it_is_dropped_on(two, tmp_path, monkeypatch):
    two.comparing.add.trigger()
    asked = []
    for i, column in enumerate(columns(two)):
        monkeypatch.setattr(column.opener, "open", lambda i=i, **fields: asked.append((i, sorted(fields))))
    path = tmp_path / "weights.safetensors"
    path.touch()
    drop(two, [path], Qt.KeyboardModifier.NoModifier, middle_of(two, two.panes.columns[1]))
    assert asked == [(1, ["model"])] and two.panes.current_column is two.panes.columns[1]
    drop(two, [path], Qt.KeyboardModifier.NoModifier, QPoint(2, 2))
    assert asked[1:] == [(1, ["model"])], "beside all panes it is for the current one"
    opened, figure = [], tmp_path / "figure.json"
    figure.touch()
    monkeypatch.setattr(two.restorer, "open", opened.append)
    drop(two, [figure], Qt.KeyboardModifier.NoModifier, middle_of(two, two.panes.columns[0]))
    assert opened == [figure] and two.panes.current_column is two.panes.columns[0], "so is the view of a figure"


def test_pane_under_a_dragged_checkpoint_is_framed_until_it_is_dropped_or_gone(two, tmp_path):
    path, frame = tmp_path / "weights.safetensors", two.dropping.frame
    path.touch()
    none, shift = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
    held = drag(two, [path], none, middle_of(two, columns(two)[0]))
    for column in two.panes:
        QApplication.sendEvent(two, QDragMoveEvent(middle_of(two, column), *held))
        assert frame.isVisible() and frame.size() == column.size()
        assert frame.mapTo(two, QPoint()) == column.mapTo(two, QPoint())
    QApplication.sendEvent(two, QDragMoveEvent(middle_of(two, column), *held[:3], shift))
    assert not frame.isVisible(), "it will have a pane of its own"
    QApplication.sendEvent(two, QDragMoveEvent(middle_of(two, column), *held))
    assert frame.isVisible()
    QApplication.sendEvent(two, QDragLeaveEvent())
    assert not frame.isVisible()
    for other in ("cat.png", "notes.vitviz.json"):
        (tmp_path / other).touch()
        drag(two, [tmp_path / other], none, middle_of(two, column))
        assert not frame.isVisible()
        QApplication.sendEvent(two, QDragLeaveEvent())


def test_models_named_at_the_start_stand_side_by_side(window, monkeypatch):
    from vitviz.ui.opening import Opener

    asked = []
    monkeypatch.setattr(Opener, "open", lambda self, **fields: asked.append(fields["model"].source))
    window.comparing.begin([ModelWish("demo-swin"), ModelWish("other")])
    assert len(columns(window)) == 3 and asked == ["demo-swin", "other"]
    assert window.panes.current_column is window.panes.columns[0]


def test_patch_sizes_fill_the_panes(qtbot, bare_window):
    window = bare_window
    window.sources.open_source("demo")
    qtbot.waitUntil(lambda: window.pane.opened is not None and not window.worker.is_busy(), timeout=30000)
    window.comparing.patch_sizes.trigger()
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=30000)
    grids = [column.pane.opened.trace.layers[0].grid.shape for column in columns(window)]
    assert grids == [(16, 16), (8, 8), (4, 4)]
    texts = [column.title.name.toolTip() for column in window.panes]
    assert all(f"patch {p} " in text and "≈" not in text for p, text in zip((8, 16, 32), texts, strict=True))


def test_every_action_works_after_the_first_pane_is_gone(qtbot, two, monkeypatch):
    from PySide6.QtCore import QCoreApplication, QEvent
    from PySide6.QtGui import QAction, QDesktopServices
    from PySide6.QtWidgets import QDialog, QGraphicsScene, QMenu

    from vitviz.ui.opening import Opener

    monkeypatch.setattr(Opener, "open", lambda self, **fields: None)  # samples and sizes: nothing is to be loaded
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: True)
    two.comparing.add.trigger()
    two.panes.set_current(two.panes.columns[0])
    gone = two.panes.columns[0].store
    two.comparing.close_pane.trigger()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert len(two.panes) == 2 and not shiboken6.isValid(gone)
    spared = {"Quit", "Close this pane", "Full screen"}
    every = [a for a in two.findChildren(QAction) if a.text().replace("&", "") not in spared and a.menu() is None]
    every = [a for a in every if not isinstance(a.parent(), QGraphicsScene)]  # pyqtgraph's own, in no menu
    assert len(every) > 80
    # An exception in a slot fails the test (pytest-qt).
    for made in every:
        if shiboken6.isValid(made) and made.isEnabled():
            made.trigger()
            QApplication.processEvents()
            for box in two.findChildren(QDialog):
                box.close()
            for menu in two.findChildren(QMenu):
                menu.close()
    two.browsing.play(False)
    two.worker.cancel()
    qtbot.waitUntil(lambda: not two.worker.is_busy(), timeout=30000)


def test_methods_by_key_are_those_of_the_pane_that_is_left(qtbot, two):
    first, second = columns(two)
    two.panes.set_current(first)
    two.comparing.close_pane.trigger()
    two.activateWindow()
    qtbot.keyClick(two, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert second.store.state.method == "rollout"
    qtbot.keyClick(two, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert second.store.state.method == "attention"


def test_header_has_the_value_of_the_map_after_one_move_to_another_patch(two, hover):
    from vitviz.ui.words import weight_text

    first, second = columns(two)
    for place in (CENTRE, Place(40.0, 60.0), Place(80.0, 30.0)):
        hover(first.map_view.view, first.map_view.view.position_of(place))
        for column in (first, second):
            cell, weight = column.pane.weight_at(place)
            assert column.pane.map.query_cell == cell
            assert column.title.reading.text() == f"({cell[0]}, {cell[1]}) {weight_text(weight)}"


def test_pictures_of_all_panes_begin_at_one_height_until_the_pane_with_more_words_is_closed(qtbot, two):
    two.resize(1440, 900)
    two.comparing.add.trigger()
    first, second, third = columns(two)

    def tops():
        return {column.map_view.view.mapTo(two, QPoint()).y() for column in two.panes}

    def apart():
        return {column.map_view.words_height() for column in two.panes}

    two.panes.set_current(first)
    qtbot.waitUntil(lambda: len(tops()) == 1)
    assert len(apart()) > 1 and second.map_view.window_note.isVisible() and not first.map_view.window_note.isVisible()
    (low,) = tops()
    for column in (second, third):
        two.panes.close_column(column)
    two.comparing.add.trigger()
    qtbot.waitUntil(lambda: len(tops()) == 1 and max(tops()) < low)
    assert len(apart()) == 1 and min(apart()) > 0


def test_panes_that_are_left_show_the_picture_as_large_as_it_fits(two):
    two.comparing.add.trigger()
    QApplication.processEvents()
    while len(two.panes) > 1:
        two.panes.close_column(two.panes.columns[-1])
    QApplication.processEvents()
    view = columns(two)[0].map_view.view
    left = view.box.viewRect()
    view.fit()
    assert left == view.box.viewRect()


def test_zoom_stays_when_another_pane_is_closed(two):
    first, second = columns(two)
    view = first.map_view.view
    view.box.setRange(view.extent.adjusted(30, 20, -30, -20), padding=0)
    before = view.box.viewRect().center()
    two.panes.close_column(second)
    QApplication.processEvents()
    assert not view.shows_all() and view.box.viewRect().center() == before


def test_four_panes_fit_into_a_small_window_with_their_names_told_apart(qtbot, two):
    two.comparing.add.trigger()
    two.comparing.add.trigger()
    two.resize(820, 640)
    QApplication.processEvents()
    assert (two.width(), len(two.panes)) == (820, MOST)
    right = [c.mapTo(two.panes, QPoint(c.width(), 0)).x() for c in two.panes]
    assert right == sorted(right) and right[-1] <= two.panes.width()
    for column in two.panes:
        bar, view = column.map_view.bar, column.map_view.view
        assert bar.lying and bar.y() >= view.y() + view.height() and view.width() >= 100
    first = two.panes.columns[0].title.name
    assert first.text().endswith("/16@160")
    two.panes.columns[0].read(CENTRE)
    QApplication.processEvents()
    assert first.text().endswith("160") and first.fontMetrics().horizontalAdvance(first.text()) <= first.width()
    assert "patch 16 · 160 px" in first.toolTip()


def test_docks_get_their_room_back_with_the_last_pane(two):
    left = two.docks["Patches"].width()
    while len(two.panes) > 1:
        two.comparing.close_pane.trigger()
    QApplication.processEvents()
    assert two.docks["Patches"].width() > left
    assert not two.panes.columns[0].map_view.bar.lying


def test_lying_colour_bar_says_what_its_ends_are_shared_over(two):
    two.comparing.add.trigger()
    two.resize(1000, 700)
    QApplication.processEvents()
    for column in two.panes:
        bar, metrics = column.map_view.bar, column.map_view.bar.fontMetrics()
        assert bar.lying and bar.lines() == ("attention weight", "scale of this map")
        assert all(metrics.horizontalAdvance(line) < bar.width() for line in bar.lines())
        assert bar.height() >= bar.sizeHint().height() > 16 + 3 * metrics.height()


def double_click(qtbot, column, place):
    view, left = column.map_view.view, Qt.MouseButton.LeftButton
    for press in (qtbot.mouseClick, qtbot.mouseDClick):  # as a mouse does
        press(view.viewport(), left, pos=view.position_of(place).toPoint())
        QApplication.processEvents()


@pytest.mark.parametrize("pinned", [None, "cls", Place(40.0, 20.0)])
def test_double_click_fits_and_leaves_what_was_pinned(qtbot, two, pinned):
    first, second = columns(two)
    own = None if pinned == "cls" else pinned  # the Swin has no such token
    second.store.update(query=own)
    first.store.update(query=pinned)
    double_click(qtbot, second, CENTRE)
    assert (first.store.state.query, second.store.state.query) == (pinned, own)
    double_click(qtbot, first, CENTRE)
    assert two.panes.current_column is first and first.store.state.query == pinned, "its first half chose the pane"
    double_click(qtbot, first, CENTRE)
    assert first.store.state.query == pinned
    click_at(qtbot, first, CENTRE)
    query = first.store.state.query
    assert isinstance(query, Place) and (query.x, query.y) == pytest.approx((62, 42), abs=1)
