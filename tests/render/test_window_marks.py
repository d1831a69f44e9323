"""The marks of windows: borders as segments, and what is drawn of them over a map."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vitviz.attention.values import Map, Selection
from vitviz.images import Image, View
from vitviz.models.layout import Grid, Windows
from vitviz.render.overlay import overlay
from vitviz.render.style import Style
from vitviz.render.windows import SEAM, edges, window_marks

NUMBERS = arrays(np.int64, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3))


def shifted(cell=(7, 7), side=8, **how):
    """A map over 8 x 8 patches of 16 px with windows of 4, shifted by 2."""
    windows = Windows((side, side), (4, 4), (2, 2), **how)
    values = np.random.default_rng(0).random((side, side), dtype=np.float32)
    size = (16 * side, 16 * side)
    view = View(size, size, (0.0, 0.0, float(size[1]), float(size[0])))
    return Map(
        values, Selection(), Grid(side, side, (16, 16)), view, "layer", "model", "image", query_cell=cell,
        windows=windows, neighbour=Windows((side, side), (4, 4)),
    )  # fmt: skip


@given(NUMBERS)
def test_segments_are_the_borders_between_different_numbers_each_once(numbers):
    found = []
    for r0, c0, r1, c1 in edges(numbers, outside=-1):
        assert (r0 == r1) != (c0 == c1)
        found += [("level", r0, c) for c in range(c0, c1)] + [("upright", r, c0) for r in range(r0, r1)]
    around = np.pad(numbers, 1, constant_values=-1)
    rows, cols = numbers.shape
    expected = {
        ("level", r, c) for r in range(rows + 1) for c in range(cols) if around[r, c + 1] != around[r + 1, c + 1]
    } | {("upright", r, c) for r in range(rows) for c in range(cols + 1) if around[r + 1, c] != around[r + 1, c + 1]}
    assert len(found) == len(set(found)) and set(found) == expected


def test_marks_of_a_corner_that_wraps():
    marks = window_marks(shifted(), Style())
    # Four corners of 2 x 2 patches: each has four sides, of which two lie on the border of the picture.
    assert len(marks.outline) == 16 and len(marks.seam) == 8
    assert all({r0, r1} <= {0, 8} or {c0, c1} <= {0, 8} for r0, c0, r1, c1 in marks.seam)
    assert len(marks.shut_out) == 3
    assert marks.partition == () and marks.neighbour == ()


def test_the_partition_is_drawn_where_it_is_asked_for_with_that_of_the_next_layer():
    marks = window_marks(shifted(), Style(show_partition=True))
    assert {r0 for r0, _, r1, _ in marks.partition if r0 == r1} == {0, 2, 6, 8}
    assert {r0 for r0, _, r1, _ in marks.neighbour if r0 == r1} == {0, 4, 8}


def test_nothing_is_marked_without_windows_without_a_patch_or_where_the_style_says_so():
    nothing = window_marks(replace(shifted(), windows=None), Style(show_partition=True))
    assert nothing == window_marks(replace(shifted(), query_cell=None), Style())
    assert nothing == window_marks(shifted(), Style(show_window=False))


def test_only_what_lies_near_a_line_or_is_shut_out_is_drawn_over():
    image = Image.from_array(np.random.default_rng(1).integers(0, 256, (128, 128, 3), dtype=np.uint8))
    m = shifted()
    plain = overlay(image, m, show_window=False, show_query=False)
    drawn = overlay(image, m, show_query=False)
    changed = (plain != drawn).any(-1)
    allowed = np.zeros((128, 128), dtype=bool)
    for block in (slice(0, 35), slice(93, 128)):
        for other in (slice(0, 35), slice(93, 128)):
            allowed[block, other] = True
    allowed[99:124, 99:124] = False  # inside the piece that holds the query
    assert changed[~allowed].sum() == 0
    assert changed[5:28, 5:28].all() and changed[5:28, 100:123].all() and changed[100:123, 5:28].all()
    assert (drawn == SEAM).all(-1).sum() > 20


def test_a_file_can_carry_the_partition():
    image = Image.from_array(np.zeros((128, 128, 3), dtype=np.uint8))
    m = replace(shifted(), query_cell=None)
    drawn = overlay(image, m, show_partition=True, opacity=0.0)
    lines = np.flatnonzero((drawn[:, 50] == 255).all(-1))
    assert {round(at / 16) for at in lines} == {0, 2, 6, 8}
    assert (overlay(image, m, opacity=0.0) == 0).all()
