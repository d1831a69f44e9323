"""Pictures in SVG and PDF keep the borders between their pixels, whatever a viewer does with few large ones."""

import base64
import io
from xml.etree import ElementTree

import numpy as np
import PIL.Image
import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitviz.render.page import Page, Picture
from vitviz.render.pdf import pdf_of
from vitviz.render.svg import svg_of

SPACE = "{http://www.w3.org/2000/svg}"


def page(pixels, *, dpi=100, smooth=False, width=72.0):
    height = width * pixels.shape[0] / pixels.shape[1]
    mark = Picture(1.0, 2.0, width, height, pixels, smooth)
    return Page(width + 2, height + 4, dpi, (255, 255, 255), (mark,))


def in_svg(page):
    (image,) = ElementTree.fromstring(svg_of(page)).iter(f"{SPACE}image")
    data = base64.b64decode(image.get("{http://www.w3.org/1999/xlink}href").partition(",")[2])
    return np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"))


def in_pdf(page):
    (image,) = pypdf.PdfReader(io.BytesIO(pdf_of(page))).pages[0].images
    return np.asarray(image.image.convert("RGB"))


@pytest.mark.parametrize("kept", [in_svg, in_pdf])
@given(rows=st.integers(1, 9), cols=st.integers(2, 9), dpi=st.sampled_from([30, 72, 100, 300]))
def test_every_pixel_is_a_block_of_the_page_s_resolution(kept, rows, cols, dpi):
    pixels = np.random.default_rng(rows * 10 + cols).integers(0, 256, (rows, cols, 3), dtype=np.uint8)
    found = kept(page(pixels, dpi=dpi))
    times = found.shape[0] // rows
    assert found.shape == (rows * times, cols * times, 3) and found.shape[1] >= dpi
    assert np.array_equal(found, pixels.repeat(times, axis=0).repeat(times, axis=1))


@pytest.mark.parametrize("kept", [in_svg, in_pdf])
@pytest.mark.parametrize("how", [{"smooth": True}, {"dpi": 30, "width": 24.0}])
def test_smooth_pictures_and_fine_ones_stay_as_they_are(kept, how):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 10, 3), dtype=np.uint8)
    assert np.array_equal(kept(page(pixels, **how)), pixels)


def test_enlarged_pictures_stay_within_memory():
    pixels = np.zeros((2, 2, 3), dtype=np.uint8)
    assert page(pixels, dpi=1200, width=2800.0).marks[0].enlarged(1200).size <= 3 * 16_000_000


def test_one_colour_is_no_picture_but_a_box():
    plain = page(np.full((1, 1, 3), (1, 2, 3), dtype=np.uint8))
    boxes = list(ElementTree.fromstring(svg_of(plain)).iter(f"{SPACE}rect"))
    assert boxes[-1].get("fill") == "#010203" and (boxes[-1].get("x"), boxes[-1].get("width")) == ("1", "72")
    assert not pypdf.PdfReader(io.BytesIO(pdf_of(plain))).pages[0].images


def test_ground_of_an_svg_is_as_large_as_its_page_in_numbers():
    """Qt takes 100 % of something else, and leaves black letters on black."""
    made = page(np.zeros((2, 3, 3), dtype=np.uint8))
    ground = next(ElementTree.fromstring(svg_of(made)).iter(f"{SPACE}rect"))
    assert (float(ground.get("width")), float(ground.get("height"))) == pytest.approx((made.width, made.height))
