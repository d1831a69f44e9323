"""Words that give way to a narrow pane keep their whole text in `text()` and in the tooltip."""

from vitviz.ui.elided_label import ElidedLabel


def test_a_narrow_label_ends_in_an_ellipsis_and_its_tooltip_has_all(qtbot):
    label = ElidedLabel("Relevance for <b>ring</b> · from CLS, from the first layer to the last")
    qtbot.addWidget(label)
    label.resize(120, 20)
    label.show()
    assert label.shown_text().endswith("…") and len(label.shown_text()) < len(label.text())
    assert label.toolTip() == "Relevance for &lt;b&gt;ring&lt;/b&gt; · from CLS, from the first layer to the last"
    label.resize(900, 20)
    assert label.shown_text() == label.text() and label.toolTip() == ""
    label.resize(120, 20)
    label.setText("Layer 1")
    assert label.shown_text() == "Layer 1" and label.toolTip() == ""


def test_it_asks_for_no_room_for_its_words(qtbot):
    label = ElidedLabel("a title that is much longer than a pane of four is wide")
    qtbot.addWidget(label)
    assert label.minimumSizeHint().width() <= 40


def test_words_go_on_below_from_one_of_their_parts(qtbot):
    label = ElidedLabel("Layer 3 · mean of heads · attention from CLS")
    qtbot.addWidget(label)
    label.show()
    one = label.sizeHint().height()
    label.resize(label.fontMetrics().horizontalAdvance("Layer 3 · mean of heads") + 4, 60)
    assert label.shown_text().endswith("…") and label.toolTip()
    label.set_lines(2)
    assert label.shown_text() == "Layer 3 · mean of heads\nattention from CLS" and label.toolTip() == ""
    assert label.minimumSizeHint().height() == label.sizeHint().height() > one
    label.resize(60, 60)
    assert label.shown_text().startswith("Layer 3\n") and label.toolTip() == label.text()


def test_no_text_is_cut_at_the_width_that_it_asks_for(qtbot):
    label = ElidedLabel()
    qtbot.addWidget(label)
    for number in range(200):
        text = f"({number % 13}, {number % 17}) {number * 1.37e-5:.3e}"
        label.setText(text)
        label.resize(label.sizeHint())
        assert label.shown_text() == text
