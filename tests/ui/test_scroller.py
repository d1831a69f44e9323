"""A panel in little room scrolls: nothing of it is cut off, and it makes no window larger."""

import pytest
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QVBoxLayout, QWidget

from vitviz.ui.scroller import Scroller

LEAST = QSize(60, 50)


@pytest.fixture
def scroller(qtbot):
    panel = QWidget()
    layout = QVBoxLayout(panel)
    words = QLabel("a line that is long enough to be wrapped in a narrow dock " * 3)
    words.setWordWrap(True)
    picture, last = QWidget(), QPushButton("the last thing of the panel")
    picture.setMinimumSize(150, 100)
    for widget in (words, picture, last):
        layout.addWidget(widget)
    made = Scroller(panel, LEAST)
    qtbot.addWidget(made)
    made.show()
    return made


def sized(scroller, width, height):
    scroller.resize(width, height)
    QApplication.processEvents()
    return scroller.widget()


def test_a_widget_with_room_fills_it_and_has_no_bars(scroller):
    panel = sized(scroller, 500, 600)
    assert panel.size() == scroller.size() == QSize(500, 600)
    assert scroller.horizontalScrollBar().maximum() == scroller.verticalScrollBar().maximum() == 0


@pytest.mark.parametrize("size", [(200, 120), (90, 120), (90, 700), (60, 50)])
def test_what_does_not_fit_can_be_scrolled_to(scroller, size):
    panel = sized(scroller, *size)
    last = panel.findChild(QPushButton)
    assert last.geometry().bottom() < panel.height() and last.geometry().right() < panel.width()
    scroller.ensureWidgetVisible(last)
    QApplication.processEvents()
    assert not last.visibleRegion().isEmpty()
    whole = panel.width() - scroller.viewport().width(), panel.height() - scroller.viewport().height()
    assert (scroller.horizontalScrollBar().maximum(), scroller.verticalScrollBar().maximum()) == whole


def test_wrapped_words_get_the_height_that_they_take(scroller):
    panel = sized(scroller, 190, 100)
    words = panel.findChild(QLabel)
    assert words.height() >= words.heightForWidth(words.width())


def test_it_asks_for_no_more_than_it_was_told(scroller):
    assert scroller.minimumSizeHint() == LEAST


def test_a_widget_that_grows_is_followed(scroller):
    panel = sized(scroller, 300, 400)
    more = QWidget()
    more.setMinimumHeight(700)
    panel.layout().addWidget(more)
    QApplication.processEvents()
    assert panel.height() > 700 and scroller.verticalScrollBar().maximum() > 0
    more.hide()
    QApplication.processEvents()
    assert panel.height() == 400
