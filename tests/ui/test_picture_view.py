"""A picture under the mouse: which pixel it is at any zoom, clicks against drags, and views that stay linked."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QApplication, QWidget

from vitviz.attention.values import Place
from vitviz.ui.picture_view import PictureView

HEIGHT, WIDTH = 60, 100


@pytest.fixture
def view(qtbot):
    made = PictureView()
    qtbot.addWidget(made)
    made.resize(431, 317)
    made.show()
    qtbot.waitExposed(made)
    made.set_extent(HEIGHT, WIDTH)
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = rows * 4, cols * 2, 99  # each pixel says where it is
    made.set_pixels(pixels)
    made.set_colors(QColor("#000000"))
    QApplication.processEvents()
    return made


@pytest.fixture
def heard(view):
    log = []
    for name in ("hovered", "left", "clicked", "range_changed"):
        getattr(view, name).connect(lambda *args, name=name: log.append((name, *args)))
    return log


def shown(view):
    return view.grab().toImage()


RANGES = [None, QRectF(10, 5, 40, 30), QRectF(70, 40, 6, 4), QRectF(-80, -60, 300, 200)]


@pytest.mark.parametrize("rect", RANGES, ids=["fit", "near", "very near", "far"])
def test_hover_gives_the_pixel_that_is_drawn_under_the_mouse(view, heard, hover, rect):
    if rect is not None:
        view.box.setRange(rect, padding=0)
    QApplication.processEvents()
    image = shown(view)
    scale = view.position_of(Place(1, 0)).x() - view.position_of(Place(0, 0)).x()
    seen = 0
    for x in range(3, view.width(), 29):
        for y in range(3, view.height(), 23):
            heard.clear()
            hover(view, QPoint(x, y))
            color = image.pixelColor(x, y)
            places = [event[1] for event in heard if event[0] == "hovered"]
            # Within a pixel of the screen of what is drawn there.
            slack = 1.0 / scale + 0.01
            if color.blue() == 0:
                assert all(min(p.x, p.y, WIDTH - p.x, HEIGHT - p.y) < slack for p in places)
                continue
            (place,) = places
            seen += 1
            assert color.green() / 2 - slack <= place.x <= color.green() / 2 + 1 + slack
            assert color.red() / 4 - slack <= place.y <= color.red() / 4 + 1 + slack
    assert seen >= 4


@pytest.mark.parametrize("rect", RANGES[:3], ids=["fit", "near", "very near"])
def test_position_and_place_are_each_other_s_inverse(view, rect):
    if rect is not None:
        view.box.setRange(rect, padding=0)
    inner = rect or QRectF(0, 0, WIDTH, HEIGHT)
    scale = view.position_of(Place(1, 0)).x() - view.position_of(Place(0, 0)).x()
    for u in (0.1, 0.5, 0.83):
        place = Place(inner.x() + u * inner.width(), inner.y() + (1 - u) * inner.height())
        back = view.place_at(view.position_of(place))
        assert (back.x, back.y) == pytest.approx((place.x, place.y), abs=1.01 / scale)


def test_leaving_the_picture_and_the_widget_is_said_once(view, heard, hover):
    hover(view, view.position_of(Place(50, 30)).toPoint())
    hover(view, view.position_of(Place(-1, 30)).toPoint())
    hover(view, QPoint(0, 0))
    QApplication.sendEvent(view, QEvent(QEvent.Type.Leave))
    assert [event[0] for event in heard] == ["hovered", "left"]
    hover(view, view.position_of(Place(50, 30)).toPoint())
    QApplication.sendEvent(view, QEvent(QEvent.Type.Leave))
    assert [event[0] for event in heard] == ["hovered", "left"] * 2


def test_click_gives_its_place(qtbot, view, heard):
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.position_of(Place(70.5, 20.5)).toPoint())
    (clicked,) = [event[1] for event in heard if event[0] == "clicked"]
    assert (clicked.x, clicked.y) == pytest.approx((70.5, 20.5), abs=0.5)


@pytest.mark.parametrize("button", [Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton])
def test_other_buttons_are_no_click(qtbot, view, heard, button):
    qtbot.mouseClick(view.viewport(), button, pos=view.position_of(Place(70.5, 20.5)).toPoint())
    assert not [event for event in heard if event[0] == "clicked"]


def test_click_beside_the_picture_is_nothing(qtbot, view, heard):
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
    assert not [event for event in heard if event[0] == "clicked"]


def drag(qtbot, view, hover, start, end):
    qtbot.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 6):
        qtbot.wait(15)  # pyqtgraph passes on a hundred moves a second
        hover(view, start + (end - start) * step / 5, Qt.MouseButton.LeftButton)
    qtbot.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=end)
    QApplication.processEvents()


def test_drag_pans_is_no_click_and_no_hover(qtbot, view, heard, hover):
    start = view.position_of(Place(50, 30)).toPoint()
    before = view.box.viewRect()
    drag(qtbot, view, hover, start, start + QPoint(60, 20))
    after = view.box.viewRect()
    assert after.x() < before.x() - 3 and after.y() < before.y() - 1
    assert after.width() == pytest.approx(before.width())
    names = {event[0] for event in heard}
    assert "clicked" not in names and "hovered" not in names
    assert "range_changed" in names


def test_trembling_hand_still_clicks(qtbot, view, heard, hover):
    start = view.position_of(Place(50, 30)).toPoint()
    qtbot.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=start)
    hover(view, start + QPoint(2, 1), Qt.MouseButton.LeftButton)
    qtbot.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=start + QPoint(2, 1))
    assert [event[0] for event in heard if event[0] == "clicked"] == ["clicked"]


def wheel(view, position, steps):
    from PySide6.QtGui import QWheelEvent

    at = QPointF(position)
    event = QWheelEvent(
        at, view.viewport().mapToGlobal(at), QPoint(), QPoint(0, 120 * steps), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view.viewport(), event)
    QApplication.processEvents()


def test_wheel_zooms_around_the_mouse(view, heard):
    at = view.position_of(Place(80, 15))
    before = view.box.viewRect().width()
    wheel(view, at, 2)
    assert view.box.viewRect().width() < before * 0.95
    place = view.place_at(at)
    assert (place.x, place.y) == pytest.approx((80, 15), abs=0.6)
    assert "range_changed" in {event[0] for event in heard}


def test_double_click_fits_and_is_not_taken_for_a_click_more(qtbot, view, heard):
    fitted = view.box.viewRect()
    view.box.setRange(QRectF(10, 10, 20, 12), padding=0)
    qtbot.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    again = view.box.viewRect()
    assert [again.x(), again.y(), again.width(), again.height()] == pytest.approx(
        [fitted.x(), fitted.y(), fitted.width(), fitted.height()]
    )
    assert len([event for event in heard if event[0] == "clicked"]) <= 1


def test_whole_picture_is_seen_after_fit_in_any_shape_of_widget(view):
    for size in ((431, 317), (120, 400), (700, 90)):
        view.resize(*size)
        QApplication.processEvents()
        view.fit()
        assert view.box.viewRect().contains(QRectF(0, 0, WIDTH, HEIGHT))


def test_pixels_are_square_at_any_zoom(view):
    for rect in (QRectF(0, 0, 100, 60), QRectF(10, 10, 5, 50), QRectF(0, 0, 80, 2)):
        view.box.setRange(rect, padding=0)
        QApplication.processEvents()
        o, x, y = (view.box.mapViewToScene(QPointF(*p)) for p in ((0, 0), (10, 0), (0, 10)))
        assert x.x() - o.x() == pytest.approx(y.y() - o.y(), rel=1e-3)
        assert y.y() > o.y()  # y points down, as in pictures


def test_linked_views_show_the_same_part_and_do_not_answer_each_other(qtbot, view):
    other = PictureView()
    qtbot.addWidget(other)
    other.resize(view.size())
    other.show()
    other.set_extent(HEIGHT, WIDTH)
    view.range_changed.connect(other.follow)
    other.range_changed.connect(view.follow)
    told = []
    other.range_changed.connect(told.append)
    wheel(view, view.position_of(Place(20, 20)), 3)
    a, b = view.box.viewRect(), other.box.viewRect()
    assert [b.x(), b.y(), b.width(), b.height()] == pytest.approx([a.x(), a.y(), a.width(), a.height()], abs=0.5)
    assert told == []


def test_pixels_may_lie_over_a_part_of_the_picture(view):
    view.set_pixels(np.full((5, 5, 3), 200, dtype=np.uint8), (20.0, 10.0, 30.0, 20.0))
    QApplication.processEvents()
    image = shown(view)
    inside = view.position_of(Place(25, 15)).toPoint()
    outside = view.position_of(Place(60, 40)).toPoint()
    assert image.pixelColor(inside).getRgb()[:3] == (200, 200, 200)
    assert image.pixelColor(outside).getRgb()[:3] == (0, 0, 0)


def test_clear_shows_the_background(view):
    view.set_colors(QColor(10, 20, 30))
    view.clear()
    QApplication.processEvents()
    assert shown(view).pixelColor(200, 150).getRgb()[:3] == (10, 20, 30)


@pytest.mark.parametrize("key", [Qt.Key.Key_Up, Qt.Key.Key_Left, Qt.Key.Key_Home, Qt.Key.Key_M, Qt.Key.Key_Space])
def test_keys_go_on_to_the_window(qtbot, key):
    class Parent(QWidget):
        def keyPressEvent(self, event):
            self.key = event.key()

    parent = Parent()
    qtbot.addWidget(parent)
    view = PictureView(parent)
    parent.show()
    view.setFocus()
    before = view.box.viewRect()
    qtbot.keyClick(view, key)
    assert parent.key == key and view.box.viewRect() == before


def test_pixels_denser_than_the_screen_are_averaged_others_stay_squares(view):
    smooth = QPainter.RenderHint.SmoothPixmapTransform
    view.set_extent(400, 600)
    for times, averaged in ((4, True), (1, False)):
        size = view.box.viewPixelSize()[0]
        view.set_pixels(np.zeros((int(400 * times / size / 2), int(600 * times / size / 2), 3), dtype=np.uint8))
        assert bool(view.renderHints() & smooth) == averaged
    view.box.setRange(QRectF(0, 0, 8, 8), padding=0)
    assert not view.renderHints() & smooth
