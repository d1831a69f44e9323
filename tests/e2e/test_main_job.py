"""The main job from the command to the file: the demo, a picture of one's own, a patch, a head, a figure, the end."""

import os
import threading

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is imported

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from vitviz import cli
from vitviz.attention.values import Place
from vitviz.ui.jobs import THREAD_NAME

LOADING = 60_000


@pytest.fixture
def cat(tmp_path):
    rows, cols = np.mgrid[:300, :420]
    noise = np.random.default_rng(1).integers(0, 90, (300, 420, 3))
    pixels = np.clip(noise + np.stack([rows, cols, rows + cols], -1) * 0.3, 0, 255).astype(np.uint8)
    path = tmp_path / "cat.png"
    PIL.Image.fromarray(pixels).save(path)
    return path


def drop(window, path):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    how = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPointF(300, 300).toPoint(), *how)
    QApplication.sendEvent(window, enter)
    event = QDropEvent(QPointF(300, 300), *how)
    QApplication.sendEvent(window, event)
    assert enter.isAccepted() and event.isAccepted()


def test_from_the_demo_to_a_figure(qtbot, run, hover, cat, tmp_path):
    def job(window):
        # The demo comes by itself.
        qtbot.waitUntil(lambda: window.pane.map is not None, timeout=LOADING)
        assert window.pane.opened.model.name.startswith("demo") and not window.pane.opened.model.random
        assert window.map_view.view.image.image is not None
        # A picture of one's own.
        with qtbot.waitSignal(window.opened, timeout=LOADING):
            drop(window, cat)
        opened = window.pane.opened
        assert opened.image.name == "cat.png" and "cat.png" in window.windowTitle()
        # Hover, then pin.
        view = window.map_view.view
        hover(view, Place(150.3, 120.2))
        first = window.pane.map
        assert first.query_cell is not None and window.store.state.query is None
        hover(view, Place(260.3, 200.2))
        assert window.pane.map.query_cell != first.query_cell
        qtbot.mouseClick(
            view.viewport(), Qt.MouseButton.LeftButton, pos=view.position_of(Place(150.3, 120.2)).toPoint()
        )
        QApplication.processEvents()
        assert window.pane.map.query_cell == first.query_cell
        # Heads and layers by key.
        window.activateWindow()
        view.setFocus()
        for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Up):
            qtbot.keyClick(view, key)
        chosen = window.pane.map.selection
        assert chosen.head == 1 and chosen.layer == len(opened.trace.layers) - 2
        # The figure is what is shown.
        with qtbot.waitSignal(window.exporter.exported, timeout=LOADING):
            window.exporter.export(tmp_path / "figure.png")
        figure = np.asarray(PIL.Image.open(tmp_path / "figure.png"))
        assert figure.shape == (300, 420, 3) and window.map_view.canvas.scale == 1.0
        assert np.array_equal(figure, window.map_view.view.image.image[..., :3])
        # Esc frees the query.
        qtbot.keyClick(view, Qt.Key.Key_Escape)
        hover(view, Place(-10, -10))
        QApplication.processEvents()
        assert window.store.state.query is None
        assert window.pane.map.selection.query == opened.trace.default_query

    assert run([], job) == 0
    assert THREAD_NAME not in {thread.name for thread in threading.enumerate()}
    # And the command line makes the same figure from its recipe.
    (tmp_path / "again").mkdir()
    assert cli.main(["export", "--recipe", str(tmp_path / "figure.png.json"), "--out", str(tmp_path / "again")]) == 0
    (again,) = (tmp_path / "again").glob("*.png")
    assert again.read_bytes() == (tmp_path / "figure.png").read_bytes()


def test_picture_and_model_of_the_command_line_are_opened(qtbot, run, cat):
    def job(window):
        qtbot.waitUntil(lambda: window.pane.map is not None, timeout=LOADING)
        assert window.pane.opened.image.path == cat
        assert window.pane.opened.model.architecture == "test_vit" and window.pane.opened.model.random
        assert window.model_panel.warning.isVisible()

    assert run([str(cat), "--model", "test_vit", "--random"], job) == 0


def test_window_closed_at_once_ends_with_0(qtbot, run):
    assert run([], lambda window: None) == 0
    assert THREAD_NAME not in {thread.name for thread in threading.enumerate()}
