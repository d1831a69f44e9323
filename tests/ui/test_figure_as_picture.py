"""An exported figure that is opened as a picture is one; the window says what it is, and where its view is opened."""

from dataclasses import replace

import pytest

import vitviz
from vitviz.attention.values import Selection
from vitviz.images import read_image


@pytest.fixture
def figure(opened, tmp_path):
    path = tmp_path / "figure.png"
    vitviz.save_figure(path, opened.trace, Selection())
    return path


def test_figure_opened_as_a_picture_is_called_one(window, opened, figure):
    image = read_image(figure)
    shown = replace(opened, wish=replace(opened.wish, picture=figure), image=image)
    window.opener.opened.emit(shown)
    assert figure.name in window.status.currentMessage()
    assert "Open session or figure" in window.status.currentMessage()


def test_photograph_is_passed_over_in_silence(window, opened, tmp_path):
    from PIL import Image

    path = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(path)
    window.opener.opened.emit(replace(opened, wish=replace(opened.wish, picture=path)))
    assert "figure of vitviz" not in window.status.currentMessage()
