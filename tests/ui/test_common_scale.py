"""One scale for all panes: the same colour is the same number, as long as the maps are of one quantity."""

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from vitviz.attention.values import Place
from vitviz.render.style import color_table

NOTE = "one scale for all panes"


@pytest.fixture
def linked(two, qtbot):
    """A ViT beside a Swin whose scale is linked through the menu, once nothing is to come."""
    two.comparing.switches["scale"].trigger()
    qtbot.waitUntil(lambda: not two.worker.is_busy(), timeout=30_000)
    QApplication.processEvents()
    return two


def bars(window):
    return [(column.map_view.bar.limits, column.map_view.bar._note) for column in window.panes]


def common(window):
    own = [column.pane.own_limits() for column in window.panes]
    return min(low for low, _ in own), max(high for _, high in own)


def test_every_pane_has_its_own_scale_at_first(two):
    assert not two.comparing.switches["scale"].isChecked() and not two.linking.links.scale
    assert [limits for limits, _ in bars(two)] == [column.pane.own_limits() for column in two.panes]
    assert {note for _, note in bars(two)} == {"scale of this map"}
    first, second = (column.pane.own_limits() for column in two.panes)
    assert first != second


def test_linked_panes_go_from_the_least_to_the_largest_of_all(linked, hover):
    assert bars(linked) == [(common(linked), NOTE)] * 2
    view = linked.panes.columns[0].map_view.view
    for x, y in ((30, 30), (90, 60)):
        before = common(linked)
        hover(view, view.position_of(Place(x, y)))
        QApplication.processEvents()
        assert common(linked) != before and bars(linked) == [(common(linked), NOTE)] * 2


def test_one_colour_is_one_number(linked):
    """The largest value of all is drawn in the last colour, and that of the other pane in the one of its share."""
    linked.store.update(opacity=1.0)
    QApplication.processEvents()
    low, high = common(linked)
    table = color_table(linked.store.state.style.colormap)
    for column in linked.panes:
        shown = column.pane.map
        drawn = column.map_view.canvas.draw(shown, column.store.state.style, column.map_view.limits)
        colour = table[int((float(shown.values.max()) - low) / (high - low) * 255 + 0.5)]
        assert abs(drawn[..., :3].reshape(-1, 3).astype(int) - colour.astype(int)).max(axis=1).min() <= 1


def test_maps_of_two_quantities_keep_their_own_scales(linked, qtbot):
    linked.comparing.switches["head"].trigger()
    linked.store.update(method="rollout")
    qtbot.waitUntil(lambda: linked.pane.map.selection.method == "rollout", timeout=30_000)
    QApplication.processEvents()
    assert [limits for limits, _ in bars(linked)] == [column.pane.own_limits() for column in linked.panes]
    assert NOTE not in {note for _, note in bars(linked)}


def test_a_pane_that_goes_leaves_the_other_its_own_scale(linked, qtbot):
    qtbot.keyClick(linked, Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier)
    QApplication.processEvents()
    (only,) = linked.panes
    assert bars(linked) == [(only.pane.own_limits(), "scale of this map")]


def test_a_figure_of_one_pane_has_the_scale_that_is_seen(linked):
    plan = linked.exporter.plan()
    assert plan.style.limits == common(linked) and plan.scale == "fixed"


def test_the_figure_of_the_comparison_has_the_scale_that_is_seen(linked, tmp_path, qtbot):
    with qtbot.waitSignal(linked.comparing.exported, timeout=60_000):
        linked.comparing.export_to(tmp_path / "both.png")
    recipe = json.loads((tmp_path / "both.png.json").read_text())
    assert recipe["scale"] == "figure"
    for each in recipe["models"]:
        assert each["limits"] == pytest.approx(common(linked), rel=1e-5)
