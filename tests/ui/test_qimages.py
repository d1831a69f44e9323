"""Pixels arrive as they were, whatever Qt keeps them in."""

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication, QImage

from vitviz.errors import ImageError
from vitviz.ui import qimages
from vitviz.ui.qimages import from_clipboard, image_of, pixels_of, pixmap_of, to_clipboard

FORMATS = [each for each in QImage.Format if each not in (QImage.Format.Format_Invalid, QImage.Format.NImageFormats)]


@pytest.fixture
def pixels():
    """5 x 7 random pixels, no view of theirs contiguous in memory."""
    return np.random.default_rng(1).integers(0, 256, (7, 5, 3), dtype=np.uint8).swapaxes(0, 1)[::-1]


@pytest.mark.parametrize(
    "there_and_back", [lambda p: pixels_of(image_of(p)), lambda p: pixels_of(pixmap_of(p).toImage())]
)
def test_pixels_come_back_from_qt(qapp, pixels, there_and_back):
    np.testing.assert_array_equal(there_and_back(pixels)[..., :3], pixels)


def test_image_outlives_the_pixels_that_it_was_made_of(qapp, pixels):
    given = np.ascontiguousarray(pixels)
    image = image_of(given)
    given[:] = 0
    np.testing.assert_array_equal(pixels_of(image), pixels)


def test_pixels_come_back_from_the_clipboard(qapp, pixels):
    to_clipboard(pixels)
    np.testing.assert_array_equal(from_clipboard(), pixels)
    QGuiApplication.clipboard().clear()


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("alpha", [False, True])
def test_clipboard_gives_the_pixels_whatever_the_row_padding(qapp, width, alpha):
    channels = 4 if alpha else 3
    pixels = np.random.default_rng(0).integers(0, 256, (4, width, channels), dtype=np.uint8)
    layout = QImage.Format.Format_RGBA8888 if alpha else QImage.Format.Format_RGB888
    image = QImage(pixels.tobytes(), width, 4, width * channels, layout)
    QGuiApplication.clipboard().setImage(image)
    pasted = from_clipboard()
    assert pasted.dtype == np.uint8
    np.testing.assert_array_equal(pasted, pixels)
    QGuiApplication.clipboard().clear()


@pytest.mark.parametrize("layout", FORMATS, ids=lambda each: each.name)
def test_image_of_any_format_becomes_an_array_of_its_own(qapp, layout):
    image = QImage(3, 2, layout)
    image.fill(0xFFFFFFFF)
    array = pixels_of(image)
    assert array.shape in ((2, 3, 3), (2, 3, 4))
    assert array.flags.owndata
    assert array.flags.writeable


def test_transparency_is_straight_not_premultiplied(qapp):
    image = QImage(1, 1, QImage.Format.Format_ARGB32)
    image.setPixel(0, 0, 0x80FF8040)
    premultiplied = image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
    np.testing.assert_allclose(pixels_of(premultiplied)[0, 0], [255, 128, 64, 128], atol=2)


@pytest.mark.parametrize("text", [None, "words"])
def test_clipboard_without_picture_gives_none(qapp, text):
    clipboard = QGuiApplication.clipboard()
    clipboard.clear()
    if text:
        clipboard.setText(text)
    assert from_clipboard() is None
    clipboard.clear()


def test_endless_picture_is_refused(qapp, monkeypatch):
    monkeypatch.setattr(qimages, "MOST_PIXELS", 10)
    with pytest.raises(ImageError, match="4 x 3 pixels"):
        pixels_of(QImage(4, 3, QImage.Format.Format_RGB32))
