"""The axes of a plot can be read however low it is."""

import numpy as np
import pytest
from PySide6.QtGui import QFontMetricsF
from PySide6.QtWidgets import QApplication

from vitviz.ui.head_plot import HeadPlot, Plot

TITLE = "Mean attention distance (as in the ViT paper) [px]"


@pytest.mark.parametrize(("height", "whole"), [(700, True), (60, False)])
def test_the_title_of_the_upright_axis_is_never_longer_than_the_axis(height, whole, qtbot):
    plot = HeadPlot()
    qtbot.addWidget(plot)
    plot.resize(300, height)
    plot.show()
    plot.show_values(np.arange(12.0).reshape(6, 2), TITLE)
    QApplication.processEvents()
    axis = plot.left
    assert QFontMetricsF(axis.font()).horizontalAdvance(axis.labelText) <= axis.height()
    assert (axis.labelText == TITLE) == whole and axis.labelText.startswith("Mean")
    plot.resize(300, 760 - height)
    QApplication.processEvents()
    assert (axis.labelText == TITLE) != whole


def test_ticks_are_apart_in_a_dock_that_gives_no_room(qtbot):
    plot = HeadPlot()
    qtbot.addWidget(plot)
    plot.resize(200, 10)
    plot.show()
    assert plot.height() >= 130


def test_numbers_of_the_axes_have_a_minus_and_no_hyphen(qtbot):
    plot = Plot()
    qtbot.addWidget(plot)
    for axis in (plot.left, plot.bottom):
        assert axis.tickStrings([-0.5, 0, 0.5], 1, 0.5) == ["\u22120.5", "0", "0.5"]
