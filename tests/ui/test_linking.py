"""What panes share: cursor, zoom, layer, head and colours, each as far as it is linked."""

import pytest
from pane_cases import CENTRE, click_at, columns

from vitviz.ui.linking import Links, layer_for


def test_pin_and_free_go_to_all_panes(qtbot, two):
    first, second = columns(two)
    click_at(qtbot, second, CENTRE)
    assert first.store.state.query == second.store.state.query != None  # noqa: E711
    click_at(qtbot, second, CENTRE)
    assert first.store.state.query is None is second.store.state.query


@pytest.mark.parametrize("name", ["cursor", "zoom", "head", "colours"])
def test_switch_breaks_and_makes_its_link(two, name):
    switch = two.comparing.switches[name]
    assert switch.isChecked() and getattr(two.linking.links, name)
    switch.trigger()
    assert not getattr(two.linking.links, name)
    two.linking.update(**{name: True})
    assert switch.isChecked()


def test_broken_cursor_leaves_the_other_pane_alone(qtbot, two, hover):
    first, second = columns(two)
    two.comparing.switches["cursor"].trigger()
    hover(second.map_view.view, second.map_view.view.position_of(CENTRE))
    assert second.store.state.hover is not None and first.store.state.hover is None
    click_at(qtbot, second, CENTRE)
    assert second.store.state.query is not None and first.store.state.query is None
    two.comparing.switches["cursor"].trigger()
    assert first.store.state.query == second.store.state.query


def test_head_and_colours_are_linked_until_the_link_is_broken(two):
    first, _ = columns(two)
    two.store.update(head=1, opacity=0.25)
    assert first.store.state.head == 1 and first.store.state.style.opacity == 0.25
    two.comparing.switches["head"].trigger()
    two.comparing.switches["colours"].trigger()
    two.store.update(head=0, opacity=0.75)
    assert first.store.state.head == 1 and first.store.state.style.opacity == 0.25


def test_layers_go_together_by_depth_by_number_or_not_at_all(two):
    first, _ = columns(two)
    two.store.update(layer=0)
    assert first.store.state.layer == 0
    two.store.update(layer=3)
    assert first.store.state.layer == 5
    by_number, own = (next(a for a in two.comparing.layers.actions() if a.data() == d) for d in ("number", "own"))
    by_number.trigger()
    assert first.store.state.layer == 3
    own.trigger()
    two.store.update(layer=1)
    assert first.store.state.layer == 3 and own.isChecked() and not by_number.isChecked()


def test_turning_to_another_pane_changes_no_layer(two):
    first, second = columns(two)
    two.store.update(layer=1)
    before = first.store.state.layer, second.store.state.layer
    for _ in range(6):
        two.comparing.next.trigger()
    assert (first.store.state.layer, second.store.state.layer) == before


@pytest.mark.parametrize(("count", "other"), [(12, 6), (6, 12), (12, 24), (4, 6), (1, 12), (12, 1)])
def test_relative_depth_joins_the_ends_and_keeps_the_order(count, other):
    found = [layer_for(i, count, other, "depth") for i in range(count)]
    assert found == sorted(found) and 0 <= found[0] <= found[-1] < other
    if count > 1:
        assert (found[0], found[-1]) == (0, other - 1)
    assert [layer_for(i, count, other, "number") for i in range(count)] == [min(i, other - 1) for i in range(count)]


def test_zoom_is_shared_until_it_is_unlinked(two):
    first, second = columns(two)
    views = [column.map_view.view for column in (first, second)]
    views[1].box.scaleBy((0.5, 0.5))
    views[1].box.sigRangeChangedManually.emit(views[1].box.state["mouseEnabled"])
    centres = [view.box.viewRect().center() for view in (*views, two.patches.view)]
    for centre in centres[1:]:
        assert (centre.x(), centre.y()) == pytest.approx((centres[0].x(), centres[0].y()), abs=0.5)
    assert views[0].box.viewRect().width() == pytest.approx(views[1].box.viewRect().width(), rel=0.05)
    two.comparing.switches["zoom"].trigger()
    before = views[0].box.viewRect()
    views[1].box.scaleBy((0.5, 0.5))
    views[1].box.sigRangeChangedManually.emit(views[1].box.state["mouseEnabled"])
    assert views[0].box.viewRect() == before


def test_links_begin_as_they_are_said():
    assert Links() == Links(cursor=True, zoom=True, layer="depth", head=True, colours=True)


def test_class_goes_to_a_pane_that_knows_the_same_classes_alone(window, ragged):
    window.comparing.add.trigger()
    first, second = columns(window)
    window.store.update(method="relevance", target=2)
    assert (first.store.state.method, first.store.state.target) == ("relevance", 2)
    window.opener.opened.emit(ragged)
    columns(window)
    first.store.update(target=None)
    window.store.update(target=3)
    assert second.store.state.target == 3 and first.store.state.target is None
