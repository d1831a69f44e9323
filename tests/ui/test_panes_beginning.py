"""Models named at the start: each in its own pane, asked about that one alone, and what fails leaves no pane behind."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMessageBox

from vitviz.ui.opening import ModelWish


def columns(window):
    QApplication.processEvents()
    return window.panes.columns


@pytest.fixture
def beside(qtbot, bare_window):
    """Begin with the demo, and with sources beside it, and wait until all is opened or told."""

    def begin(*sources):
        bare_window.sources.begin()
        bare_window.comparing.begin([ModelWish(str(source)) for source in sources])
        first = bare_window.panes.columns[0].pane
        qtbot.waitUntil(lambda: first.opened is not None and not bare_window.worker.is_busy(), timeout=60000)
        return bare_window

    return begin


def test_pane_whose_model_never_opened_goes_when_that_is_told(beside, tmp_path):
    window = beside(tmp_path / "none.pth", "demo-swin")
    assert [column.pane.opened.model.source for column in window.panes] == ["demo", "demo-swin"]
    assert any("none.pth" in box.text() for box in window.findChildren(QMessageBox))


@pytest.fixture
def two_networks(tmp_path):
    """A file with two networks, of 2 and of 3 layers."""
    import timm
    import torch

    def made(depth):
        sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 64, "depth": depth, "num_heads": 2, "num_classes": 5}
        return timm.create_model("vit_tiny_patch16_224", **sizes).state_dict()

    path = tmp_path / "two.pth"
    torch.save({"teacher": made(2), "student": made(3)}, path)
    return path


def test_network_that_is_asked_for_is_opened_in_the_pane_that_needs_it(qtbot, beside, two_networks):
    from vitviz.ui.network_dialog import NetworkDialog

    window = beside(two_networks)
    dialog = window.findChild(NetworkDialog)
    dialog.accept()
    qtbot.waitUntil(lambda: all(c.pane.opened for c in window.panes) and not window.worker.is_busy(), timeout=60000)
    assert [column.pane.opened.model.source for column in window.panes] == ["demo", str(two_networks)]


def test_pane_whose_network_is_not_chosen_goes(qtbot, beside, two_networks):
    from vitviz.ui.network_dialog import NetworkDialog

    window = beside(two_networks)
    assert len(window.panes) == 2
    qtbot.keyClick(window.findChild(NetworkDialog), Qt.Key.Key_Escape)
    assert [column.pane.opened.model.source for column in columns(window)] == ["demo"]


def test_pane_that_waits_for_its_first_model_is_named_after_it(bare_window):
    bare_window.sources.begin()
    bare_window.comparing.begin([ModelWish("demo-swin")])
    assert "demo-swin" in bare_window.panes.columns[1].title.name.text()
    bare_window.panes.cancel()
    assert len(columns(bare_window)) == 1
