"""Any name can be read in every figure, and none has boxes."""

import io
import unicodedata
from xml.etree import ElementTree

import numpy as np
import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitviz.render.letters import drawn, font, lacking, text_width
from vitviz.render.page import Page, Text, shortened, wrapped
from vitviz.render.pdf import pdf_of
from vitviz.render.raster import pixels_of
from vitviz.render.svg import svg_of

KEPT = ["Eins & zwei", "naïve façade", "кот", "γάτα", "Việt ngữ", "≈ 0.5 ± 0.1 · “x” → y…", "100 €"]
CALLED = {
    "猫": "[U+732B]",
    "猫 on mat": "[U+732B] on mat",
    "猫の写真.jpg": "[U+732B 306E 5199 771F].jpg",
    "कु": "[U+0915 0941]",
    "😀": "[grinning face]",
    "a👨\u200d👩b": "a[man, woman]b",
    "★猫": "[black star, U+732B]",
    "❤\ufe0f": "[heavy black heart]",
    "قطة": "[U+0642 0637 0629]",
    "חתול 2": "[U+05D7 05EA 05D5 05DC] 2",
    "\U000e0041": " ",
}


def page(text, **fields):
    return Page(200.0, 20.0, 144, (255, 255, 255), (Text(2.0, 14.0, text, 8.0, (0, 0, 0), **fields),))


@pytest.mark.parametrize("text", KEPT)
def test_letters_of_the_font_are_kept(text):
    assert drawn(text) == text and lacking([text]) == ""


@pytest.mark.parametrize("text", CALLED)
def test_others_are_called_by_what_they_are(text):
    assert drawn(text) == CALLED[text]


@given(st.text(max_size=20))
def test_what_is_drawn_can_be_drawn(text):
    assert drawn(drawn(text)) == drawn(text)
    box = bytes(font(32).getmask("\uffff"))
    assert all(bytes(font(32).getmask(c)) != box for c in drawn(text))


def test_accents_of_a_mac_are_those_of_others():
    assert drawn(unicodedata.normalize("NFD", "été Việt")) == "été Việt"


@pytest.mark.parametrize("text", ["кот", *CALLED])
@pytest.mark.parametrize("turned", [False, True])
def test_pictures_and_pdf_have_what_is_drawn_and_svg_has_the_letters(text, turned):
    mark = {"turned": turned}
    assert np.array_equal(pixels_of(page(text, **mark)), pixels_of(page(drawn(text), **mark)))
    (found,) = pypdf.PdfReader(io.BytesIO(pdf_of(page(text, **mark)))).pages
    assert found.extract_text().strip() == drawn(text).strip()
    root = ElementTree.fromstring(svg_of(page(text, **mark)))
    (words,) = root.iter("{http://www.w3.org/2000/svg}text")
    assert words.text == text.replace("\U000e0041", " ")


@given(st.text(alphabet="a 猫😀ד\u200d", max_size=12), st.floats(20, 200))
def test_lines_are_as_wide_as_they_are_allowed_to_be(text, width):
    one = text_width("猫", 8.0)
    assert all(text_width(line, 8.0) <= max(width, one, text_width("😀", 8.0)) for line in wrapped(text, 8.0, width))
    assert text_width(shortened(text, 8.0, width), 8.0) <= width


def test_the_sentence_names_the_letters_and_the_way_out():
    assert lacking(["cat", "猫と犬"]) == "the font lacks 猫と犬, written as [U+732B]; SVG keeps such letters"
    assert lacking(["\u200dcat\ufe0f"]) == ""
