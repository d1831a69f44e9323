"""The ways to a picture or a model: drop, paste, dialogs; a wrong one is one sentence and changes nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QDialog, QDialogButtonBox, QFileDialog, QToolButton

from vitviz.errors import UnknownArchitectureError, ViewWantedError
from vitviz.images import Image
from vitviz.models.wish import ModelWish
from vitviz.ui.corrections import CorrectionDialog
from vitviz.ui.messages import ErrorBox
from vitviz.ui.name_dialog import NameDialog
from vitviz.ui.network_dialog import NetworkDialog
from vitviz.ui.opening import NetworkWantedError, Wish
from vitviz.ui.view_dialog import ViewDialog

LEFT = Qt.MouseButton.LeftButton


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


@pytest.mark.parametrize("name", ["heads.pdf", "heads.SVG"])
def test_figure_without_its_recipe_is_told_what_is_missing(window, asked, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"%PDF-1.4")
    drop(window, mime_of(path))
    (box,) = boxes(window)
    assert f"{name}.json, which is not beside it" in box.text() and "\n" not in box.text() and asked == []


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


def test_architecture_is_asked_for_a_file_that_can_not_be_told_and_then_used(qtbot, window, asked, tmp_path):
    path = tmp_path / "weights.safetensors"
    wish = Wish(None, ModelWish(str(path), num_heads=3))
    window.opener.failed.emit(wish, UnknownArchitectureError("weights.safetensors holds no positions."))
    (dialog,) = dialogs(NameDialog)
    assert boxes(window) == [] and not dialog.random.isVisible()
    qtbot.keyClicks(dialog.name, "vit_tiny_patch16_224")
    qtbot.keyClick(dialog.name, Qt.Key.Key_Return)
    (model,) = [call["model"] for call in asked]
    assert model == ModelWish(str(path), "vit_tiny_patch16_224", num_heads=3)


def test_network_is_asked_for_a_file_with_several_and_the_default_stated(qtbot, window, asked, tmp_path):
    path = tmp_path / "dino.pth"
    wish = Wish(None, ModelWish(str(path)))
    window.opener.failed.emit(wish, NetworkWantedError("dino.pth", ("teacher", "student")))
    (dialog,) = dialogs(NetworkDialog)
    assert dialog.list.item(0).text().endswith("(the default)") and dialog.list.currentRow() == 0
    qtbot.keyClick(dialog.list, Qt.Key.Key_Down)
    qtbot.keyClick(dialog.list, Qt.Key.Key_Return)
    assert [call["model"] for call in asked] == [ModelWish(str(path), network="student")]


def test_network_of_a_file_with_two_is_chosen_before_it_opens_and_after(qtbot, window, tmp_path, opened):
    import torch

    weights = {k: v.clone() for k, v in opened.model.module.state_dict().items()}
    other = {k: v + 0.5 if k == "cls_token" else v for k, v in weights.items()}
    path = tmp_path / "dino.pth"
    torch.save({"teacher": weights, "student": other}, path)
    with qtbot.waitSignal(window.opener.failed, timeout=20000):
        drop(window, mime_of(path))
    (dialog,) = dialogs(NetworkDialog)
    assert window.pane.opened is opened and boxes(window) == []
    dialog.list.setCurrentRow(1)
    with qtbot.waitSignal(window.opener.opened, timeout=20000) as signal:
        dialog.accept()
    model = signal.args[0].model
    assert model.networks == ("student", "teacher") and torch.equal(model.module.cls_token, other["cls_token"])
    window.sources.ask_corrections()
    (correcting,) = dialogs(CorrectionDialog)
    assert correcting.network_box.count() == 2 and correcting.network_box.currentText().startswith("student")
    correcting.network_box.setCurrentIndex(1)
    with qtbot.waitSignal(window.opener.opened, timeout=20000) as signal:
        correcting.accept()
    assert torch.equal(signal.args[0].model.module.cls_token, weights["cls_token"])


def test_view_of_positions_that_are_no_square_is_asked_for_and_then_used(qtbot, window, tmp_path, opened):
    import timm
    import torch

    network = timm.create_model("test_vit", img_size=(96, 160), num_classes=3)
    path = tmp_path / "wide.pth"
    torch.save(network.state_dict(), path)
    with qtbot.waitSignal(window.opener.failed, timeout=20000):
        drop(window, mime_of(path))
    (dialog,) = dialogs(ViewDialog)
    assert window.pane.opened is opened and boxes(window) == []
    assert dialog.list.item(0).text() == "160 px high, 96 px wide (10 x 6 patches)"
    qtbot.keyClick(dialog.list, Qt.Key.Key_Down)
    with qtbot.waitSignal(window.opener.opened, timeout=20000) as signal:
        qtbot.keyClick(dialog.list, Qt.Key.Key_Return)
    model = signal.args[0].model
    assert model.preprocessing.input_size == (96, 160)
    assert torch.equal(model.module.pos_embed, network.pos_embed)


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


class TestNames:
    @pytest.fixture
    def dialog(self, window, asked):
        window.sources.ask_name()
        (made,) = dialogs(NameDialog)
        return made

    def test_nothing_typed_opens_nothing(self, qtbot, dialog, asked):
        qtbot.keyClick(dialog.name, Qt.Key.Key_Return)
        assert dialog.isVisible() and asked == []

    def test_words_find_and_enter_opens_the_first(self, qtbot, dialog, asked):
        qtbot.keyClicks(dialog.name, "Small DINOv2 reg4")
        shown = [named.name for named in dialog.table.shown]
        assert shown and all("small" in name and "dinov2" in name for name in shown)
        assert shown[0] in dialog.chosen.text()
        qtbot.keyClick(dialog.name, Qt.Key.Key_Return)
        assert [call["model"] for call in asked] == [ModelWish(shown[0])]

    def test_down_and_up_choose_while_the_keyboard_stays_in_the_line(self, qtbot, dialog, asked):
        qtbot.keyClicks(dialog.name, "swinv2")
        for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp):
            qtbot.keyClick(dialog.name, key)
        qtbot.keyClick(dialog.name, Qt.Key.Key_Down)
        wanted = dialog.table.shown[2].name
        assert dialog.list.currentIndex().row() == 2 and dialog.chosen.text().endswith(wanted)
        qtbot.keyClick(dialog.name, Qt.Key.Key_Return)
        assert asked[0]["model"].source == wanted

    def test_row_clicked_is_opened_by_double_click(self, qtbot, dialog, asked):
        qtbot.keyClicks(dialog.name, "eva02 tiny")
        place = dialog.list.visualRect(dialog.table.index(1, 0)).center()
        qtbot.mouseClick(dialog.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
        wanted = dialog.table.shown[1].name
        qtbot.mouseDClick(dialog.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
        assert [call["model"].source for call in asked] == [wanted]

    @pytest.mark.parametrize("text", ["hf-hub:somebody/vit", "somebody/vit", "resnet18"])
    def test_other_names_are_taken_as_they_stand(self, qtbot, dialog, asked, text):
        qtbot.keyClicks(dialog.name, f" {text} ")
        qtbot.keyClick(dialog.name, Qt.Key.Key_Return)
        assert [call["model"].source for call in asked] == [text]

    def test_random_weights(self, qtbot, dialog, asked):
        qtbot.keyClicks(dialog.name, "vit_base_patch16_224")
        dialog.random.click()
        qtbot.keyClick(dialog.name, Qt.Key.Key_Return)
        assert asked[0]["model"].source.startswith("vit_base_patch16_224") and not asked[0]["model"].pretrained

    def test_escape_opens_nothing(self, qtbot, dialog, asked):
        qtbot.keyClicks(dialog.name, "vit")
        qtbot.keyClick(dialog.name, Qt.Key.Key_Escape)
        assert asked == [] and dialogs(NameDialog) == []

    def test_each_row_says_family_parameters_and_view(self, dialog):
        dialog.name.setText("vit_base_patch16_384.augreg_in21k_ft_in1k")
        row = [dialog.table.data(dialog.table.index(0, column)) for column in range(5)]
        assert row[1:] == ["VisionTransformer", "86.9 M", "384 px", "1000"]


class TestCorrections:
    @pytest.fixture
    def dialog(self, window, asked):
        window.sources.ask_corrections()
        (made,) = dialogs(CorrectionDialog)
        return made

    def test_it_shows_what_is_now(self, dialog, window):
        assert (dialog.height_box.value(), dialog.width_box.value(), dialog.patch_box.value()) == (160, 160, 16)
        assert dialog.heads_box.value() == window.pane.opened.trace.layers[0].num_heads
        assert dialog.mean_line.text() == "0.5, 0.5, 0.5" and dialog.eps_line.text() == "1e-06"

    def test_the_architecture_is_shown_with_how_it_was_found_and_searched_by_words_inside(self, dialog):
        assert dialog.architecture_line.placeholderText() == "test_vit" and dialog.architecture_line.text() == ""
        completer = dialog.architecture_line.completer()
        completer.setCompletionPrefix("window16_256")
        found = {completer.completionModel().index(i, 0).data() for i in range(completer.completionCount())}
        assert "swinv2_tiny_window16_256" in found and all("window16_256" in name for name in found)

    def test_what_was_not_changed_is_not_asked_for(self, dialog, asked):
        dialog.accept()
        assert asked == [] and dialogs(CorrectionDialog) == []

    @pytest.mark.parametrize(
        ("change", "wanted"),
        [
            (lambda d: d.architecture_line.setText(" test_vit2 "), {"architecture": "test_vit2"}),
            (lambda d: d.height_box.setValue(96), {"image_size": (96, 160)}),
            (lambda d: d.patch_box.setValue(8), {"patch_size": 8}),
            (lambda d: d.heads_box.setValue(4), {"num_heads": 4}),
            (lambda d: d.mean_line.setText("0.485, 0.456,0.406"), {"mean": (0.485, 0.456, 0.406)}),
            (lambda d: d.std_line.setText("0.25"), {"std": (0.25, 0.25, 0.25)}),
            (lambda d: d.eps_line.setText("1e-5"), {"norm_eps": 1e-5}),
            (lambda d: d.labels_line.setText("/names.txt"), {"labels": Path("/names.txt")}),
        ],
    )
    def test_one_change_is_asked_for_and_nothing_else(self, dialog, asked, change, wanted):
        change(dialog)
        dialog.accept()
        assert [call["model"] for call in asked] == [ModelWish("test_vit", pretrained=False, **wanted)]

    @pytest.mark.parametrize(
        ("line", "text", "sentence"),
        [
            ("mean_line", "a, b", "The mean must be"), ("std_line", "1, 2", "The std must be"),
            ("std_line", "0", "greater than 0"), ("eps_line", "-1", "The norm epsilon must be"),
        ],
    )  # fmt: skip
    def test_what_can_not_be_read_is_said_and_the_dialog_stays(self, dialog, asked, line, text, sentence):
        getattr(dialog, line).setText(text)
        dialog.accept()
        assert dialog.isVisible() and sentence in dialog.trouble.text() and asked == []

    def test_all_as_the_model_has_them(self, window, asked):
        wish = Wish(None, ModelWish("test_vit", num_heads=4, network="teacher", mean=(0.1,) * 3))
        window.pane.show(replace(window.pane.opened, wish=wish))
        window.sources.ask_corrections()
        (dialog,) = dialogs(CorrectionDialog)
        dialog.own.click()
        assert not dialog.height_box.isEnabled()
        dialog.accept()
        assert [call["model"] for call in asked] == [ModelWish("test_vit", network="teacher")]

    def test_button_of_the_model_panel_asks_too(self, qtbot, window, asked):
        (button,) = [b for b in window.model_panel.findChildren(QToolButton) if b.text() == "Correct…"]
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert len(dialogs(CorrectionDialog)) == 1


def test_what_was_typed_comes_back_with_the_reason_where_a_correction_can_not_be(qtbot, window):
    with qtbot.waitSignal(window.opener.opened, timeout=20000):
        window.sources.open_source("demo")
    window.sources.ask_corrections()
    (dialog,) = dialogs(CorrectionDialog)
    for box, value in ((dialog.heads_box, 5), (dialog.height_box, 112)):
        box.setValue(value)
    for line, text in ((dialog.mean_line, "0.1, 0.2, 0.3"), (dialog.eps_line, "1e-05")):
        line.setText(text)
    with qtbot.waitSignal(window.opener.failed, timeout=20000):
        qtbot.mouseClick(dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok), LEFT)
    (again,) = [each for each in dialogs(CorrectionDialog) if each is not dialog]
    assert "5 heads" in again.trouble.text() and boxes(window) == []
    assert (again.heads_box.value(), again.height_box.value()) == (5, 112)
    assert (again.mean_line.text(), again.eps_line.text()) == ("0.1, 0.2, 0.3", "1e-05")
    again.heads_box.setValue(window.pane.opened.trace.layers[0].num_heads)
    with qtbot.waitSignal(window.opener.opened, timeout=20000) as signal:
        qtbot.mouseClick(again.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok), LEFT)
    model = signal.args[0].model
    assert model.preprocessing.mean == (0.1, 0.2, 0.3) and model.norm_eps == 1e-5
    assert model.preprocessing.input_size[0] == 112


def test_model_is_saved_into_a_folder_that_opens(qtbot, window, tmp_path):
    import dataclasses

    import vitviz

    model = vitviz.load_model("demo")
    window.pane.show(
        dataclasses.replace(window.pane.opened, model=model, trace=vitviz.trace(model, window.pane.opened.image))
    )
    with qtbot.waitSignal(window.saver.saved, timeout=20000) as signal:
        window.saver.save(tmp_path / "mine")
    assert signal.args == [tmp_path / "mine"] and vitviz.load_model(tmp_path / "mine").labels == model.labels
    with qtbot.waitSignal(window.worker.failed, timeout=20000):
        window.saver.save(tmp_path / "mine")
    (box,) = boxes(window)
    assert "not empty" in box.text()


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
    (action,) = window.menus.recents.pictures.actions()
    assert str(cat).endswith(action.text().replace("&&", "&").removeprefix("…")) and cat.name in action.text()


def test_recent_picture_is_opened_from_the_menu(window, opened, cat, asked):
    window.settings.add_recent("pictures", str(cat))
    window.menus.recents.pictures.actions()[0].trigger()
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


@pytest.mark.parametrize(
    "error",
    [
        ViewWantedError(60, (16, 16)),
        NetworkWantedError("a.pth", ("teacher", "student")),
        UnknownArchitectureError("a.pth holds no positions."),
    ],
)
def test_answer_goes_to_the_pane_that_asks(two, monkeypatch, error):
    first, second = two.panes.columns
    assert two.panes.current_column is second
    asked = []
    for name, column in (("first", first), ("second", second)):
        monkeypatch.setattr(column.opener, "open", lambda name=name, **given: asked.append(name))
    first.opener.failed.emit(Wish(None, ModelWish("a.pth")), error)
    assert two.panes.current_column is first
    (dialog,) = dialogs(ViewDialog) + dialogs(NetworkDialog) + dialogs(NameDialog)
    if isinstance(dialog, NameDialog):
        dialog.name.setText("test_vit")
    dialog.accept()
    assert asked == ["first"]
