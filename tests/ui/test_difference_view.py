"""The difference of two panes' maps, followed live, and the heads that changed or go together."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

import vitviz
from vitviz.attention.comparison import difference
from vitviz.attention.head_pairs import Placed, changed_heads, changed_rows
from vitviz.attention.values import Place
from vitviz.errors import Cancelled
from vitviz.render.scale import signed


@pytest.fixture
def view(qtbot, window, ragged):
    """Differences of a ViT of 6 layers and 2 heads, and a Swin of 4 layers, on the screen."""
    window.comparing.add.trigger()
    window.opener.opened.emit(ragged)
    window.compare_tabs.setCurrentWidget(window.compare_tabs.differences)
    settle(qtbot, window)
    return window.compare_tabs.differences


def settle(qtbot, window):
    found = window.compare_tabs.differences
    qtbot.waitUntil(
        lambda: not (found._soon.isActive() or found.heads._later.isActive() or window.worker.is_busy()), timeout=20000
    )
    QApplication.processEvents()


def test_difference_is_that_of_the_two_shown_maps(view, window):
    first, second = window.panes.columns
    wanted = difference(first.pane.map, second.pane.map)
    assert np.array_equal(view.difference.values, wanted.values, equal_nan=True)
    assert view.bar.limits == (-wanted.largest, wanted.largest)
    assert f"ρ = {signed(f'{wanted.correlation:.3f}')}" in view.numbers.text()


def test_difference_follows_the_mouse_and_the_choice_of_panes(qtbot, view, window, hover):
    first, second = window.panes.columns
    hover(first.map_view.view, first.map_view.view.position_of(Place(62, 42)))
    settle(qtbot, window)
    assert np.array_equal(view.difference.values, difference(first.pane.map, second.pane.map).values, equal_nan=True)
    before = view.difference
    view.first.setCurrentIndex(1)
    view.second.setCurrentIndex(0)
    view.first.activated.emit(1)
    settle(qtbot, window)
    assert np.allclose(view.difference.values, -before.values, equal_nan=True)


def click_cell(qtbot, view, layer, head):
    view.heads.map.grab()
    at = view.heads.map.cell(layer, head).center().toPoint()
    qtbot.mouseClick(view.heads.map, Qt.MouseButton.LeftButton, pos=at)


def choose(qtbot, window, box, index):
    box.setCurrentIndex(index)
    box.activated.emit(index)
    settle(qtbot, window)


@pytest.fixture
def twins(qtbot, view, window, opened, sharp, picture):
    """The first pane's model, and in the second one whose layer 3 was moved."""
    model = vitviz.load_model("test_vit", pretrained=False, device="cpu")
    sharp(model.module)
    import torch

    with torch.no_grad():
        model.module.blocks[3].attn.qkv.weight[0:8] += 0.5  # rows of q: heads of this layer and of those after it move
    other = replace(opened, model=model, trace=vitviz.trace(model, picture))
    window.opener.opened.emit(other)
    settle(qtbot, window)
    return opened.trace, other.trace


def test_heads_of_different_networks_are_matched_and_a_click_shows_the_pair(qtbot, view, window):
    first, second = window.panes.columns
    heads = view.heads
    assert len(heads.found.pairs) == 12 == heads.heads.count() and heads.map.heads == (2,) * 6
    assert heads.way.currentText().startswith("Partners") and not heads.over.isEnabled()
    assert not heads.way.model().item(0).isEnabled() and heads.bar.limits == (0.0, 1.0)
    pair = next(p for p in heads.found.pairs if p.first == (4, 1))
    assert heads.map.words[4, 1] == f"L{pair.second[0]} H{pair.second[1]}"
    click_cell(qtbot, view, 4, 1)
    for column, (layer, head) in ((first, pair.first), (second, pair.second)):
        assert (column.store.state.layer, column.store.state.head) == (layer, head)
    settle(qtbot, window)
    assert heads.map.marked == (4, 1)


def test_partners_over_a_ragged_atlas_leave_heads_without_one(qtbot, view, window):
    choose(qtbot, window, view.first, 1)
    choose(qtbot, window, view.second, 0)
    heads = view.heads
    assert heads.map.heads == (3, 6, 12, 24) and np.isfinite(heads.map.values).sum() == 12
    heads.map.grab()
    assert heads.map.at(heads.map.cell(0, 2).center()) == (0, 2)
    assert heads.map.at(heads.map.cell(0, 3).center()) is None
    lonely = next((3, h) for h in range(24) if (3, h) not in heads.map.words)
    before = [column.store.state for column in window.panes]
    click_cell(qtbot, view, *lonely)
    assert [column.store.state for column in window.panes] == before
    qtbot.mouseMove(heads.map, heads.map.cell(*lonely).center().toPoint())
    qtbot.waitUntil(lambda: "goes with no head" in heads.caption.text(), timeout=20000)


def test_two_checkpoints_of_one_architecture_are_compared_head_by_head(qtbot, view, window, twins):
    values = view.heads.map.values
    assert values.shape == (6, 2) and view.heads.way.currentIndex() == 0
    wanted = changed_heads(*(Placed.of(c.pane.opened.trace, c.pane.maps) for c in window.panes)).values
    assert np.array_equal(values, wanted)
    assert values[:3].max() < 1e-6 < values[3:].max()
    assert view.heads.bar.limits == (0.0, values.max()) and view.heads.map.limits == view.heads.bar.limits


def test_click_at_a_changed_head_shows_it_in_both_panes(qtbot, view, window, twins):
    choose(qtbot, window, view.heads.way, 1)
    window.linking.update(layer="own", head=False)
    click_cell(qtbot, view, 3, 1)
    assert [(c.store.state.layer, c.store.state.head) for c in window.panes] == [(3, 1)] * 2


def test_change_of_all_queries_is_shown_and_does_not_follow_the_mouse(qtbot, view, window, twins, hover):
    choose(qtbot, window, view.heads.over, 1)
    assert np.array_equal(view.heads.map.values, changed_rows(*twins).values)
    assert "all 101 queries" in view.heads.caption.text()
    before = view.heads.found
    first = window.panes.columns[0]
    hover(first.map_view.view, first.map_view.view.position_of(Place(62, 42)))
    settle(qtbot, window)
    assert view.heads.found is before


def test_value_under_the_mouse_is_read(qtbot, view, window, twins):
    heads = view.heads
    heads.map.grab()
    qtbot.mouseMove(heads.map, heads.map.cell(4, 0).center().toPoint())
    qtbot.waitUntil(lambda: heads.map.under == (4, 0), timeout=20000)
    said = heads.caption.text().removeprefix("Layer 4 head 0: distance of rows ")
    assert float(said) == pytest.approx(heads.map.values[4, 0], rel=5e-3)


def test_list_has_the_most_changed_head_first_and_shows_it(qtbot, view, window, twins):
    heads = view.heads
    assert heads.map.isVisible() and not heads.heads.isVisible()
    qtbot.mouseClick(heads.as_list, Qt.MouseButton.LeftButton)
    assert heads.heads.isVisible() and not heads.map.isVisible() and heads.heads.count() == 12
    most = np.unravel_index(heads.map.values.argmax(), (6, 2))
    item = heads.heads.item(0)
    assert item.text().split() == [f"{heads.map.values.max():.4f}", f"L{most[0]}", f"H{most[1]}"]
    for each in (heads.heads.item(i) for i in range(12)):  # among them changes of less than a millionth
        assert float(each.text().split()[0]) == pytest.approx(each.data(Qt.ItemDataRole.UserRole).value, rel=5e-3)
    qtbot.mouseClick(heads.heads.viewport(), Qt.MouseButton.LeftButton, pos=heads.heads.visualItemRect(item).center())
    assert [(c.store.state.layer, c.store.state.head) for c in window.panes] == [most] * 2


def test_comparison_that_was_cancelled_is_asked_again(qtbot, view, window, twins):
    before = view.heads.found
    view.heads.over.setCurrentIndex(1)
    view.heads.over.activated.emit(1)
    window.compare_tabs.setCurrentIndex(0)  # at once: nothing came from the worker yet
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=20000)
    assert view.heads.found is before
    window.compare_tabs.setCurrentWidget(view)
    settle(qtbot, window)
    assert view.heads.found.queries == (101, 101)


def test_cancel_is_said_and_what_was_cancelled_is_compared_when_it_is_chosen_once_more(
    qtbot, view, window, twins, hover, monkeypatch
):
    from vitviz.attention import head_pairs

    real, goes_on, begun = head_pairs.changed_rows, threading.Event(), []

    def slow(*args, cancel, **how):
        begun.append(args)
        while not goes_on.wait(0.005):
            if cancel():
                raise Cancelled("given up")
        return real(*args, cancel=cancel, **how)

    monkeypatch.setattr(head_pairs, "changed_rows", slow)
    heads, before = view.heads, view.heads.found
    heads.over.setCurrentIndex(1)
    heads.over.activated.emit(1)
    qtbot.waitUntil(lambda: len(begun) == 1, timeout=20000)
    assert heads.caption.text() == "Comparing the rows of all queries…"
    window.worker.cancel()
    qtbot.waitUntil(lambda: heads.caption.text().startswith("Cancelled"), timeout=20000)
    first = window.panes.columns[0]
    hover(first.map_view.view, first.map_view.view.position_of(Place(62, 42)))
    settle(qtbot, window)
    assert len(begun) == 1 and heads.found is before and heads.caption.text().startswith("Cancelled")
    goes_on.set()
    choose(qtbot, window, heads.over, 1)
    assert len(begun) == 2 and np.array_equal(heads.map.values, real(*twins).values)


def test_nothing_is_done_while_the_tab_is_hidden(qtbot, view, window):
    window.compare_tabs.setCurrentIndex(0)
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=20000)
    before = view.difference
    window.store.update(layer=0)
    qtbot.wait(20)
    assert view.difference is before and not view._soon.isActive() and not view.heads._later.isActive()


def test_third_pane_is_offered_and_a_closed_one_is_not(view, window):
    window.comparing.add.trigger()
    assert view.first.count() == 3
    window.comparing.close_pane.trigger()
    assert view.first.count() == 2 and view.pair() == tuple(window.panes.columns)


def test_equal_maps_have_the_middle_of_the_colours(qtbot, view, window, opened):
    window.opener.opened.emit(opened)
    settle(qtbot, window)
    assert view.difference.largest == 0 and view.bar.limits == (-1.0, 1.0)
    assert view.heads.bar.limits == (0.0, 1.0) and not view.heads.map.values.any()
