"""A row that wraps: its lines are full, nothing in it is cut, and what is hidden takes no room."""

import pytest
from PySide6.QtCore import QRect, QSize
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from vitviz.ui.wrapping import Wrapping, narrow


class Block(QWidget):
    """A widget of one size, or one that may be wider."""

    def __init__(self, width, height=20, policy=QSizePolicy.Policy.Fixed):
        super().__init__()
        self._size = QSize(width, height)
        self.setSizePolicy(policy, QSizePolicy.Policy.Fixed)

    def sizeHint(self):
        return self._size

    minimumSizeHint = sizeHint


@pytest.fixture
def laid(qtbot):
    """Some widgets in a row of a width, in a column with something below them."""

    holders = []

    def lay(width, *widgets):
        holder = QWidget()
        holders.append(holder)
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(Wrapping(*widgets, spacing=10))
        column.addStretch(1)
        qtbot.addWidget(holder)
        holder.resize(width, 400)
        holder.show()
        QApplication.processEvents()
        return [widget.geometry() for widget in widgets]

    return lay


def test_what_fits_stands_in_one_line_at_its_own_width(laid):
    low, high = laid(210, Block(100), Block(100, 30))
    assert (low, high) == (QRect(0, 5, 100, 20), QRect(110, 0, 100, 30))


def test_what_does_not_fit_goes_on_below_the_highest_of_its_line(laid):
    first, second, third = laid(209, Block(100), Block(100), Block(40))
    assert (first.x(), first.width()) == (0, 100)
    assert (second.x(), second.top()) == (0, first.height() + 10)
    assert (third.x(), third.top()) == (110, second.top())


def test_lines_are_filled_by_what_may_grow_and_by_nothing_else(laid):
    fixed, wide, other = laid(305, Block(100), Block(50, 20, QSizePolicy.Policy.Expanding), Block(50))
    assert (fixed.width(), wide.width(), other.width()) == (100, 305 - 100 - 50 - 20, 50)
    assert other.x() + other.width() == 305


def test_what_is_hidden_leaves_no_gap(laid):
    hidden = Block(100)
    hidden.hide()
    first, _, last = laid(210, Block(100), hidden, Block(100))
    assert (last.x(), last.top()) == (110, first.top())


def test_words_beside_a_button_get_the_height_that_they_take(laid):
    label = QLabel("a line that is long enough to be wrapped in a narrow dock " * 2)
    label.setWordWrap(True)
    for width in (420, 180):
        words, button = laid(width, label, QPushButton("Export…"))
        assert words.height() >= label.heightForWidth(words.width())
        assert not words.intersects(button) and max(words.right(), button.right()) < width
    assert button.top() > words.bottom(), "a narrow row has the button below the words"


@pytest.mark.parametrize("width", [90, 150, 400])
def test_box_with_long_names_is_as_wide_as_the_room(laid, width):
    box = QComboBox()
    box.addItem("Mean attention distance, patches renormalised, in pixels")
    narrow(box, 4)
    (found,) = laid(width, box)
    assert (found.x(), found.width()) == (0, width)
