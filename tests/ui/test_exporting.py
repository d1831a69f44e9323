"""The exported file has the pixels that are shown, and failing to write it changes nothing."""

import json
import threading

import numpy as np
import PIL.Image
import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QFileDialog

from vitviz.attention.values import Place
from vitviz.render import recipe as recipes
from vitviz.render.reading import read_recipe
from vitviz.ui.export_choices import recalled
from vitviz.ui.export_dialog import ExportDialog
from vitviz.ui.exporting import PREVIEW
from vitviz.ui.messages import ErrorBox
from vitviz.ui.qimages import pixels_of


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
    copied = pixels_of(QGuiApplication.clipboard().image().convertToFormat(QImage.Format.Format_RGB888))
    assert np.array_equal(copied, window.map_view.view.image.image[..., :3])


@pytest.fixture
def dialog(qtbot, window, tmp_path):
    """The export dialog of a pinned patch, with its first preview."""
    window.settings.update(export_folder=str(tmp_path))
    window.store.update(layer=3, head=1, query=Place(62.0, 42.0))
    settle()
    window.menus.export.trigger()
    (found,) = [each for each in window.findChildren(ExportDialog) if each.isVisible()]
    previewed(qtbot, window)
    yield found
    if shiboken6.isValid(found):
        found.close()


def previewed(qtbot, window):
    with qtbot.waitSignal(
        window.worker.finished, check_params_cb=lambda number, kind, result: kind == PREVIEW, timeout=60_000
    ):
        pass


def written(qtbot, window, dialog, path):
    """Press Export, and choose a path in the dialog that comes."""
    dialog.export.click()
    (chooser,) = [each for each in window.findChildren(QFileDialog) if each.isVisible()]
    (suggested,) = chooser.selectedFiles()
    with qtbot.waitSignal(window.exporter.exported) as signal:
        chooser.filesSelected.emit([str(path)])
    chooser.close()
    return signal.args[0], suggested


def test_preview_is_the_file(qtbot, window, dialog, tmp_path):
    dialog.form.extent.setCurrentIndex(dialog.form.extent.findData("one column"))
    dialog.form.bar.setChecked(True)
    dialog.form.title.setText("A title")
    previewed(qtbot, window)
    path, suggested = written(qtbot, window, dialog, tmp_path / "figure.png")
    assert np.array_equal(np.asarray(PIL.Image.open(path)), dialog._pixels)
    assert "test-picture" in suggested.replace("_", "-") and "layer-3-head-1" in suggested
    assert suggested.startswith(str(tmp_path)) and suggested.endswith(".png")
    content = json.loads(path.with_name("figure.png.json").read_text())
    assert content["figure"]["title"] == "A title" and content["figure"]["width"] == 85.0


def test_what_the_model_did_not_see_can_be_left_out(qtbot, window, dialog, tmp_path):
    wide = dialog._pixels.shape
    qtbot.mouseClick(dialog.form.seen_only, Qt.MouseButton.LeftButton)
    previewed(qtbot, window)
    assert dialog._pixels.shape[1] / dialog._pixels.shape[0] < 0.9 * wide[1] / wide[0]
    path, _ = written(qtbot, window, dialog, tmp_path / "seen.png")
    assert np.array_equal(np.asarray(PIL.Image.open(path)), dialog._pixels)
    assert json.loads(path.with_name("seen.png.json").read_text())["figure"]["seen_only"]
    dialog.form.format.setCurrentIndex(dialog.form.format.findData("mask"))
    assert dialog.form.seen_only.isVisible()
    dialog.form.format.setCurrentIndex(dialog.form.format.findData("npz"))
    assert not dialog.form.seen_only.isVisible()
    previewed(qtbot, window)


def test_dialog_says_what_it_has_written(qtbot, window, dialog, tmp_path):
    path, _ = written(qtbot, window, dialog, tmp_path / "said.png")
    assert dialog.isVisible() and dialog.note.text().startswith(f"Written: {path}")


def test_figure_is_that_of_when_the_dialog_was_opened(qtbot, window, dialog, tmp_path):
    before = window.map_view.view.image.image[..., :3].copy()
    choose(dialog.form.extent, "alone")
    window.store.update(layer=1, query=Place(20.0, 20.0))
    settle()
    path, _ = written(qtbot, window, dialog, tmp_path / "figure.png")
    assert np.array_equal(np.asarray(PIL.Image.open(path)), before)


@pytest.mark.parametrize(
    ("kind", "over", "suffix"),
    [("svg", "map", ".svg"), ("pdf", "layers", ".pdf"), ("gif", "layers", ".gif"), ("npz", "heads", ".npz"),
     ("mask", "map", ".mask.png"), ("apng", "heads", ".apng.png"), ("safetensors", "map", ".safetensors")],
)  # fmt: skip
def test_every_format_is_written_from_the_dialog_and_read_back(qtbot, window, dialog, tmp_path, kind, over, suffix):
    dialog.form.format.setCurrentIndex(dialog.form.format.findData(kind))
    dialog.form.over.setCurrentIndex(dialog.form.over.findData(over))
    dialog.form.extent.setCurrentIndex(dialog.form.extent.findData("one column"))
    dialog.form.dpi.setValue(90)
    previewed(qtbot, window)
    path, suggested = written(qtbot, window, dialog, tmp_path / "figure")
    assert suggested.endswith(suffix) and path.name == f"figure{suffix}"
    plan = read_recipe(path).plan
    assert (plan.format, plan.over) == (kind, over)


def test_letters_that_the_font_lacks_are_said_before_the_file_is_written(qtbot, window, dialog):
    choose(dialog.form.extent, "one column")
    for title, told in (("Eins", ""), ("猫 on mat", "the font lacks 猫, written as [U+732B]; SVG keeps such letters")):
        dialog.form.title.setText(title)
        previewed(qtbot, window)
        assert told in dialog.note.text() and ("the font lacks" in dialog.note.text()) is bool(told)


def test_content_that_a_format_has_not_can_not_be_chosen(qtbot, window, dialog):
    dialog.form.over.setCurrentIndex(dialog.form.over.findData("heads"))
    dialog.form.format.setCurrentIndex(dialog.form.format.findData("mask"))
    assert dialog.form.over.currentData() == "map"
    assert not dialog.form.over.model().item(dialog.form.over.findData("heads")).isEnabled()
    dialog.form.format.setCurrentIndex(dialog.form.format.findData("gif"))
    assert dialog.form.over.currentData() == "layers"
    previewed(qtbot, window)


def choose(box, value):
    box.setCurrentIndex(box.findData(value))


def test_map_under_the_mouse_is_named_exported_and_kept_on_the_screen(qtbot, window, tmp_path, hover):
    window.settings.update(export_folder=str(tmp_path))
    view = window.map_view.view
    hover(view, view.position_of(Place(62.0, 42.0)))
    cell = window.pane.map.query_cell
    assert cell is not None
    before = view.image.image[..., :3].copy()
    window.browsing.play(True)
    window.menus.export.trigger()
    (dialog,) = [each for each in window.findChildren(ExportDialog) if each.isVisible()]
    subject = dialog.subject.text()
    assert subject.startswith(f"Layer 5 · mean of heads · attention from patch ({cell[0]}, {cell[1]}) · ")
    assert window.pane.map.model_name in subject and subject.endswith(window.pane.map.image_name)
    view.left.emit()  # as Qt does when a dialog comes over the picture
    hover(view, view.position_of(Place(20.0, 20.0)))
    window.store.update(hover=None)  # as panels without pixels do
    settle()
    assert not window.browsing._timer.isActive()
    assert np.array_equal(view.image.image[..., :3], before) and window.pane.map.query_cell == cell
    choose(dialog.form.extent, "alone")
    path, _ = written(qtbot, window, dialog, tmp_path / "figure.png")
    assert np.array_equal(np.asarray(PIL.Image.open(path)), before)
    dialog.close()
    settle()
    assert window.pane.map.query_cell is None
    hover(view, view.position_of(Place(80.0, 50.0)))
    assert window.pane.map.query_cell not in (None, cell)


@pytest.mark.parametrize(
    ("kind", "over", "words"),
    [("png", "heads", "All heads of all layers · attention from patch"), ("gif", "heads", "All heads of layer 3 · att"),
     ("png", "layers", "All layers · head 1 · attention from patch"), ("png", "methods", "All methods · from patch"),
     ("npz", "queries", "Layer 3 · head 1 · attention from every patch")],
)  # fmt: skip
def test_subject_says_what_the_file_is_of(qtbot, window, dialog, kind, over, words):
    choose(dialog.form.format, kind)
    choose(dialog.form.over, over)
    previewed(qtbot, window)
    assert dialog.subject.text().startswith(words)


def test_first_figure_has_a_colour_bar_and_says_that_a_recipe_will_be_written(window, dialog):
    figure = dialog.plan().figure
    assert figure.color_bar and figure.width == 85.0 and not figure.bare
    assert "will lie beside" in dialog.note.text()


def test_what_changes_nothing_can_not_be_set(qtbot, window, dialog):
    form = dialog.form
    around = (form.title, form.bar, form.grid, form.label, form.letters, form.theme, form.dpi)
    assert all(widget.isEnabled() for widget in around)
    form.title.setText("A title")
    choose(form.extent, "alone")
    assert not any(widget.isEnabled() for widget in around) and form.scale.isEnabled()
    assert dialog.plan().figure.bare
    choose(form.format, "svg")
    assert form.dpi.isEnabled()
    choose(form.format, "png")
    choose(form.extent, "one column")
    assert dialog.plan().figure.title == "A title" and dialog.plan().figure.color_bar
    form.bar.setChecked(False)
    assert not form.label.isEnabled() and form.letters.isEnabled()
    form.title.clear()
    assert not form.letters.isEnabled()
    choose(form.extent, "own")
    choose(form.over, "heads")
    assert form.extent.currentData() == "two columns"
    assert not form.extent.model().item(form.extent.findData("alone")).isEnabled()
    previewed(qtbot, window)


def test_choices_come_back_and_words_do_not(qtbot, window, dialog):
    dialog.form.format.setCurrentIndex(dialog.form.format.findData("pdf"))
    dialog.form.letters.setValue(10)
    dialog.form.theme.setCurrentIndex(dialog.form.theme.findData("dark"))
    dialog.form.title.setText("Only once")
    dialog.close()
    settle()
    window.menus.export.trigger()
    found = next(each for each in window.findChildren(ExportDialog) if each.isVisible())
    plan = found.plan()
    assert (plan.format, plan.figure.font_size, plan.figure.theme, plan.figure.title) == ("pdf", 10.0, "dark", "")
    previewed(qtbot, window)
    found.close()


@pytest.mark.parametrize("kept", ["", "nonsense", "[]", '{"format": "exe"}', '{"figure": {"dpi": 1e9}}'])
def test_choices_that_can_not_be_read_are_passed_over(window, kept):
    plan = window.exporter.plan()
    assert recalled(plan, kept) == plan


def test_figure_that_is_too_large_is_said_in_the_dialog(qtbot, window, dialog):
    dialog.form.extent.setCurrentIndex(dialog.form.extent.findData("other"))
    dialog.form.width_box.setValue(1000)
    with qtbot.waitSignal(window.worker.failed, check_params_cb=lambda n, kind, e: kind == PREVIEW):
        dialog.form.dpi.setValue(1200)
    assert "megapixels" in dialog.note.text()
    assert not [box for box in window.findChildren(ErrorBox) if box.isVisible()]


def test_copy_of_the_dialog_has_the_pixels_of_the_file(qtbot, window, dialog):
    choose(dialog.form.extent, "own")
    previewed(qtbot, window)
    with qtbot.waitSignal(window.exporter.told):
        dialog.copy.click()
    image = QGuiApplication.clipboard().image().convertToFormat(QImage.Format.Format_RGB888)
    assert np.array_equal(pixels_of(image), dialog._pixels)


def test_nothing_shown_nothing_written(qtbot, bare_window, tmp_path):
    bare_window.exporter.export(tmp_path / "figure.png")
    bare_window.exporter.copy()
    bare_window.exporter.ask()
    assert not bare_window.worker.is_busy() and list(tmp_path.iterdir()) == []
    assert not [each for each in bare_window.findChildren(QFileDialog) if each.isVisible()]
