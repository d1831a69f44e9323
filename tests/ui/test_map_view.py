"""The large map shows the pixels that a file would have, and says what they are."""

import re
from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from vitviz import Ablation
from vitviz.attention.values import Place
from vitviz.images import Image
from vitviz.render.overlay import Canvas, overlay
from vitviz.ui.color_bar import ColorBar
from vitviz.ui.opening import Opened, Wish


@pytest.fixture
def view(window):
    return window.map_view


def expected(window):
    pane, style = window.pane, window.store.state.style
    return overlay(
        pane.opened.image,
        pane.map,
        colormap=style.colormap,
        opacity=style.opacity,
        limits=pane.limits(),
        interpolation=style.interpolation,
        show_query=style.show_query,
    )


CHANGES = [
    {},
    {"layer": 2, "head": 1},
    {"query": Place(62.0, 42.0)},
    {"query": Place(62.0, 42.0), "show_query": False},
    {"opacity": 0.1, "colormap": "magma"},
    {"interpolation": "smooth"},
    {"limits": "all"},
    {"direction": "to", "query": "mean"},
]


@pytest.mark.parametrize("fields", CHANGES, ids=str)
def test_pixels_shown_are_those_of_the_file(window, view, fields):
    window.store.update(**fields)
    QApplication.processEvents()
    assert np.array_equal(view.view.image.image[..., :3], expected(window))
    assert view.canvas.scale == 1.0


def test_map_on_the_screen_has_the_colours_of_the_map(window, view):
    window.store.update(opacity=1.0, layer=3, head=0, query=Place(62.0, 42.0))
    QApplication.processEvents()
    grabbed, wanted = view.view.grab().toImage(), expected(window)
    for x, y in ((30.5, 20.5), (62.5, 42.5), (100.5, 70.5), (90.5, 12.5)):
        color = grabbed.pixelColor(view.view.position_of(Place(x, y)).toPoint()).getRgb()[:3]
        near = wanted[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].reshape(-1, 3)
        assert any(np.abs(near - np.array(color)).max(1) <= 1)


def test_large_picture_is_drawn_reduced_by_the_same_canvas(window, view, opened):
    import vitviz

    pixels = np.random.default_rng(0).integers(0, 256, (300, 1600, 3), dtype=np.uint8)
    image = Image.from_array(pixels)
    window.opener.opened.emit(Opened(Wish(image), image, opened.model, vitviz.trace(opened.model, image)))
    style = window.store.state.style
    wanted = Canvas(image, window.pane.map.view, 0.5).draw(window.pane.map, style, window.pane.limits())
    assert wanted.shape == (150, 800, 4)
    assert np.array_equal(view.view.image.image, wanted)


def value_of(label):
    """The number that a label stands for, whose minus is the longer one of print."""
    assert "-" not in label
    return float(label.replace("−", "-"))


def numbers(bar):
    """The labels as numbers, in units of 1."""
    return [value_of(label) * 10.0**bar.exponent for label in bar.labels()]


def test_colour_bar_labels_are_the_limits_of_the_shown_map(window, view):
    for fields in ({"limits": "map"}, {"limits": "layer"}, {"limits": "all"}, {"limits": (0.1, 0.3)}):
        window.store.update(**fields)
        low, high = window.pane.limits()
        seen = numbers(view.bar)
        assert seen[0] == pytest.approx(high, abs=(high - low) * 0.1)
        assert seen[-1] == pytest.approx(low, abs=(high - low) * 0.1)
        assert view.bar.limits == (low, high)


SCALES = [(0.0, 1.0), (0.0003, 0.00041), (0.0, 1e-6), (0.0, 0.02), (-0.5, 0.5)]


@pytest.mark.parametrize("limits", SCALES)
def test_labels_run_from_top_to_bottom_in_equal_steps_that_differ(qtbot, limits):
    bar = ColorBar()
    qtbot.addWidget(bar)
    bar.show_scale("viridis", limits, "scale of this map")
    step = (limits[1] - limits[0]) / 4
    assert numbers(bar) == pytest.approx(np.linspace(limits[1], limits[0], 5).tolist(), abs=step * 0.11 + 1e-12)
    assert len(set(bar.labels())) == 5


@pytest.mark.parametrize("value", [0.2, 0.0, 0.0039])
def test_one_value_has_one_number_and_one_colour(qtbot, value):
    bar = ColorBar()
    qtbot.addWidget(bar)
    bar.resize(80, 300)
    bar.show_scale("viridis", (value, value), "uniform")
    shown = [label for label in bar.labels() if label]
    assert [value_of(label) * 10.0**bar.exponent for label in shown] == pytest.approx([value])
    column = bar.grab().toImage()
    assert len({column.pixelColor(8, y).name() for y in range(40, 280)}) == 1


def test_power_of_ten_of_the_labels_is_stated(qtbot):
    bar = ColorBar()
    qtbot.addWidget(bar)
    bar.show_scale("viridis", (0.0, 0.0004), "scale of this map")
    assert bar.exponent == -4 and bar.unit() == "×10⁻⁴"
    bar.show_scale("viridis", (0.0, 0.4), "scale of this map")
    assert bar.exponent == 0 and not bar.unit()


@pytest.mark.parametrize("height", [100, 140, 400])
def test_power_of_ten_is_painted_whole_above_the_bar_however_low(qtbot, height):
    bar = ColorBar()
    qtbot.addWidget(bar)
    bar.resize(bar.sizeHint().width(), height)
    space = bar.fontMetrics().height()

    def inked(limits):
        bar.show_scale("viridis", limits, "scale of all layers and a long note")
        image = bar.grab().toImage()
        ground = image.pixel(image.width() - 1, 0)
        return sum(image.pixel(x, y) != ground for x in range(16) for y in range(space // 2))

    assert bar.fontMetrics().horizontalAdvance("×10⁻¹⁰") < bar.width()
    assert inked((0.0, 0.0004)) > 10 and inked((0.0, 0.4)) == 0


def test_colour_bar_is_painted_with_the_highest_colour_on_top(window, view):
    window.store.update(colormap="gray")
    QApplication.processEvents()
    image = view.bar.grab().toImage()
    column = [image.pixelColor(10, y).red() for y in range(14, image.height() - 14)]
    assert column[0] > 230 and column[-1] < 25
    assert all(a >= b - 2 for a, b in pairwise(column))


def test_scale_is_always_stated(window, view):
    said = set()
    for limits in ("map", "layer", "all", (0.0, 1.0)):
        window.store.update(limits=limits)
        said.add(view.bar.toolTip())
    assert len(said) == 4


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"layer": 2, "head": 1, "query": "cls"}, ("ayer 2", "head 1", "CLS")),
        ({"layer": 0, "head": "mean", "query": "mean"}, ("ayer 0", "mean of heads", "MEAN")),
        ({"layer": 5, "head": "max", "query": Place(62.0, 42.0)}, ("ayer 5", "max of heads", r"patch \(\d, \d\)")),
    ],
)
def test_title_says_layer_head_and_query_of_the_shown_map(window, view, fields, words):
    window.store.update(**fields)
    QApplication.processEvents()
    for word in words:
        assert re.search(word, view.title.text())


def test_title_says_which_way_attention_is_read(window, view):
    window.store.update(direction="from")
    QApplication.processEvents()
    first = view.title.text()
    window.store.update(direction="to")
    QApplication.processEvents()
    assert view.title.text() != first


def test_note_gives_the_share_of_the_prefix_tokens(window, view):
    window.store.update(query=Place(62.0, 42.0), layer=1, head=0)
    QApplication.processEvents()
    assert f"{window.pane.map.prefix_weights['cls']:.3f}" in view.note.text()


def test_grid_and_patch_under_the_mouse_are_drawn_over_the_map(window, view):
    window.store.update(opacity=1.0, colormap="gray", limits=(0.9, 1.0), show_query=False)  # all black
    QApplication.processEvents()

    def whites():
        image = view.view.grab().toImage()
        inner = image.copy(image.width() // 3, image.height() // 3, image.width() // 3, image.height() // 3)
        return sum(
            inner.pixelColor(x, y).lightness() > 60 for x in range(inner.width()) for y in range(0, inner.height(), 3)
        )

    assert whites() == 0
    view.show_grid(True)
    lines = whites()
    assert lines > 50
    view.show_grid(False)
    assert whites() == 0


def test_frames_under_the_mouse_come_and_go(window, view):
    from PySide6.QtCore import QRectF

    assert not view.under_mouse.item.isVisible()
    view.mark(QRectF(10, 10, 20, 20))
    assert view.under_mouse.item.isVisible() and view.under_mouse.item.rect() == QRectF(10, 10, 20, 20)
    view.mark(None)
    assert not view.under_mouse.item.isVisible()


def test_the_note_counts_the_patches_that_hold_the_mass(window):
    window.store.update(threshold=0.6)
    values = np.sort(window.pane.map.values, axis=None)[::-1].astype(np.float64)
    held = int(np.argmax(np.cumsum(values) >= 0.6 * values.sum() * (1 - 1e-7))) + 1
    assert f"{held} of {values.size} patches hold 60 %" in window.map_view.note.text()
    window.store.update(threshold=0.0)
    assert "hold" not in window.map_view.note.text()


def test_sentence_of_the_note_has_a_line_of_its_own(qtbot, window, view):
    window.resize(1024, 700)
    window.store.update(layer=2, head=1, ablation=Ablation([(2, 1)]))
    qtbot.waitUntil(lambda: bool(window.pane.map.note) and not window.worker.is_busy(), timeout=20000)
    QApplication.processEvents()
    assert view.note.shown_text().endswith("\nHead 1 is off: this is where it looks, and it moves nothing")
    top = view.view.y()
    window.store.update(head=0)
    QApplication.processEvents()
    assert not window.pane.map.note and view.view.y() == top
