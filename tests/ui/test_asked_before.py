"""A dialog acts on the model that it was asked about, whatever is opened while it is there."""

import json

import pytest
from cli_cases import write_picture
from PySide6.QtWidgets import QApplication, QFileDialog

from vitviz.attention.values import Ablation, Place
from vitviz.models.wish import ModelWish
from vitviz.ui.corrections import CorrectionDialog
from vitviz.ui.folder_dialog import FolderDialog
from vitviz.ui.opening import Wish


def shown(kind):
    (found,) = [each for each in QApplication.topLevelWidgets() if isinstance(each, kind) and each.isVisible()]
    return found


@pytest.fixture
def wishes(two, monkeypatch):
    """What each of two panes is asked to open; nothing is opened."""
    made = {column: [] for column in two.panes}
    for column, calls in made.items():
        monkeypatch.setattr(column.opener, "open", lambda calls=calls, **given: calls.append(given))
    return made


class TestCorrections:
    def test_model_that_arrives_meanwhile_is_not_corrected(self, two, wishes, opened):
        column = two.panes.current_column
        two.sources.ask_corrections()
        dialog = shown(CorrectionDialog)
        column.opener.present(opened)
        dialog.mean_line.setText("0.1")
        dialog.accept()
        assert wishes[column] == [{"model": ModelWish("ragged", mean=(0.1,) * 3)}]

    def test_model_that_is_being_opened_meanwhile_is_not_corrected(self, two, wishes):
        column = two.panes.current_column
        two.sources.ask_corrections()
        column.opener._wish = Wish(None, ModelWish("another"))
        shown(CorrectionDialog).own.setChecked(True)
        shown(CorrectionDialog).accept()
        assert wishes[column] == [{"model": ModelWish("ragged")}]

    @staticmethod
    def _corrected_from_another(two):
        """A mean is said of the second pane, while the first is current; both."""
        first, second = two.panes
        two.sources.ask_corrections()
        two.panes.set_current(first)
        shown(CorrectionDialog).mean_line.setText("0.1")
        shown(CorrectionDialog).accept()
        return first, second

    def test_pane_that_the_dialog_speaks_of_is_corrected_where_another_is_current(self, two, wishes):
        first, second = self._corrected_from_another(two)
        assert wishes == {first: [], second: [{"model": ModelWish("ragged", mean=(0.1,) * 3)}]}

    def test_correction_that_can_not_be_is_asked_again_about_the_same_pane(self, two, wishes):
        from vitviz.errors import ModelError

        _, second = self._corrected_from_another(two)
        second.opener.failed.emit(Wish(None, ModelWish("ragged", mean=(0.1,) * 3)), ModelError("It can't be."))
        again = shown(CorrectionDialog)
        assert again.trouble.text() == "It can't be." and again.mean_line.text() == "0.1, 0.1, 0.1"
        assert two.panes.current_column is second

    def test_pane_that_was_closed_meanwhile_is_told(self, two, wishes):
        from vitviz.ui.messages import ErrorBox

        two.sources.ask_corrections()
        two.panes.close_column(two.panes.current_column)
        shown(CorrectionDialog).mean_line.setText("0.1")
        shown(CorrectionDialog).accept()
        box = shown(ErrorBox)
        assert "was closed" in box.text() and list(wishes.values()) == [[], []]


def test_model_that_the_dialog_named_is_saved(qtbot, demo, opened, tmp_path):
    import vitviz

    window = demo("demo")
    window.saver.ask()
    dialog = shown(QFileDialog)
    assert dialog.selectedFiles()[0].endswith("demo")
    window.opener.present(opened)
    with qtbot.waitSignal(window.saver.saved, timeout=60_000):
        dialog.filesSelected.emit([str(tmp_path / "demo")])
    dialog.close()
    assert vitviz.load_model(tmp_path / "demo").architecture != opened.model.architecture


def test_view_that_was_asked_about_is_made_of_a_folder(qtbot, two, opened, tmp_path):
    album, out = tmp_path / "album", tmp_path / "out"
    album.mkdir()
    write_picture(album / "0.png", size=(40, 60), seed=0)
    two.panes.set_current(two.panes.columns[0])
    two.store.update(layer=2, head=1, query="cls", limits=(0.0, 0.5), ablation=Ablation(frozenset({(1, 0)})))
    qtbot.waitUntil(lambda: bool(two.pane.opened.trace.ablation), timeout=30_000)
    QApplication.processEvents()
    two.menus.export_folder.trigger()
    for folder in (album, out):
        dialog = shown(QFileDialog)
        dialog.filesSelected.emit([str(folder)])
        dialog.close()
        QApplication.processEvents()
    dialog = shown(FolderDialog)
    two.store.update(ablation=Ablation(), query=Place(62.0, 42.0), limits="map")
    two.panes.set_current(two.panes.columns[1])
    QApplication.processEvents()
    with qtbot.waitSignal(two.folder_exporter.done, timeout=30_000):
        dialog.export.click()
    (recipe,) = [json.loads(path.read_text()) for path in out.glob("*.json")]
    assert recipe["model"]["architecture"] == opened.model.architecture
    assert (recipe["selection"]["layer"], recipe["selection"]["query"]) == (2, "cls")
    assert recipe["ablation"]["heads"] == [[1, 0]] and recipe["style"]["limits"] == [0.0, 0.5]
