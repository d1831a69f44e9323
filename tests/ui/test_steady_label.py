"""Words that change under the mouse move nothing below them."""

from vitviz.ui.steady_label import SteadyLabel

LONG = "Window 4 x 4 shifted by 2, 2 · wraps around · 12 keys masked · 3 of 16 places padding " * 2


def test_a_label_keeps_the_height_of_its_tallest_text(qtbot):
    label = SteadyLabel()
    qtbot.addWidget(label)
    label.show()
    label.resize(200, 20)
    one = label.minimumHeight()
    label.setText(LONG)
    tall = label.minimumHeight()
    assert tall >= label.heightForWidth(200) > one
    label.setText("Window 4 x 4")
    assert label.minimumHeight() == tall
    label.resize(2000, 20)
    assert label.minimumHeight() == one


def test_a_label_that_forgets_is_as_high_as_what_it_says(qtbot):
    label = SteadyLabel("Window 4 x 4")
    qtbot.addWidget(label)
    label.show()
    label.resize(200, 20)
    one = label.minimumHeight()
    label.setText(LONG)
    label.setText("Window 4 x 4")
    label.forget()
    assert label.minimumHeight() == one
