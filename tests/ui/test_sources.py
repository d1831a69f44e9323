"""The ways to a picture or a model: drop, paste, dialogs; a wrong one is one sentence and changes nothing."""

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog

from vitviz.errors import UnknownArchitectureError
from vitviz.images import Image
from vitviz.ui.dialogs import NameDialog, SizeDialog
from vitviz.ui.messages import ErrorBox
from vitviz.ui.opening import ModelWish, Wish


@pytest.fixture
def asked(window, monkeypatch):
    """What the opener is asked for; nothing is opened."""
    calls = []
    window.opener._wish = Wish(window.pane.opened.image, ModelWish("test_vit", pretrained=False))
    monkeypatch.setattr(window.opener, "open", lambda **fields: calls.append(fields))
    return calls


@pytest.fixture
def cat(tmp_path):
    path = tmp_path / "cat.png"
    PIL.Image.fromarray(np.full((30, 40, 3), 90, dtype=np.uint8)).save(path)
    return path


def mime_of(*paths):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


def drop(window, mime):
    """Drag over the window and let go, as the window system does; whether the window took it."""
    how = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPointF(50, 50).toPoint(), *how)
    enter.ignore()
    QApplication.sendEvent(window, enter)
    event = QDropEvent(QPointF(50, 50), *how)
    event.ignore()
    if enter.isAccepted():
        QApplication.sendEvent(window, event)
    return event.isAccepted()


def boxes(window):
    return [box for box in window.findChildren(ErrorBox) if box.isVisible()]


def dialogs(kind):
    return [each for each in QApplication.topLevelWidgets() if isinstance(each, kind) and each.isVisible()]


def test_dropped_picture_is_opened_through_the_same_model(window, asked, cat):
    assert drop(window, mime_of(cat))
    assert [(call["picture"], call.get("model")) for call in asked] == [(cat, None)]
    assert window.settings.value.picture_folder == str(cat.parent)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pth", "model.pt", "model.bin"])
def test_dropped_checkpoint_is_opened_on_the_same_picture(window, asked, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"")
    assert drop(window, mime_of(path))
    assert [(call["model"].source, call.get("picture")) for call in asked] == [(str(path), None)]


def test_dropped_folder_is_a_model(window, asked, tmp_path):
    assert drop(window, mime_of(tmp_path))
    assert asked[0]["model"].source == str(tmp_path)


def test_picture_and_checkpoint_dropped_together_are_both_opened(window, asked, cat, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"")
    assert drop(window, mime_of(cat, path))
    assert [call.get("picture") for call in asked] == [cat, None]
    assert asked[1]["model"].source == str(path)


def test_drop_over_any_panel_reaches_the_window(window):
    for panel in (window.map_view.view, window.patches.view, window.atlas.view, window.model_panel):
        widgets = [panel, *([panel.viewport()] if hasattr(panel, "viewport") else [])]
        # A child that accepts drops would keep them from the window.
        assert not any(widget.acceptDrops() for widget in widgets)
    assert window.acceptDrops()


def test_drop_of_text_is_not_taken(window, asked):
    mime = QMimeData()
    mime.setText("hello")
    assert not drop(window, mime)
    assert asked == [] and boxes(window) == []


def test_drop_of_a_web_address_is_not_taken(window, asked):
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.com/cat.png"), QUrl("file://host/share/cat.png")])
    assert not drop(window, mime)
    assert asked == []


@pytest.mark.parametrize("name", ["notes.txt", "<b>bold</b>.xyz", "missing.abc"])
def test_unknown_file_is_one_sentence_in_plain_text(window, asked, tmp_path, name):
    path = tmp_path / name.replace("/", "_")
    if not name.startswith("missing"):
        path.write_text("hello")
    shown = window.pane.opened
    drop(window, mime_of(path))
    (box,) = boxes(window)
    assert box.text().startswith(path.name) and box.textFormat() == Qt.TextFormat.PlainText
    assert "open a PNG" in box.text() and "\n" not in box.text()
    assert asked == [] and window.pane.opened is shown


def test_broken_picture_is_one_sentence_and_the_old_state_stays(qtbot, window, opened, tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    before = window.map_view.view.image.image.copy()
    with qtbot.waitSignal(window.opener.failed):
        drop(window, mime_of(path))
    (box,) = boxes(window)
    assert "broken.png" in box.text() and "\n" not in box.text() and box.textFormat() == Qt.TextFormat.PlainText
    assert window.pane.opened is opened
    assert np.array_equal(window.map_view.view.image.image, before)
    assert str(path) not in window.settings.value.recent_pictures


def test_broken_checkpoint_is_one_sentence_and_the_old_state_stays(qtbot, window, opened, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"\0" * 64)
    with qtbot.waitSignal(window.opener.failed, timeout=20000):
        window.sources.open_source(str(path), architecture="test_vit")
    (box,) = boxes(window)
    assert "model.safetensors" in box.text() and "\n" not in box.text()
    assert window.pane.opened is opened
    assert str(path) not in window.settings.value.recent_models


def test_pasted_picture_has_the_pixels_that_were_copied(window, asked):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 31, 3), dtype=np.uint8)
    image = QImage(pixels.tobytes(), 31, 20, 93, QImage.Format.Format_RGB888).copy()
    QGuiApplication.clipboard().setImage(image)
    window.sources.paste()
    (call,) = asked
    assert isinstance(call["picture"], Image)
    assert np.array_equal(call["picture"].pixels, pixels)


def test_pasted_file_is_opened(window, asked, cat):
    QGuiApplication.clipboard().setMimeData(mime_of(cat))
    window.sources.paste()
    assert [call["picture"] for call in asked] == [cat]


def test_paste_of_nothing_is_one_sentence(window, asked):
    QGuiApplication.clipboard().setText("words")
    window.sources.paste()
    (box,) = boxes(window)
    assert "no picture on the clipboard" in box.text() and asked == []


def test_architecture_is_asked_for_a_bare_file_and_then_used(qtbot, window, asked, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"")
    wish = Wish(None, ModelWish(str(path)))
    window.opener.failed.emit(wish, UnknownArchitectureError("weights.safetensors holds no positions."))
    (dialog,) = dialogs(NameDialog)
    assert boxes(window) == []
    qtbot.keyClicks(dialog.name, "test_vit")
    qtbot.keyClick(dialog.name, Qt.Key.Key_Escape)  # the completer's list
    dialog.accept()
    assert [(c["model"].source, c["model"].architecture) for c in asked] == [(str(path), "test_vit")]


def test_bare_file_that_can_be_told_opens_without_a_question(qtbot, window, tmp_path, opened):
    from safetensors.torch import save_file

    path = tmp_path / "weights.safetensors"
    save_file({k: v.clone() for k, v in opened.model.module.state_dict().items()}, path)
    with qtbot.waitSignal(window.opener.opened, timeout=20000) as signal:
        drop(window, mime_of(path))
    assert not dialogs(NameDialog)
    assert signal.args[0].model.architecture == "test_vit"
    assert window.pane.opened is signal.args[0]


def test_wrong_architecture_is_said_and_not_asked_again_for_ever(window, asked, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"")
    wish = Wish(None, ModelWish(str(path), architecture="vit_base_patch16_224"))
    window.opener.failed.emit(wish, UnknownArchitectureError("It does not fit."))
    assert dialogs(NameDialog) == [] and len(boxes(window)) == 1


def test_name_dialog_opens_what_was_typed(qtbot, window, asked):
    window.sources.ask_name()
    (dialog,) = dialogs(NameDialog)
    dialog.accept()
    assert dialog.isVisible() and asked == []  # nothing was typed
    qtbot.keyClicks(dialog.name, "  vit_base_patch16_224 ")
    dialog.random.setChecked(True)
    dialog.accept()
    (call,) = asked
    assert (call["model"].source, call["model"].pretrained) == ("vit_base_patch16_224", False)


def test_size_dialog_asks_for_the_view_and_the_patches(window, asked):
    window.sources._shown = window.pane.opened
    window.sources.ask_size()
    (dialog,) = dialogs(SizeDialog)
    assert (dialog.height_box.value(), dialog.width_box.value(), dialog.patch_box.value()) == (160, 160, 16)
    dialog.height_box.setValue(96)
    dialog.patch_box.setValue(8)
    dialog.accept()
    (call,) = asked
    assert (call["model"].image_size, call["model"].patch_size) == ((96, 160), 8)
    assert call["model"].num_heads is None
    assert call["model"].source == "test_vit"


def test_size_dialog_corrects_the_number_of_heads_and_nothing_else(window, asked):
    window.sources._shown = window.pane.opened
    window.sources.ask_size()
    (dialog,) = dialogs(SizeDialog)
    assert dialog.heads_box.value() == window.pane.opened.trace.layers[0].num_heads
    dialog.heads_box.setValue(4)
    dialog.accept()
    (call,) = asked
    assert (call["model"].num_heads, call["model"].image_size, call["model"].patch_size) == (4, None, None)


def test_size_dialog_gives_the_models_own_sizes_back(window, asked):
    window.sources._shown = window.pane.opened
    window.sources.ask_size()
    (dialog,) = dialogs(SizeDialog)
    dialog.own.setChecked(True)
    assert not dialog.height_box.isEnabled()
    dialog.accept()
    assert (asked[0]["model"].image_size, asked[0]["model"].patch_size) == (None, None)


@pytest.mark.parametrize("ask", ["ask_picture", "ask_model", "ask_folder"])
def test_file_dialogs_open_without_waiting_and_what_is_chosen_is_opened(window, asked, cat, tmp_path, ask):
    chosen = {"ask_picture": cat, "ask_model": tmp_path / "a.safetensors", "ask_folder": tmp_path}[ask]
    if not chosen.exists():
        chosen.write_bytes(b"")
    getattr(window.sources, ask)()
    (dialog,) = dialogs(QFileDialog)
    dialog.filesSelected.emit([str(chosen)])
    dialog.close()
    assert len(asked) == 1


def test_opened_picture_and_model_are_the_newest_recents(window, opened, cat):
    from vitviz.ui.opening import Opened

    wish = Wish(cat, ModelWish("demo"))
    window.opener.opened.emit(Opened(wish, opened.image, opened.model, opened.trace))
    assert window.settings.value.recent_pictures[0] == str(cat)
    assert window.settings.value.recent_models[0] == "demo"
    (action,) = window.menus.recent_pictures.actions()
    assert str(cat).endswith(action.text().replace("&&", "&").removeprefix("…")) and cat.name in action.text()


def test_recent_picture_is_opened_from_the_menu(window, opened, cat, asked):
    window.settings.add_recent("pictures", str(cat))
    window.menus.recent_pictures.actions()[0].trigger()
    assert [call["picture"] for call in asked] == [cat]


def test_device_and_precision_are_kept_for_the_next_run(window, asked):
    window.sources.set_run(precision="bfloat16", device="cpu")
    assert (window.settings.value.precision, window.settings.value.device) == ("bfloat16", "cpu")
    assert (asked[0]["model"].precision, asked[0]["model"].device) == ("bfloat16", "cpu")


def test_begin_opens_the_wish_of_the_command_line(qtbot, cat, monkeypatch):
    from vitviz.ui.app import create

    window = create(Wish(cat, ModelWish("test_vit", pretrained=False)))
    qtbot.addWidget(window)
    calls = []
    monkeypatch.setattr(window.opener, "open", lambda **fields: calls.append(fields))
    window.show()
    qtbot.waitUntil(lambda: bool(calls))
    assert calls[0]["picture"] == cat and calls[0]["model"].source == "test_vit"
    assert window.first_paint is not None and len(calls) == 1


def test_no_dialog_is_left(window):
    assert dialogs(QDialog) == []
