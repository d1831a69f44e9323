"""Every control both ways: what the user does reaches the store, what the store holds is shown, without echo."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QLabel, QStyle, QStyleOptionSlider

from vitviz.attention.values import Place
from vitviz.render.style import COLORMAPS
from vitviz.ui.controls import DIRECTIONS, SCALES, SMOOTHING, ViewControls
from vitviz.ui.palette import CommandPalette, commands
from vitviz.ui.store import Reality, State, Store

SWIN = Reality((3, 6, 12, 24), ("mean",))
CHOICES = {
    "head": ["mean", "max", "min", *range(3)],
    "direction": [value for _, value in DIRECTIONS],
    "colormap": list(COLORMAPS),
    "limits": [value for _, value in SCALES],
    "interpolation": [value for _, value in SMOOTHING],
}


@pytest.fixture
def store(qapp):
    made = Store(State(layer=0))
    made.face(SWIN)
    return made


@pytest.fixture
def controls(qtbot, store):
    bar = ViewControls(store)
    bar.face()
    qtbot.addWidget(bar)
    bar.show()
    qtbot.waitExposed(bar)
    return bar


@pytest.fixture
def log(store, controls):
    changes = []
    store.changed.connect(lambda old, new: changes.append(new))
    return changes


def held(store, field):
    state = store.state
    return getattr(state.style, field) if hasattr(state.style, field) else getattr(state, field)


def pick(qtbot, box, index):
    """Choose an entry with the keyboard, as a user does."""
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Home)
    for _ in range(index):
        qtbot.keyClick(box, Qt.Key.Key_Down)


@pytest.mark.parametrize("field", CHOICES)
def test_choice_of_the_user_reaches_the_store(qtbot, store, controls, log, field):
    box = getattr(controls, field)
    assert [box.itemData(i) for i in range(box.count())] == CHOICES[field]
    for index in reversed(range(box.count())):
        pick(qtbot, box, index)
        assert held(store, field) == CHOICES[field][index]
    assert log


@pytest.mark.parametrize("field", CHOICES)
def test_choice_in_the_store_is_shown_without_echo(store, controls, log, field):
    box = getattr(controls, field)
    for value in [*CHOICES[field][1:], CHOICES[field][0]]:
        log.clear()
        store.update(**{field: value})
        assert box.currentData() == value
        assert len(log) == 1


def test_scale_that_no_entry_stands_for_shows_none(store, controls):
    store.update(limits=(0.0, 0.5))
    assert controls.limits.currentIndex() == -1
    store.update(limits="layer")
    assert controls.limits.currentData() == "layer"


def test_wheel_and_popup_index_alone_are_no_choice(store, controls, log):
    controls.colormap.setCurrentIndex(3)  # as code does; a user's choice comes as `activated`
    assert log == [] and store.state.style.colormap == "viridis"


@pytest.mark.parametrize("key", [Qt.Key.Key_Up, Qt.Key.Key_Down])
def test_layer_box_steps_with_the_keys_and_the_store_follows(qtbot, store, controls, log, key):
    store.update(layer=2)
    log.clear()
    controls.layer.setFocus()
    qtbot.keyClick(controls.layer, key)
    assert [state.layer for state in log] == [1 if key == Qt.Key.Key_Up else 3]


def test_layer_typed_counts_when_it_is_finished(qtbot, store, controls, log):
    controls.layer.setFocus()
    controls.layer.selectAll()
    qtbot.keyClicks(controls.layer, "3")
    assert log == []
    qtbot.keyClick(controls.layer, Qt.Key.Key_Return)
    assert [state.layer for state in log] == [3]


def test_layer_in_the_store_is_shown_with_how_many_there_are_without_echo(store, controls, log):
    store.update(layer=3)
    assert (controls.layer.value(), controls.layer.text()) == (3, "Layer 3 (0–3)")
    assert len(log) == 1
    assert (controls.layer.minimum(), controls.layer.maximum()) == (0, 3)


@pytest.mark.parametrize(("key", "percent"), [(Qt.Key.Key_Home, 0), (Qt.Key.Key_End, 100), (Qt.Key.Key_Right, 61)])
def test_opacity_by_keys_reaches_the_store(qtbot, store, controls, key, percent):
    controls.opacity.setFocus()
    qtbot.keyClick(controls.opacity, key)
    assert store.state.style.opacity == percent / 100
    assert f"{percent} %" in controls.opacity.toolTip()


def test_opacity_dragged_reaches_the_store_on_the_way_and_is_one_step_to_undo(qtbot, store, controls, log):
    slider = controls.opacity
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    part = QStyle.SubControl.SC_SliderHandle
    start = slider.style().subControlRect(QStyle.ComplexControl.CC_Slider, option, part, slider).center()
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=start)
    for step in (8, 16, 24):
        slider.setSliderPosition(60 + step)  # what a drag sets while the button is down
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=start + QPoint(24, 0))
    assert len(log) >= 3 and store.state.style.opacity > 0.6
    assert store.undo() and store.state.style.opacity == 0.6
    assert slider.value() == 60


def test_every_opacity_in_the_store_is_shown_without_echo(store, controls, log):
    for percent in range(101):
        store.update(opacity=percent / 100)
        assert controls.opacity.value() == percent
    assert [round(state.style.opacity * 100) for state in log] == list(range(101))


def test_finer_opacity_than_the_slider_has_is_not_rounded_in_the_store(store, controls):
    store.update(opacity=0.333)
    assert controls.opacity.value() == 33
    assert store.state.style.opacity == 0.333


@pytest.mark.parametrize(("layer", "count"), list(enumerate(SWIN.heads)))
def test_heads_offered_are_those_of_the_layer(store, controls, layer, count):
    store.update(layer=layer)
    assert [controls.head.itemData(i) for i in range(controls.head.count())] == ["mean", "max", "min", *range(count)]
    assert controls.head.itemText(controls.head.count() - 1) == f"Head {count - 1} (0–{count - 1})"


def test_head_is_kept_or_clamped_and_shown_from_layer_to_layer(store, controls, log):
    store.update(layer=3)
    store.update(head=20)
    for layer, head in ((2, 11), (3, 11), (0, 2)):
        log.clear()
        store.update(layer=layer)
        assert (store.state.head, controls.head.currentData()) == (head, head)
        assert len(log) == 1


def test_layer_with_as_many_heads_as_before_still_shows_its_head(store, controls):
    store.face(Reality((12, 12), ("cls", "mean")))
    controls.face()
    store.update(layer=0, head=5)
    store.update(layer=1)
    assert controls.head.currentData() == 5
    store.update(head="mean")
    assert controls.head.currentData() == "mean"


def test_another_model_is_faced(store, controls, log):
    store.update(layer=3, head=23)
    store.face(Reality((4, 4), ("cls", "mean")))
    controls.face()
    assert controls.layer.text() == "Layer 1 (0–1)"
    assert controls.head.currentData() == 3
    assert controls.head.count() == 7


@pytest.mark.parametrize("other", [{"hover": Place(1, 1)}, {"query": "mean"}, {"show_query": False}])
def test_change_of_something_else_leaves_the_controls_alone(store, controls, log, other):
    def shown():
        boxes = [getattr(controls, field).currentIndex() for field in CHOICES]
        return [*boxes, controls.layer.value(), controls.opacity.value()]

    before = shown()
    store.update(**other)
    assert shown() == before and len(log) == 1


def test_every_control_has_a_tooltip_and_a_name_for_screen_readers(controls):
    for name in (*CHOICES, "layer", "opacity"):
        widget = getattr(controls, name)
        assert widget.toolTip() and widget.accessibleName()


def test_colormap_entries_show_their_colours(controls):
    for i in range(controls.colormap.count()):
        strip = controls.colormap.itemIcon(i).pixmap(48, 12).toImage()
        assert strip.pixelColor(2, 6) != strip.pixelColor(45, 6)


def test_layer_says_that_it_is_counted_from_0_and_what_its_title_means(store, controls):
    store.face(Reality((3, 6), ("mean",), ("0.0 regular", "1.0 shifted")))
    store.update(layer=1)
    controls.layer.follow()
    assert controls.layer.text() == "Layer 1 (0–1) · 1.0 shifted"
    assert '"1.0 shifted" is block 0 of stage 1, both counted from 0, in shifted windows' in controls.layer.toolTip()
    store.face(Reality((12,) * 6, ("cls", "mean")))
    controls.face()
    assert controls.layer.text() == "Layer 1 (0–5)" and "stage" not in controls.layer.toolTip()


@pytest.mark.parametrize(
    ("typed", "field", "expected"),
    [
        ("magma", "colormap", "magma"),
        ("opacity 40", "opacity", 0.4),
        ("max of heads", "head", "max"),
        ("head 1", "head", 1),
        ("layer 2", "layer", 2),
        ("is looked at", "direction", "to"),
        ("scale all layers", "limits", "all"),
        ("smoothing smooth", "interpolation", "smooth"),
        ("mass 80", "threshold", 0.8),
        ("method rollout", "method", "rollout"),
    ],
)
def test_the_palette_knows_every_choice_of_the_toolbar(qtbot, window, typed, field, expected):
    palette = CommandPalette(window)
    palette.open()
    qtbot.keyClicks(palette.search, typed)
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    state = window.store.state
    assert getattr(state.style if hasattr(state.style, field) else state, field) == expected


def test_the_palette_names_classes_where_a_method_explains_one(qtbot, window, opened):
    def targets():
        return [each for each in commands(window) if each.menus == ("Target class",)]

    assert targets() == []
    window.store.update(method="relevance")
    found = targets()
    assert [each.name for each in found] == [
        "Top class",
        *(f"{opened.trace.label(i)} ({i})" for i in range(len(found) - 1)),
    ]
    assert len(found) - 1 == opened.trace.logits.size
    found[8].action.trigger()
    assert window.store.state.target == 7


def test_opacity_goes_with_its_name_where_the_toolbar_is_too_narrow(qtbot, store):
    bar = ViewControls(store)
    qtbot.addWidget(bar)
    name = next(label for label in bar.findChildren(QLabel) if label.text() == "Opacity")
    bar.show()
    seen = set()
    for width in range(200, 1300, 20):
        bar.resize(width, 40)
        QApplication.processEvents()
        assert name.isVisible() == bar.opacity.isVisible(), width
        seen.add(name.isVisible())
        if name.isVisible():
            left, right = (each.mapTo(bar, QPoint(0, 0)).x() for each in (name, bar.opacity))
            assert 0 <= right - left - name.width() < 20, width
    assert seen == {False, True}
