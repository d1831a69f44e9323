"""Files are told apart without harm, and dialogs give what was chosen."""

import os
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QMimeData, QUrl
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QMessageBox

from vitviz.ui import files
from vitviz.ui.files import ask_open, ask_save, dropped_paths, kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.PNG", "picture"),
        ("b.jpeg", "picture"),
        ("c.safetensors", "checkpoint"),
        ("d.Pth", "checkpoint"),
        ("missing", "unknown"),
        ("a\0b", "unknown"),
        ("x" * 5000, "unknown"),
    ],
)
def test_kind_of_a_name(tmp_path, name, kind):
    assert kind_of(tmp_path / name) == kind


def test_folder_is_one_whatever_its_name(tmp_path):
    (tmp_path / "model.pt").mkdir()
    assert kind_of(tmp_path / "model.pt") == "folder"


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_picture_without_extension_is_known_by_its_bytes(tmp_path, name):
    Image.new("RGB", (3, 2)).save(tmp_path / "picture", format=name)
    assert kind_of(tmp_path / "picture") == "picture"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04rest", "checkpoint"),
        (b"\x80\x02}q\0.", "checkpoint"),
        ((2).to_bytes(8, "little") + b"{}", "checkpoint"),
        ((3).to_bytes(8, "little") + b"{}", "unknown"),  # says that it is longer than it is
        (b"", "unknown"),
        (b"<!DOCTYPE html>", "unknown"),
        (b"RIFF\0\0\0\0WAVE", "unknown"),
    ],
)
def test_other_content_is_known_by_its_bytes(tmp_path, content, kind):
    (tmp_path / "file").write_bytes(content)
    assert kind_of(tmp_path / "file") == kind


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
def test_pipe_is_not_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened"))
    assert kind_of(tmp_path / "pipe") == "unknown"


def test_drop_gives_local_files_only(qapp, tmp_path):
    mime = QMimeData()
    mime.setUrls(
        [
            QUrl.fromLocalFile(str(tmp_path / "a b#1.png")),
            QUrl("https://example.org/cat.png"),
            QUrl("file://server/share/cat.png"),
            QUrl.fromLocalFile(str(tmp_path / "猫.pt")),
        ]
    )
    assert dropped_paths(mime) == [tmp_path / "a b#1.png", tmp_path / "猫.pt"]
    assert dropped_paths(QMimeData()) == []


@pytest.mark.parametrize("kind", ["picture", "checkpoint", "folder"])
def test_dialog_gives_what_was_chosen(qtbot, parent, tmp_path, kind):
    (tmp_path / "a.png").write_bytes(b"")
    chosen = []
    dialog = ask_open(parent, kind, folder=str(tmp_path), then=chosen.extend)
    target = tmp_path if kind == "folder" else tmp_path / "a.png"
    dialog.filesSelected.emit([str(target)])
    dialog.close()
    assert chosen == [target]


def test_dialogs_offer_the_known_formats_then_all(parent):
    for kind, first in (("picture", files.PICTURE_FILTER), ("checkpoint", files.CHECKPOINT_FILTER)):
        dialog = ask_open(parent, kind, then=print)
        assert dialog.nameFilters() == [first, files.ALL_FILTER]
        dialog.close()
    assert files.PICTURE_FILTER == "Pictures (*.png *.jpg *.jpeg *.webp *.bmp *.tif *.tiff *.gif)"
    assert files.CHECKPOINT_FILTER == "Checkpoints (*.safetensors *.pth *.pt *.bin *.npz *.ckpt)"


def test_save_dialog_starts_with_the_suggestion(parent, tmp_path):
    dialog = ask_save(parent, tmp_path / "map.svg", ["SVG (*.svg)"], then=print)
    assert dialog.acceptMode() == QFileDialog.AcceptMode.AcceptSave
    assert dialog.directory().path() == str(tmp_path)
    assert dialog.defaultSuffix() == "svg"
    dialog.close()


class TestSaving:
    """What is typed into the dialog, as a user does."""

    @pytest.fixture
    def chosen(self):
        return []

    @pytest.fixture
    def typed(self, qtbot, parent, tmp_path, chosen):
        """Type a name and press Save."""

        def typed(name, suggested="map.png", filters=("PNG files (*.png)",), **how):
            dialog = ask_save(parent, tmp_path / suggested, list(filters), then=chosen.append, **how)
            self.save_as(qtbot, dialog, name)
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

        return typed

    def save_as(self, qtbot, dialog, name):
        line = dialog.findChild(QLineEdit, "fileNameEdit")

        def is_typed():  # until Qt has read the folder, it keeps to the file that was suggested
            line.clear()
            line.setText(name)
            return Path(dialog.selectedFiles()[0]).name.startswith(name)

        qtbot.waitUntil(is_typed)
        dialog.accept()

    def questions(self, parent):
        return [box for box in parent.findChildren(QMessageBox) if box.isVisible()]

    @pytest.mark.parametrize("name", ["figure 1.2", "figure 1.2.png", "figure 1.2.PNG"])
    def test_file_that_is_there_is_asked_about_before_it_is_chosen(self, parent, tmp_path, chosen, typed, name):
        there = tmp_path / (name if name.lower().endswith(".png") else f"{name}.png")
        there.write_bytes(b"mine")
        typed(name)
        (box,) = self.questions(parent)
        assert str(there) in box.text() and chosen == []
        next(b for b in box.buttons() if b.text() == "Replace").click()
        assert chosen == [there]

    def test_file_that_is_not_to_be_replaced_is_asked_for_again(self, qtbot, parent, tmp_path, chosen, typed):
        (tmp_path / "figure 1.2.png").write_bytes(b"mine")
        typed("figure 1.2")
        (box,) = self.questions(parent)
        box.button(QMessageBox.StandardButton.Cancel).click()
        (again,) = [each for each in parent.findChildren(QFileDialog) if each.isVisible()]
        assert chosen == [] and again.selectedFiles() == [str(tmp_path / "figure 1.2.png")]
        self.save_as(qtbot, again, "figure 1.3")
        assert chosen == [tmp_path / "figure 1.3.png"] and self.questions(parent) == []

    @pytest.mark.parametrize(
        ("name", "suggested", "filters", "target"),
        [
            ("a", "map.png", ["PNG (*.png)", "SVG (*.svg)"], "a.png"),
            ("a 1.2", "map.png", ["PNG (*.png)", "SVG (*.svg)"], "a 1.2.png"),
            ("a.svg", "map.png", ["PNG (*.png)", "SVG (*.svg)"], "a.svg"),
            ("a.SVG", "map.png", ["Figures (*.png *.svg)"], "a.SVG"),
            ("a", "map.mask.png", ["PNG (*.png)", "Mask (*.mask.png)"], "a.mask.png"),
            ("vit.v2", "demo", ["Folders (*)"], "vit.v2"),
        ],
    )
    def test_name_is_completed_by_what_its_filters_have(
        self, tmp_path, chosen, typed, name, suggested, filters, target
    ):
        typed(name, suggested, filters)
        assert chosen == [tmp_path / target]

    def test_name_may_be_completed_otherwise(self, parent, tmp_path, chosen, typed):
        from vitviz.ui.sessions import named

        (tmp_path / "a.vitviz.json").write_bytes(b"mine")
        typed("a.vitviz", "session.vitviz.json", ["Sessions (*.vitviz.json)"], named=named)
        assert chosen == [] and len(self.questions(parent)) == 1
        typed("b.json", "session.vitviz.json", ["Sessions (*.vitviz.json)"], named=named)
        assert chosen == [tmp_path / "b.json"]

    def test_name_that_the_system_can_not_look_up_goes_to_whoever_writes_and_says_so(self, parent, tmp_path, chosen):
        dialog = ask_save(parent, tmp_path / "map.png", ["PNG files (*.png)"], then=chosen.append)
        dialog.filesSelected.emit([str(tmp_path / ("x" * 300))])
        dialog.close()
        assert chosen == [tmp_path / ("x" * 300 + ".png")] and self.questions(parent) == []
