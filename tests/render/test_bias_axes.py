"""Tables of relative position bias as pixels and as a page."""

import numpy as np
import pytest
from pages import words_that_are_cut, words_that_touch

from vitviz.render.bias import AXES, SIGNED, UNSIGNED, BiasTable, mosaic_of
from vitviz.render.figure import Figure
from vitviz.render.page import Line, Picture, Text
from vitviz.render.studies.bias import BiasStudy, page_of_bias
from vitviz.render.style import color_table

VALUES = np.random.default_rng(3).normal(size=(5, 7, 9)).astype(np.float32)


def table(values=VALUES):
    return BiasTable(values, "layers.0.attn", "tiny")


def test_signed_values_have_a_diverging_scale_around_zero_that_all_heads_share():
    made = table()
    assert made.colormap == SIGNED and made.limits == (-np.abs(VALUES).max(), np.abs(VALUES).max())
    middle = color_table(SIGNED)[127:129].astype(int)
    assert (middle > 235).all()


def test_values_of_one_sign_have_a_plain_scale():
    made = table(np.abs(VALUES) + 1)
    assert made.colormap == UNSIGNED and made.limits == pytest.approx(
        (np.abs(VALUES).min() + 1, np.abs(VALUES).max() + 1)
    )


def test_every_pixel_of_the_mosaic_leads_back_to_its_head_offset_and_value():
    made = table()
    pixels = mosaic_of(made, (1, 2, 3))
    seen = set()
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            found = made.at(x + 0.5, y + 0.5)
            if found is None:
                assert tuple(pixels[y, x]) == (1, 2, 3)
                continue
            head, down, right, value = found
            assert value == VALUES[head, 3 + down, 4 + right]
            assert tuple(pixels[y, x]) == tuple(made.pixels(head)[3 + down, 4 + right])
            seen.add((head, down, right))
    assert len(seen) == VALUES.size


def test_offsets_stand_at_their_entries_and_the_middle_is_outlined():
    """Among the marks alone, so that a direction can be read from the file as from the panel."""
    marks = page_of_bias(table(), BiasStudy.figure).marks
    first = next(mark for mark in marks if isinstance(mark, Picture))
    high, wide = first.height / 7, first.width / 9
    across = {m.text: m.x for m in marks if isinstance(m, Text) and m.y < first.y and m.x < first.x + first.width}
    for text, entry in (("−4", 0), ("0", 4), ("+4", 8)):
        assert across[text] == pytest.approx(first.x + (entry + 0.5) * wide)
    down = {m.text: m.y for m in marks if isinstance(m, Text) and m.x < first.x and m.y < first.y + first.height}
    for text, entry in (("−3", 0), ("0", 3), ("+3", 6)):
        assert abs(down[text] - first.y - (entry + 0.5) * high) < high / 2
    assert set(AXES) <= {m.text for m in marks if isinstance(m, Text)}
    ends = [(m.x0, m.y0) for m in marks if isinstance(m, Line)][:4]
    middle = [(ends[0][0] + ends[2][0]) / 2, (ends[0][1] + ends[2][1]) / 2]
    assert middle == pytest.approx([first.x + 4.5 * wide, first.y + 3.5 * high])


def test_a_figure_has_all_heads_in_their_own_colours():
    pictures = [mark for mark in page_of_bias(table(), BiasStudy.figure).marks if isinstance(mark, Picture)]
    assert len(pictures) == 5
    for head, picture in enumerate(pictures):
        np.testing.assert_array_equal(picture.pixels, table().pixels(head))


@pytest.mark.parametrize("width", [60.0, 85.0, 174.0])
@pytest.mark.parametrize("window", [7, 12, 24])
@pytest.mark.parametrize("heads", [1, 3, 24, 32])
def test_no_words_of_a_figure_touch_however_many_heads_it_has(heads, window, width):
    values = np.random.default_rng(1).normal(size=(heads, 2 * window - 1, 2 * window - 1)).astype(np.float32)
    page = page_of_bias(table(values), Figure.for_paper(1, width=width))
    assert words_that_touch(page, gap=1.0) == [] and words_that_are_cut(page) == []
    assert {str(head) for head in range(heads)} <= {
        mark.text.removeprefix("Head ") for mark in page.marks if isinstance(mark, Text)
    }
