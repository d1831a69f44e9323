"""One class for all panels: that of the toolbar, until the user chooses another in a panel, which then says so."""

import numpy as np
import pytest

from vitviz.ui.targets import ABOVE, HERE


@pytest.fixture
def boxes(window):
    panel = window.analysis.methods
    return [window.analysis.truth.target, window.analysis.ablation.target, panel.left.targets, panel.right.targets]


def best(opened, place):
    return int(np.argsort(-opened.trace.logits, kind="stable")[place])


def test_every_panel_begins_with_the_most_probable_class(boxes, opened):
    assert {box.currentData() for box in boxes} == {best(opened, 0)}
    assert not any(box.own for box in boxes)


def choose(box, line):
    """As a click in the list does."""
    box.setCurrentIndex(line)
    box.activated.emit(line)


@pytest.mark.parametrize("place", [1, -1])
def test_every_panel_follows_the_class_of_the_toolbar_also_one_outside_the_first(window, boxes, opened, place):
    window.store.update(target=best(opened, place))
    assert {box.currentData() for box in boxes} == {best(opened, place)}
    window.store.update(target=None)
    assert {box.currentData() for box in boxes} == {best(opened, 0)}


def test_a_choice_in_a_panel_stays_and_says_so_until_it_is_the_toolbar_s_again(window, boxes, opened):
    box, *others = boxes
    choose(box, 1)
    assert box.own and box.currentData() == best(opened, 1)
    assert box.currentText().startswith(HERE) and box.itemText(0).endswith(ABOVE) and "here" in box.toolTip()
    assert not any(other.own or HERE in other.currentText() for other in others)
    window.opener.opened.emit(opened)
    assert box.currentData() == best(opened, 1)
    choose(box, 0)
    assert not box.own and HERE not in box.currentText()
    choose(box, 1)
    window.store.update(target=best(opened, 2))
    assert {each.currentData() for each in boxes} == {best(opened, 2)} and not box.own


def test_another_model_brings_its_own_most_probable_class(window, boxes, ragged):
    choose(boxes[0], 1)
    window.opener.opened.emit(ragged)
    order = np.argsort(-ragged.trace.logits, kind="stable")
    assert {box.currentData() for box in boxes} == {int(order[0]) if order.size else None}
