"""A dialog acts on the model that it was asked about, whatever is opened while it is there."""

import pytest
from PySide6.QtWidgets import QApplication

from vitviz.models.wish import ModelWish
from vitviz.ui.corrections import CorrectionDialog
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

    def test_pane_that_the_dialog_speaks_of_is_corrected_where_another_is_current(self, two, wishes):
        first, second = two.panes
        two.sources.ask_corrections()
        two.panes.set_current(first)
        shown(CorrectionDialog).mean_line.setText("0.1")
        shown(CorrectionDialog).accept()
        assert wishes == {first: [], second: [{"model": ModelWish("ragged", mean=(0.1,) * 3)}]}

    def test_correction_that_can_not_be_is_asked_again_about_the_same_pane(self, two, wishes):
        from vitviz.errors import ModelError

        first, second = two.panes
        two.sources.ask_corrections()
        two.panes.set_current(first)
        shown(CorrectionDialog).mean_line.setText("0.1")
        shown(CorrectionDialog).accept()
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
