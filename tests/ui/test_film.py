"""What plays where a figure is previewed: every frame in turn, for its seconds, at the size that there is room for."""

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from vitviz.attention.values import Place
from vitviz.render import preview
from vitviz.ui.export_dialog import ExportDialog
from vitviz.ui.exporting import FILM
from vitviz.ui.film import Film
from vitviz.ui.qimages import pixels_of


def frames(count=3, size=(40, 60)):
    return [np.full((*size, 3), 50 * (i + 1), dtype=np.uint8) for i in range(count)]


@pytest.fixture
def film(qtbot):
    made = Film()
    qtbot.addWidget(made)
    made.resize(200, 100)
    made.show()
    return made


def value(film):
    return int(pixels_of(film.pixmap().toImage())[0, 0, 0])


def test_frames_follow_each_other_and_begin_again(qtbot, film):
    film.play(frames(), 0.02)
    seen = [value(film)]
    for _ in range(6):
        with qtbot.waitSignal(film._clock.timeout):
            pass
        seen.append(value(film))
    assert seen == [50, 100, 150, 50, 100, 150, 50]


@pytest.mark.parametrize("seconds", [0.02, 0.5, 60])
def test_each_frame_has_its_seconds(film, seconds):
    film.play(frames(), seconds)
    assert film._clock.interval() == seconds * 1000 and film.playing


@pytest.mark.parametrize("after", ["show_pixels", "say", "stop"])
def test_what_comes_after_a_film_stands_still(film, after):
    film.play(frames(), 0.02)
    {"show_pixels": lambda: film.show_pixels(frames()[1]), "say": lambda: film.say("none"), "stop": film.stop}[after]()
    assert not film.playing
    if after == "show_pixels":
        assert value(film) == 100
    if after == "say":
        assert film.text() == "none" and film.pixmap().isNull()


def test_frames_are_as_large_as_there_is_room_and_no_larger_than_they_are(film):
    film.play(frames(size=(200, 300)), 1)
    assert film.pixmap().height() == film.height() == 100 and film.pixmap().width() == 150
    film.resize(400, 400)
    assert film.pixmap().width() == 300
    film.show_pixels(frames()[0])
    assert film.pixmap().width() == 60


@pytest.fixture
def dialog(qtbot, window):
    window.store.update(layer=3, head=1, query=Place(62.0, 42.0))
    QApplication.processEvents()
    window.menus.export.trigger()
    (found,) = [each for each in window.findChildren(ExportDialog) if each.isVisible()]
    yield found
    found.close()


def filmed(qtbot, window):
    with qtbot.waitSignal(window.worker.finished, check_params_cb=lambda n, kind, r: kind == FILM, timeout=60_000):
        pass


def test_animation_plays_in_the_dialog_as_the_file_will(qtbot, window, dialog):
    form = dialog.form
    form.extent.setCurrentIndex(form.extent.findData("one column"))
    form.dpi.setValue(90)
    assert form.labels.text() == "Names of tiles"
    form.format.setCurrentIndex(form.format.findData("gif"))
    form.seconds.setValue(0.25)
    assert form.labels.text() == "Names of frames"
    filmed(qtbot, window)
    assert dialog.picture.playing and dialog.picture._clock.interval() == 250
    assert len(dialog.picture.frames) == len(window.pane.opened.trace.layers)
    drawn = [pixels_of(frame.toImage())[..., :3].tobytes() for frame in dialog.picture.frames]
    assert len(set(drawn)) == len(drawn)
    form.format.setCurrentIndex(form.format.findData("png"))
    qtbot.waitUntil(lambda: not dialog.picture.playing, timeout=60_000)
    assert form.labels.text() == "Names of tiles"


def test_long_animation_plays_in_part_and_says_so(qtbot, window, dialog, monkeypatch):
    monkeypatch.setattr(preview, "MOST_FRAMES", 2)
    monkeypatch.setattr(preview, "LONGEST_SIDE", 100)
    dialog.form.format.setCurrentIndex(dialog.form.format.findData("gif"))
    filmed(qtbot, window)
    assert "6 frames, 3.0 s, of which the first 2 play here" in dialog.note.text()
    assert len(dialog.picture.frames) == 2
    assert all(max(frame.width(), frame.height()) == 100 for frame in dialog.picture.frames)
