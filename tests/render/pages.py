"""Where the words of a page lie, and whether any of them is cut or touches another."""

from itertools import combinations

from vitviz.render.letters import text_width
from vitviz.render.page import ASCENT, DESCENT, Text

ROUNDING = 1e-6


def words_box(mark):
    """(left, top, right, bottom) of a text in points."""
    long = text_width(mark.text, mark.size)
    back = {"start": 0.0, "middle": 0.5, "end": 1.0}[mark.anchor] * long
    if mark.turned:
        return mark.x - ASCENT * mark.size, mark.y + back - long, mark.x + DESCENT * mark.size, mark.y + back
    return mark.x - back, mark.y - ASCENT * mark.size, mark.x - back + long, mark.y + DESCENT * mark.size


def words_that_are_cut(page):
    """The texts that reach beyond the page."""
    boxes = [(mark.text, words_box(mark)) for mark in page.marks if isinstance(mark, Text)]
    return [
        text
        for text, (left, top, right, bottom) in boxes
        if min(left, top) < 0 or right > page.width or bottom > page.height
    ]


def words_that_touch(page, gap=0.0):
    """The pairs of texts that lie over each other, or in one line with no more than a gap between them."""
    boxes = [(mark.text, words_box(mark)) for mark in page.marks if isinstance(mark, Text)]
    return [
        (a, b)
        for (a, (l0, t0, r0, b0)), (b, (l1, t1, r1, b1)) in combinations(boxes, 2)
        if l0 < r1 + gap - ROUNDING
        and l1 < r0 + gap - ROUNDING
        and t0 < b1
        and t1 < b0
        and a != b  # not a word and its shadow
    ]
