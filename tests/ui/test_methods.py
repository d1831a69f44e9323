"""Methods in the window: chosen by box, menu and key, computed in the worker where slow, shown with their own words."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMessageBox

from vitviz.attention.methods import METHODS
from vitviz.attention.values import Place
from vitviz.errors import AttentionError
from vitviz.ui.store import Reality, State, Store, resolve

GRADIENTS = [name for name, about in METHODS.items() if about.of_class]


def shown(window):
    return window.pane.map.selection


def settle(qtbot, window, method):
    qtbot.waitUntil(lambda: shown(window).method == method, timeout=20000)
    QApplication.processEvents()


def pick(qtbot, box, index):
    box.showPopup()
    qtbot.keyClick(box.view(), Qt.Key.Key_Home)
    for _ in range(index):
        qtbot.keyClick(box.view(), Qt.Key.Key_Down)
    qtbot.keyClick(box.view(), Qt.Key.Key_Return)


@pytest.mark.parametrize("number", range(1, len(METHODS) + 1))
def test_method_of_a_key_is_shown_and_the_box_follows(qtbot, window, number):
    name = list(METHODS)[number - 1]
    window.store.update(method="rollout" if name == "attention" else "attention")
    qtbot.keyClick(window, Qt.Key.Key_0 + number, Qt.KeyboardModifier.ControlModifier)
    settle(qtbot, window, name)
    assert window.method_controls.method.currentData() == name
    assert METHODS[name].unit in window.map_view.bar.text()
    assert name == "attention" or window.map_view.title.text().startswith(METHODS[name].title)
    if name == "token grad-cam":  # of features: no token looks
        last = window.pane.opened.trace.layers[-1].name
        assert "from" not in window.map_view.title.text()
        assert window.map_view.note.text().startswith(f"features given to {last}")


def test_method_chosen_in_the_box_reaches_the_store_and_the_map(qtbot, window):
    box = window.method_controls.method
    assert [box.itemData(i) for i in range(box.count())] == list(METHODS)
    pick(qtbot, box, 1)
    settle(qtbot, window, "rollout")
    pick(qtbot, box, 0)
    settle(qtbot, window, "attention")


def test_rollout_in_the_window_is_what_the_api_gives(qtbot, window, opened):
    import vitviz

    window.store.update(method="rollout", query="cls", fusion="max", discard=0.5)
    settle(qtbot, window, "rollout")
    expected = vitviz.rollout(opened.trace, query="cls", fusion="max", discard=0.5)
    assert (window.pane.map.values == expected.values).all()
    assert shown(window) == expected.selection


def test_rollout_follows_the_hovered_query(qtbot, window, opened, hover):
    window.store.update(method="rollout")
    settle(qtbot, window, "rollout")
    place = Place(*opened.trace.view.to_picture(*opened.trace.layers[0].grid.centre(3, 7)))
    hover(window.map_view.view, window.map_view.view.position_of(place))
    qtbot.waitUntil(lambda: window.pane.map.query_cell == (3, 7), timeout=30000)
    assert shown(window).method == "rollout"


@pytest.mark.parametrize("method", GRADIENTS)
def test_gradient_methods_explain_the_chosen_class(qtbot, window, opened, method):
    import vitviz

    window.store.update(method=method, target=7)
    settle(qtbot, window, method)
    expected = vitviz.relevance(opened.model, opened.image, 7, method)
    assert (window.pane.map.values == expected.values).all()
    assert shown(window).target == 7
    assert opened.trace.label(7) in window.map_view.title.text()
    assert opened.trace.label(7) in window.status.reading.text()


def test_target_is_there_only_for_methods_that_explain_a_class(qtbot, window):
    target = window.method_controls.target
    for name, about in METHODS.items():
        window.store.update(method=name)
        QApplication.processEvents()
        assert target.isVisible() == about.of_class
    settle(qtbot, window, list(METHODS)[-1])


def test_layer_head_and_direction_can_be_chosen_only_where_they_count(qtbot, window):
    boxes = (window.controls.layer, window.controls.head, window.controls.direction)
    window.store.update(method="rollout")
    assert not any(box.isEnabled() for box in boxes)
    assert [boxes[0].text(), *(box.currentText() for box in boxes[1:])] == ["All layers", "", ""]
    direction = boxes[2]
    assert [box.placeholderText() for box in boxes[1:]] == ["All heads", "Looks at"]
    assert direction.toolTip() == "Rollout has no direction to choose"
    window.store.update(method="token grad-cam")
    assert direction.placeholderText() == "No direction"
    window.store.update(method="attention")
    assert all(box.isEnabled() for box in boxes)
    assert boxes[0].text().startswith("Layer ") and all(box.currentText() for box in boxes[1:])


def test_targets_are_the_top_classes_then_all_by_name(window, opened):
    box, seen = window.method_controls.target, opened.trace
    best = sorted(range(seen.logits.size), key=lambda i: -float(seen.logits[i]))
    assert [box.itemData(i) for i in range(6)] == [None, *best[:5]]
    assert box.itemText(0) == f"Top class: {seen.label(best[0])}"
    assert [box.itemData(i) for i in range(7, box.count())] == list(range(seen.logits.size))


def test_target_is_chosen_by_click_by_name_and_by_number(qtbot, window, opened):
    window.store.update(method="relevance")
    settle(qtbot, window, "relevance")
    box = window.method_controls.target
    box.activated.emit(2)
    assert window.store.state.target == box.itemData(2)
    for text, index in (("11", 11), (opened.trace.label(20), 20)):
        box.lineEdit().setFocus()
        box.lineEdit().selectAll()
        qtbot.keyClicks(box.lineEdit(), text)
        qtbot.keyClick(box.lineEdit(), Qt.Key.Key_Return)
        assert window.store.state.target == index
    box.lineEdit().setFocus()
    box.lineEdit().selectAll()
    qtbot.keyClicks(box.lineEdit(), "nothing is called so")
    qtbot.keyClick(box.lineEdit(), Qt.Key.Key_Return)
    assert window.store.state.target == 20 and box.currentData() == 20
    assert "no class 'nothing is called so'" in window.status.currentMessage()
    qtbot.waitUntil(lambda: shown(window).target == 20, timeout=20000)


def test_search_offers_every_class_once(window, opened):
    finder = window.method_controls.target.completer()
    for index in range(opened.trace.logits.size):
        name = f"{opened.trace.label(index)} ({index})"
        finder.setCompletionPrefix(name)
        assert finder.completionCount() == 1
        finder.activated.emit(name)
        assert window.store.state.target == index


def test_target_in_the_store_is_shown(qtbot, window, opened):
    for target in (3, None, 11):
        window.store.update(target=target)
        assert window.method_controls.target.currentData() == target


def test_a_tile_of_the_atlas_brings_attention_back(qtbot, window):
    window.store.update(method="rollout")
    settle(qtbot, window, "rollout")
    point = window.atlas.tile_center(2, 1)
    qtbot.mouseClick(window.atlas.view.viewport(), Qt.MouseButton.LeftButton, pos=point)
    settle(qtbot, window, "attention")
    assert (shown(window).layer, shown(window).head) == (2, 1)


def test_up_and_down_move_the_last_layer_of_a_rollout(qtbot, window):
    window.store.update(method="rollout")
    settle(qtbot, window, "rollout")
    window.browsing.step_layer(-1)
    qtbot.waitUntil(lambda: shown(window).layer == 4)
    assert "layers 0 to 4" in window.map_view.title.text()
    window.browsing.step_layer(1)
    window.browsing.step_layer(1)
    qtbot.waitUntil(lambda: shown(window).layer == 5)


def test_a_known_map_is_not_computed_again(qtbot, window, monkeypatch):
    for target in (1, 2):
        window.store.update(method="relevance", target=target)
        qtbot.waitUntil(lambda: shown(window).target == target, timeout=20000)  # noqa: B023
    monkeypatch.setattr("vitviz.ui.method_maps._made", None)
    window.store.update(target=1)
    assert shown(window).target == 1


def test_a_method_that_fails_says_why_and_what_is_chosen_is_again_what_is_shown(qtbot, window, monkeypatch):
    def refuse(*args, **kwargs):
        raise AttentionError("It is not defined for this model: choose rollout.")

    window.store.update(method="rollout")
    settle(qtbot, window, "rollout")
    monkeypatch.setattr("vitviz.attention.choosing.relevance", refuse)
    window.store.update(method="relevance")
    qtbot.waitUntil(lambda: window.store.state.method == "rollout", timeout=20000)
    (box,) = [box for box in window.findChildren(QMessageBox) if box.isVisible()]
    assert "not defined for this model" in box.text() + box.informativeText()
    assert shown(window).method == "rollout"


def test_cancel_gives_the_method_up_and_keeps_the_map(qtbot, window, monkeypatch):
    from vitviz.attention import choosing

    started = []

    def slow(*args, progress, cancel, **kwargs):
        started.append(1)
        progress(0.5, "Gradients")
        while not cancel():
            pass
        from vitviz.errors import Cancelled

        raise Cancelled("")

    monkeypatch.setattr(choosing, "relevance", slow)
    window.store.update(method="relevance")
    qtbot.waitUntil(lambda: bool(started) and window.status.cancel.isVisible(), timeout=20000)
    window.status.cancel.click()
    qtbot.waitUntil(lambda: window.store.state.method == "attention", timeout=30000)
    assert shown(window).method == "attention"


def test_model_with_windows_rolls_out_and_explains_on_its_finest_grid(qtbot, window, ragged):
    window.opener.opened.emit(ragged)
    for method in ("rollout", "relevance"):
        window.store.update(method=method)
        settle(qtbot, window, method)
        assert window.pane.map.grid == ragged.trace.layers[0].grid
    window.store.update(method="token grad-cam")
    settle(qtbot, window, "token grad-cam")
    assert window.pane.map.grid == ragged.trace.layers[-1].grid


def test_another_picture_keeps_the_method(qtbot, window, opened):
    window.store.update(method="relevance", target=4)
    settle(qtbot, window, "relevance")
    window.opener.opened.emit(opened)
    settle(qtbot, window, "relevance")
    assert shown(window).target == 4


def test_state_is_legal_for_every_model():
    wish = State(method="relevance", target=8)
    assert resolve(wish, Reality((2, 2), ("mean",), classes=5)).target is None
    assert resolve(wish, Reality((2, 2), ("mean",), classes=9)).target == 8
    assert resolve(wish, Reality((2, 2), ("mean",))).method == "attention"
    store = Store(State())
    store.face(Reality((2, 2, 2), ("cls",)))
    store.update(first_layer=2, last_layer=1)
    assert (store.state.options.first_layer, store.state.options.last_layer) == (1, 1)
    store.update(last_layer=40)
    assert store.state.options.last_layer == 2
    assert store.undo() and store.state.options.last_layer == 1


def test_menu_offers_every_method_with_its_key(window):
    for i, about in enumerate(METHODS.values(), 1):
        (found,) = [a for a in window.actions() if a.text() == about.title and a.shortcut().toString() == f"Ctrl+{i}"]
        assert about.tip in found.toolTip()


def test_mass_threshold_by_key_by_number_and_by_box(qtbot, window):
    box, marked = window.controls.threshold, window.controls.marked
    assert not marked.isVisible()
    plain = window.map_view.view.image.image.copy()
    qtbot.keyClick(window, Qt.Key.Key_T)
    assert window.store.state.style.threshold == 0.6 and box.value() == 60
    qtbot.waitUntil(marked.isVisible)
    contour = window.map_view.view.image.image.copy()
    assert (contour != plain).any()
    pick(qtbot, marked, 1)
    assert window.store.state.style.marked == "mask"
    assert (window.map_view.view.image.image != contour).any()
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, "80")
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert window.store.state.style.threshold == 0.8
    window.store.update(threshold=0.25, marked="contour")
    assert box.value() == 25 and marked.currentData() == "contour"
    qtbot.keyClick(window, Qt.Key.Key_T)
    qtbot.waitUntil(lambda: not marked.isVisible())
    assert box.value() == 0
    assert (window.map_view.view.image.image == plain).all()


def test_words_that_are_typed_stay_while_the_mouse_goes_over_the_picture(window, hover):
    window.store.update(method="relevance")
    target = window.method_controls.target
    target.setEditText("gree")
    for place in (Place(20.0, 20.0), Place(80.0, 60.0)):
        hover(window.map_view.view, window.map_view.view.position_of(place))
        QApplication.processEvents()
    assert window.store.state.hover is not None and target.currentText() == "gree"
    window.store.update(target=3)
    assert target.currentText() != "gree"
