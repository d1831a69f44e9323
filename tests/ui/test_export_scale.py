"""The export dialog asks what the colours of several maps are shared over, and only for what the method varies."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from vitviz.attention.values import Selection
from vitviz.render.plan import Plan
from vitviz.render.style import Style
from vitviz.ui.export_choices import recalled, remembered
from vitviz.ui.export_dialog import ExportDialog

SHEETS = ["map", "heads", "layers"]


@pytest.fixture
def opened(qtbot):
    """Opens the dialog for a plan as the window makes it."""
    window = QWidget()
    qtbot.addWidget(window)

    def open_dialog(method="attention", scale="map"):
        dialog = ExportDialog(window, Plan(Selection(3, 1, method=method), Style(limits=(0.0, 0.5)), scale=scale))
        dialog.show()
        return dialog

    return open_dialog


def pick(qtbot, box, value):
    """Go to an entry with the keys that a person has."""
    qtbot.keyClick(box, Qt.Key.Key_Home)
    for _ in range(box.count()):
        if box.currentData() == value:
            return
        qtbot.keyClick(box, Qt.Key.Key_Down)
    raise AssertionError(f"{value} can't be reached")


def enabled(box):
    return [box.itemData(i) for i in range(box.count()) if box.model().item(i).isEnabled()]


@pytest.mark.parametrize(("scale", "first"), [("map", "figure"), ("layer", "layer"), ("fixed", "fixed")])
def test_animation_begins_with_one_scale_unless_the_window_shares_another(qtbot, opened, scale, first):
    dialog = opened(scale=scale)
    assert not dialog.form.colours.isVisible() and dialog.plan().scale == scale
    pick(qtbot, dialog.form.format, "gif")
    assert dialog.form.colours.isVisible() and dialog.form.colours.isEnabled()
    assert (dialog.plan().over, dialog.plan().scale) == ("layers", first)
    pick(qtbot, dialog.form.colours, "map")
    pick(qtbot, dialog.form.over, "heads")
    assert dialog.plan().scale == "map"
    pick(qtbot, dialog.form.format, "png")
    assert dialog.plan().scale == scale
    pick(qtbot, dialog.form.colours, "figure")
    assert dialog.plan().scale == "figure"
    pick(qtbot, dialog.form.over, "map")
    assert not dialog.form.colours.isVisible() and dialog.plan().scale == scale


@pytest.mark.parametrize(
    ("method", "kinds", "overs"),
    [
        ("attention", {"gif", "apng"}, {"png": [*SHEETS, "methods"], "gif": [*SHEETS[1:], "queries"]}),
        ("rollout", {"gif", "apng"}, {"png": ["map", "methods"], "gif": ["queries"]}),
        ("relevance", set(), {"png": ["map", "methods"], "npz": ["map", "methods"]}),
    ],
)  # fmt: skip
def test_only_what_a_method_varies_is_offered(qtbot, opened, method, kinds, overs):
    dialog = opened(method)
    assert kinds == {"gif", "apng"} & set(enabled(dialog.form.format))
    for kind, over in overs.items():
        pick(qtbot, dialog.form.format, kind)
        assert enabled(dialog.form.over) == over and dialog.plan().over in over


def test_what_was_chosen_for_another_method_gives_way(opened):
    kept = remembered(Plan(Selection(3), format="gif", over="layers", seconds=0.2))
    plan = recalled(Plan(Selection(3, method="relevance")), kept)
    assert (plan.format, plan.over, plan.seconds) == ("png", "map", 0.2)
    assert (recalled(Plan(Selection(2)), kept).format, recalled(Plan(Selection(2)), kept).over) == ("gif", "layers")
