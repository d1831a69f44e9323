"""The difference of two panes' maps, followed live, and the heads that changed or go together."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

import vitviz
from vitviz.attention.comparison import difference
from vitviz.attention.values import Place


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
        lambda: not (found._soon.isActive() or found._later.isActive() or window.worker.is_busy()), timeout=20000
    )
    QApplication.processEvents()


def test_difference_is_that_of_the_two_shown_maps(view, window):
    first, second = window.panes.columns
    wanted = difference(first.pane.map, second.pane.map)
    assert np.array_equal(view.difference.values, wanted.values, equal_nan=True)
    assert view.bar.limits == (-wanted.largest, wanted.largest)
    assert f"ρ = {wanted.correlation:.3f}" in view.numbers.text()


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


def test_heads_of_different_networks_are_matched_and_a_click_shows_the_pair(qtbot, view, window):
    first, second = window.panes.columns
    assert len(view.pairs) == 12 == view.heads.count() and view.changed == []
    item = view.heads.item(3)
    qtbot.mouseClick(view.heads.viewport(), Qt.MouseButton.LeftButton, pos=view.heads.visualItemRect(item).center())
    pair = view.pairs[3]
    for column, (layer, head) in ((first, pair.first), (second, pair.second)):
        assert (column.store.state.layer, column.store.state.head) == (layer, head)


def test_two_checkpoints_of_one_architecture_are_compared_head_by_head(qtbot, view, window, opened, sharp, picture):
    model = vitviz.load_model("test_vit", pretrained=False, device="cpu")
    sharp(model.module)
    import torch

    with torch.no_grad():
        model.module.blocks[3].attn.qkv.weight[0:8] += 0.5  # rows of q: heads of this layer and of those after it move
    other = replace(opened, model=model, trace=vitviz.trace(model, picture))
    window.opener.opened.emit(other)
    settle(qtbot, window)
    assert [v.shape for v in view.changed] == [(2,)] * 6 and view.pairs == []
    assert max(v.max() for v in view.changed[:3]) < 1e-6 < max(v.max() for v in view.changed[3:])
    assert view.heads.item(0).text().split("L")[1][0] in "345"


def test_nothing_is_done_while_the_tab_is_hidden(qtbot, view, window):
    window.compare_tabs.setCurrentIndex(0)
    qtbot.waitUntil(lambda: not window.worker.is_busy(), timeout=20000)
    before = view.difference
    window.store.update(layer=0)
    qtbot.wait(20)
    assert view.difference is before and not view._soon.isActive() and not view._later.isActive()


def test_third_pane_is_offered_and_a_closed_one_is_not(view, window):
    window.comparing.add.trigger()
    assert view.first.count() == 3
    window.comparing.close_pane.trigger()
    assert view.first.count() == 2 and view.pair() == tuple(window.panes.columns)
