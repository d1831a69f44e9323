"""Files are told apart without harm, and pasted pixels arrive as they were."""

import os

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from vitviz.errors import ImageError
from vitviz.ui import files
from vitviz.ui.files import ask_open, ask_save, dropped_paths, image_from_clipboard, image_to_array, kind_of

FORMATS = [each for each in QImage.Format if each not in (QImage.Format.Format_Invalid, QImage.Format.NImageFormats)]


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


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("alpha", [False, True])
def test_clipboard_gives_the_pixels_whatever_the_row_padding(qapp, width, alpha):
    channels = 4 if alpha else 3
    pixels = np.random.default_rng(0).integers(0, 256, (4, width, channels), dtype=np.uint8)
    layout = QImage.Format.Format_RGBA8888 if alpha else QImage.Format.Format_RGB888
    image = QImage(pixels.tobytes(), width, 4, width * channels, layout)
    QGuiApplication.clipboard().setImage(image)
    pasted = image_from_clipboard()
    assert pasted.dtype == np.uint8
    np.testing.assert_array_equal(pasted, pixels)
    QGuiApplication.clipboard().clear()


@pytest.mark.parametrize("layout", FORMATS, ids=lambda each: each.name)
def test_image_of_any_format_becomes_an_array_of_its_own(qapp, layout):
    image = QImage(3, 2, layout)
    image.fill(0xFFFFFFFF)
    array = image_to_array(image)
    assert array.shape in ((2, 3, 3), (2, 3, 4))
    assert array.flags.owndata
    assert array.flags.writeable


def test_transparency_is_straight_not_premultiplied(qapp):
    image = QImage(1, 1, QImage.Format.Format_ARGB32)
    image.setPixel(0, 0, 0x80FF8040)
    premultiplied = image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
    np.testing.assert_allclose(image_to_array(premultiplied)[0, 0], [255, 128, 64, 128], atol=2)


@pytest.mark.parametrize("text", [None, "words"])
def test_clipboard_without_picture_gives_none(qapp, text):
    clipboard = QGuiApplication.clipboard()
    clipboard.clear()
    if text:
        clipboard.setText(text)
    assert image_from_clipboard() is None
    clipboard.clear()


def test_endless_picture_is_refused(qapp, monkeypatch):
    monkeypatch.setattr(files, "MOST_PIXELS", 10)
    with pytest.raises(ImageError, match="4 x 3 pixels"):
        image_to_array(QImage(4, 3, QImage.Format.Format_RGB32))


@pytest.fixture
def parent(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.show()
    return widget


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
    dialog = ask_save(parent, str(tmp_path / "map.svg"), ["SVG (*.svg)"], then=print)
    assert dialog.acceptMode() == QFileDialog.AcceptMode.AcceptSave
    assert dialog.directory().path() == str(tmp_path)
    assert dialog.defaultSuffix() == "svg"
    dialog.close()
