"""A folder exported from the window: every picture once, failures summed up, cancelled and gone on with."""

import json
from dataclasses import replace

import pytest
from cli_cases import write_picture
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QFileDialog, QMessageBox

from vitviz.attention.values import Ablation
from vitviz.ui.export_choices import remembered
from vitviz.ui.folder_dialog import FolderDialog
from vitviz.ui.messages import ErrorBox


@pytest.fixture
def album(tmp_path):
    folder = tmp_path / "photos ü"
    folder.mkdir()
    for i in range(4):
        write_picture(folder / f"{i}.png", size=(40, 60), seed=i)
    return folder


def test_every_picture_is_written_as_the_view_is(qtbot, window, album, tmp_path):
    window.store.update(layer=2, head=1, opacity=0.3, limits="layer")
    QApplication.processEvents()
    with qtbot.waitSignal(window.folder_exporter.done, timeout=30_000) as signal:
        window.folder_exporter.export(album, tmp_path / "out")
    assert (signal.args[0].exported, signal.args[0].problems) == (4, [])
    recipes = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("*.json")]
    assert len(recipes) == 4 and len({r["picture"]["sha256"] for r in recipes}) == 4
    assert {(r["selection"]["layer"], r["selection"]["head"], r["style"]["opacity"]) for r in recipes} == {(2, 1, 0.3)}
    assert "4 pictures exported" in window.status.currentMessage()


def asked(window, album, out):
    """Choose both folders; the dialog that says what will be made."""
    window.menus.export_folder.trigger()
    (first,) = [d for d in window.findChildren(QFileDialog) if d.isVisible()]
    first.filesSelected.emit([str(album)])
    first.close()
    (second,) = [d for d in window.findChildren(QFileDialog) if d.isVisible() and d is not first]
    second.filesSelected.emit([str(out)])
    second.close()
    (found,) = [d for d in window.findChildren(FolderDialog) if d.isVisible()]
    return found


def test_two_folders_are_asked_for_and_what_is_made_is_said(qtbot, window, album, tmp_path):
    window.store.update(layer=2, head=1)
    QApplication.processEvents()
    dialog = asked(window, album, tmp_path / "out")
    assert dialog.words.text().startswith("PNG picture: Layer 2 · head 1 · attention from CLS · ")
    assert not (tmp_path / "out").exists()
    with qtbot.waitSignal(window.folder_exporter.done, timeout=30_000):
        dialog.export.click()
    assert len(list((tmp_path / "out").glob("*.png"))) == 4


def test_figure_of_a_folder_is_changed_before_it_begins(qtbot, window, album, tmp_path):
    out = tmp_path / "out"
    dialog = asked(window, album, out)
    form = dialog.form
    form.format.setCurrentIndex(form.format.findData("npz"))
    form.over.setCurrentIndex(form.over.findData("layers"))
    assert dialog.words.text().startswith("Numbers, NPZ: All layers · mean of heads · attention from CLS · ")
    with qtbot.waitSignal(window.folder_exporter.done, timeout=30_000):
        dialog.export.click()
    recipes = [json.loads(path.read_text()) for path in out.glob("*.json")]
    assert [(r["file"]["format"], r["file"]["over"]) for r in recipes] == [("npz", "layers")] * 4


def test_cancelled_question_writes_nothing(window, album, tmp_path):
    dialog = asked(window, album, tmp_path / "out")
    dialog.buttons.button(QDialogButtonBox.StandardButton.Cancel).click()
    QApplication.processEvents()
    assert not window.worker.is_busy() and not (tmp_path / "out").exists()


@pytest.mark.parametrize(("last", "made"), [(("gif", "layers"), ("png", "map")), (("pdf", "heads"), ("pdf", "heads"))])
def test_folder_begins_with_the_last_figure_unless_that_was_an_animation(window, last, made):
    plan = replace(window.exporter.plan(), format=last[0], over=last[1])
    window.settings.update(export_plan=remembered(plan))
    found = window.folder_exporter.plan()
    assert (found.format, found.over) == made


@pytest.mark.parametrize(("scale", "limits"), [("figure", "map"), ("map", "map"), ("layer", "layer"), ("all", "all")])
def test_scale_of_a_sheet_is_worked_out_for_each_picture(qtbot, window, album, tmp_path, scale, limits):
    plan = replace(window.folder_exporter.plan(), format="npz", over="heads", scale=scale)
    with qtbot.waitSignal(window.folder_exporter.done, timeout=30_000):
        window.folder_exporter.export(album, tmp_path / "out", plan)
    recipes = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("*.json")]
    assert [(r["file"]["scale"], r["style"]["limits"]) for r in recipes] == [(scale, limits)] * 4


def test_broken_pictures_are_summed_up_and_the_rest_is_written(qtbot, window, album, tmp_path):
    (album / "broken.png").write_bytes(b"\x89PNG nothing")
    with qtbot.waitSignal(window.folder_exporter.done, timeout=30_000) as signal:
        window.folder_exporter.export(album, tmp_path / "out")
    assert signal.args[0].exported == 4 and len(signal.args[0].problems) == 1
    (box,) = [b for b in window.findChildren(QMessageBox) if b.isVisible()]
    assert "1 failed" in box.text() and "broken.png" in box.detailedText()


def test_cancelled_export_goes_on_where_it_stopped(qtbot, window, album, tmp_path):
    for i in range(4, 40):
        write_picture(album / f"{i}.png", size=(40, 60), seed=i)
    out = tmp_path / "out"
    with qtbot.waitSignal(window.worker.cancelled, timeout=30_000):
        window.folder_exporter.export(album, out)
        qtbot.waitUntil(lambda: len(list(out.glob("*.json"))) >= 3, timeout=30_000)
        window.status.cancel.click()
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert 3 <= len(before) < 40
    with qtbot.waitSignal(window.folder_exporter.done, timeout=60_000) as signal:
        window.folder_exporter.export(album, out)
    assert signal.args[0].exported + signal.args[0].skipped == 40 and signal.args[0].skipped >= 3
    assert len(list(out.glob("*.png"))) == 40
    assert all(path.stat().st_mtime_ns == before[path] for path in before)


def test_heads_that_are_off_are_off_in_the_figures(qtbot, window, album, tmp_path):
    ablation = Ablation(frozenset({(1, 0)}))
    window.store.update(ablation=ablation)
    qtbot.waitUntil(lambda: window.pane.opened.trace.ablation == ablation, timeout=30_000)
    with qtbot.waitSignal(window.folder_exporter.done, timeout=30_000):
        window.folder_exporter.export(album, tmp_path / "out")
    recipes = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("*.json")]
    assert [r["ablation"]["heads"] for r in recipes] == [[[1, 0]]] * 4


def test_empty_folder_is_one_sentence(qtbot, window, tmp_path):
    (tmp_path / "empty").mkdir()
    with qtbot.waitSignal(window.worker.failed):
        window.folder_exporter.export(tmp_path / "empty", tmp_path / "out")
    (box,) = [b for b in window.findChildren(ErrorBox) if b.isVisible()]
    assert "no picture" in box.text()
