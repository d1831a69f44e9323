"""The map of pairs of heads is drawn in the colours of its bar."""

import numpy as np
import pytest

from vitviz.render.style import color_indices, color_table
from vitviz.ui.pair_map import PairMap
from vitviz.ui.qimages import pixels_of

HEADS = (2, 3, 4)


@pytest.fixture
def pairs(qtbot):
    widget = PairMap()
    qtbot.addWidget(widget)
    widget.resize(420, 320)
    widget.show()
    return widget


def drawn(widget, layer, head):
    """The colour near the corner of a cell, which no word reaches."""
    box = widget.cell(layer, head)
    return pixels_of(widget.grab().toImage())[int(box.top()) + 3, int(box.left()) + 3, :3].tolist()


@pytest.mark.parametrize("limits", [(0.0, 0.55), (0.0, 1.0), (-1.0, 0.5), (0.0, 1e-3)])
@pytest.mark.parametrize("worded", [False, True])
def test_every_cell_has_the_colour_of_its_value(pairs, limits, worded):
    values = np.full((3, 4), np.nan, dtype=np.float32)
    ramp = np.linspace(limits[0], limits[1], sum(HEADS), dtype=np.float32)
    at = [(layer, head) for layer, count in enumerate(HEADS) for head in range(count)]
    for where, value in zip(at, ramp, strict=True):
        values[where] = value
    pairs.show_values(HEADS, values, limits, {where: f"L{where[0]} H{where[1]}" for where in at} if worded else None)
    table = color_table(pairs.colormap)
    wanted = [table[index].tolist() for index in color_indices(ramp, limits)]
    found = [drawn(pairs, *where) for where in at]
    assert (
        np.abs(np.array(found) - np.array(wanted)).max() <= 3
    )  # a step of the table, where 0.5 is rounded another way
    assert len({tuple(colour) for colour in found}) == len(at)
