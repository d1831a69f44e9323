"""No panel needs to be scrolled sideways, however narrow its dock is, and nothing to press lies out of its sight."""

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QApplication, QComboBox, QSlider, QTabWidget

from vitviz.ui.docks import PANELS

# As narrow as the window gets, two between, and a wide one.
SIZES = [(640, 480), (820, 600), (1024, 700), (1600, 900)]
TO_PRESS = (QAbstractButton, QComboBox, QAbstractSpinBox, QSlider)


@pytest.fixture(params=["window", "swin"])
def shown(request, qtbot):
    window = request.getfixturevalue(request.param)
    for panel in (window.analysis.ablation, window.analysis.truth):
        window.docks.show(next(title for title in PANELS if window.docks[title].widget().widget() is panel))
        request.getfixturevalue("run_to_end")(panel)
    return window


def out_of_sight(scroller):
    """What of a panel can be pressed but does not lie between the left and right edge of its room."""
    inner, room = scroller.widget(), scroller.viewport().width()
    found = []
    for widget in [each for kind in TO_PRESS for each in inner.findChildren(kind)]:
        left = widget.mapTo(inner, QPoint(0, 0)).x()
        if widget.isVisible() and not (left >= 0 and left + widget.width() <= room):
            found.append((type(widget).__name__, widget.accessibleName() or widget.toolTip(), left, widget.width()))
    return found


def tabs_of(panel):
    """The panel with each of its tabs in front, if it has some."""
    tabs = next(iter([panel] if isinstance(panel, QTabWidget) else panel.findChildren(QTabWidget)), None)
    for index in range(tabs.count() if tabs else 1):
        if tabs:
            tabs.setCurrentIndex(index)
        yield index


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]} px")
def test_every_panel_fits_its_dock_across(qtbot, shown, size):
    shown.resize(*size)
    assert shown.width() == size[0]
    problems = []
    for title in PANELS:
        shown.docks.show(title)
        qtbot.waitUntil(lambda: not shown.worker.is_busy(), timeout=60_000)
        scroller = shown.docks[title].widget()
        for tab in tabs_of(scroller.widget()):
            qtbot.waitUntil(lambda: not shown.worker.is_busy(), timeout=60_000)
            QApplication.processEvents()
            if scroller.horizontalScrollBar().maximum() or out_of_sight(scroller):
                problems.append((title, tab, scroller.horizontalScrollBar().maximum(), out_of_sight(scroller)))
    assert not problems
