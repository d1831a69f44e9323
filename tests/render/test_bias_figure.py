"""Tables of relative position bias as pixels and files."""

import json

import numpy as np
import pytest
from PIL import Image as Pillow

from vitviz.errors import FileError
from vitviz.render.bias import SIGNED, UNSIGNED, BiasTable, mosaic_of
from vitviz.render.bias_figure import export_bias, page_of_bias
from vitviz.render.page import Picture
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


def test_a_figure_has_all_heads_in_their_own_colours():
    pictures = [mark for mark in page_of_bias(table()).marks if isinstance(mark, Picture)]
    assert len(pictures) == 5
    for head, picture in enumerate(pictures):
        np.testing.assert_array_equal(picture.pixels, table().pixels(head))


@pytest.mark.parametrize("kind", ["png", "svg", "pdf", "npz"])
def test_files_of_every_kind_and_what_they_are(kind, tmp_path):
    path = export_bias(tmp_path / f"bias.{kind}", table(), {"source": "tiny"})
    about = json.loads((tmp_path / f"bias.{kind}.json").read_text())
    assert about["layer_name"] == "layers.0.attn" and about["model"] == {"source": "tiny"} and about["heads"] == 5
    if kind == "npz":
        np.testing.assert_array_equal(np.load(path)["bias"], VALUES)
    elif kind == "png":
        assert Pillow.open(path).size[0] > 300
    else:
        assert path.read_bytes().lstrip().startswith(b"%PDF" if kind == "pdf" else b"<")


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(FileError, match=r"ends in \.gif: give \.png"):
        export_bias(tmp_path / "bias.gif", table(), {})
    assert not list(tmp_path.iterdir())
