"""Files are told apart without harm, and dialogs give what was chosen."""

import os

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtWidgets import QFileDialog

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
