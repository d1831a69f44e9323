"""The exported file has the pixels that are shown, and failing to write it changes nothing."""

import json
import threading

import numpy as np
import PIL.Image
import pytest
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QFileDialog

from vitviz.attention.values import Place
from vitviz.render import recipe as recipes
from vitviz.ui.files import image_to_array
from vitviz.ui.messages import ErrorBox


def export(qtbot, window, path):
    with qtbot.waitSignal(window.exporter.exported) as signal:
        window.exporter.export(path)
    return signal.args[0]


def settle():
    QApplication.processEvents()


@pytest.mark.parametrize("fields", [{}, {"layer": 1, "head": 0, "query": Place(62.0, 42.0), "interpolation": "smooth"}])
def test_file_has_the_pixels_of_the_pane(qtbot, window, tmp_path, fields):
    window.store.update(**fields)
    settle()
    path = export(qtbot, window, tmp_path / "figure.png")
    assert window.map_view.canvas.scale == 1.0
    assert np.array_equal(np.asarray(PIL.Image.open(path)), window.map_view.view.image.image[..., :3])


def test_recipe_lies_beside_it_and_says_what_is_shown(qtbot, window, tmp_path, opened):
    window.store.update(layer=3, head=1, query=Place(62.0, 42.0), opacity=0.4)
    settle()
    path = export(qtbot, window, tmp_path / "figure.png")
    content = json.loads(path.with_name("figure.png.json").read_text())
    assert content["selection"]["layer"] == 3 and content["selection"]["head"] == 1
    assert content["selection"]["query"] == {"x": 62.0, "y": 42.0}
    assert content["picture"]["sha256"] == opened.image.sha256
    assert content["style"]["limits"] == pytest.approx(window.pane.limits())
    assert content["style"]["opacity"] == 0.4


def test_what_was_shown_when_asked_is_written_whatever_happens_meanwhile(qtbot, window, tmp_path):
    window.store.update(query=Place(62.0, 42.0), layer=2)
    settle()
    before = window.map_view.view.image.image[..., :3].copy()
    gate = threading.Event()
    window.worker.submit("other", lambda progress: gate.wait(5))
    with qtbot.waitSignal(window.exporter.exported) as signal:
        window.exporter.export(tmp_path / "figure.png")
        window.store.update(layer=4, opacity=0.1, query=Place(20.0, 20.0))
        settle()
        gate.set()
    assert np.array_equal(np.asarray(PIL.Image.open(signal.args[0])), before)


def test_file_is_written_in_the_worker(qtbot, window, tmp_path, monkeypatch):
    threads, real = [], recipes.make

    def spy(*args):
        threads.append(threading.current_thread())
        return real(*args)

    monkeypatch.setattr(recipes, "make", spy)
    export(qtbot, window, tmp_path / "figure.png")
    assert threads and threading.main_thread() not in threads


@pytest.mark.parametrize(
    ("asked", "made"), [("a", "a.png"), ("a.PNG", "a.PNG"), ("a.jpg", "a.jpg.png"), ("v1.2", "v1.2.png")]
)
def test_file_is_a_png_by_its_name_too(qtbot, window, tmp_path, asked, made):
    assert export(qtbot, window, tmp_path / asked).name == made


def test_two_exports_one_after_the_other_are_both_written(qtbot, window, tmp_path):
    done = []
    window.exporter.exported.connect(lambda path: done.append(path.name))
    window.exporter.export(tmp_path / "a.png")
    window.exporter.export(tmp_path / "b.png")
    qtbot.waitUntil(lambda: done == ["a.png", "b.png"])


def test_folder_is_remembered_and_the_path_is_told(qtbot, window, tmp_path):
    told = []
    window.exporter.told.connect(told.append)
    export(qtbot, window, tmp_path / "figure.png")
    assert window.settings.value.export_folder == str(tmp_path)
    assert str(tmp_path / "figure.png") in told[-1]
    assert window.status.currentMessage() == told[-1]


def test_folder_that_is_not_there_is_one_sentence(qtbot, window, tmp_path):
    with qtbot.waitSignal(window.worker.failed):
        window.exporter.export(tmp_path / "none" / "figure.png")
    (box,) = [box for box in window.findChildren(ErrorBox) if box.isVisible()]
    assert "figure.png" in box.text() and "folder" in box.text() and "\n" not in box.text()


def test_failed_export_leaves_the_old_file_whole(qtbot, window, tmp_path, monkeypatch):
    path = export(qtbot, window, tmp_path / "figure.png")
    old = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vitviz.atomic.os.write", full)
    window.store.update(opacity=0.1)
    with qtbot.waitSignal(window.worker.failed):
        window.exporter.export(path)
    (box,) = [box for box in window.findChildren(ErrorBox) if box.isVisible()]
    assert "disk is full" in box.text()
    assert path.read_bytes() == old
    assert sorted(each.name for each in tmp_path.iterdir()) == ["figure.png", "figure.png.json"]


def test_copied_figure_is_what_is_shown(window):
    window.store.update(query=Place(62.0, 42.0))
    settle()
    window.exporter.copy()
    copied = image_to_array(QGuiApplication.clipboard().image().convertToFormat(QImage.Format.Format_RGB888))
    assert np.array_equal(copied, window.map_view.view.image.image[..., :3])


def test_dialog_suggests_a_name_that_says_what_it_is(window, tmp_path):
    window.settings.update(export_folder=str(tmp_path))
    window.store.update(layer=3, head=1)
    settle()
    window.exporter.ask()
    (dialog,) = [each for each in window.findChildren(QFileDialog) if each.isVisible()]
    (name,) = dialog.selectedFiles()
    assert "test-picture" in name.replace("_", "-") and "layer-3" in name and "head-1" in name and name.endswith(".png")
    assert name.startswith(str(tmp_path))
    dialog.close()


def test_nothing_shown_nothing_written(qtbot, bare_window, tmp_path):
    bare_window.exporter.export(tmp_path / "figure.png")
    bare_window.exporter.copy()
    bare_window.exporter.ask()
    assert not bare_window.worker.is_busy() and list(tmp_path.iterdir()) == []
    assert not [each for each in bare_window.findChildren(QFileDialog) if each.isVisible()]
