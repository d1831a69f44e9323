"""An animation that is dropped on the window brings back the view from which it was made, which goes on from there."""

import json
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from drop_cases import drop, drop_and_wait
from PySide6.QtWidgets import QApplication

from vitviz.attention.values import Place
from vitviz.render.figure import Figure


def shown(window):
    return replace(window.store.state, hover=None), window.map_view.view.image.image.copy()


def film(qtbot, window, path, **fields):
    plan = replace(window.exporter.plan(), figure=Figure(color_bar=True, scale=0.2), **fields)
    with qtbot.waitSignal(window.exporter.exported, timeout=60_000) as signal:
        window.exporter.export(path, plan)
    return signal.args[0]


@pytest.mark.parametrize(
    ("kind", "over", "limits", "alone"),
    [
        ("gif", "layers", "map", False),
        ("gif", "queries", "layer", False),
        ("apng", "heads", "layer", False),
        ("apng", "layers", "map", True),
    ],
)
def test_dropped_film_brings_its_view_back(qtbot, demo, tmp_path, kind, over, limits, alone):
    window = demo("demo")
    window.store.update(layer=3, head=1, query=Place(100.0, 90.0), direction="to", opacity=0.4, limits=limits)
    QApplication.processEvents()
    state, pixels = shown(window)
    scale = "figure" if limits == "map" else limits
    path = film(qtbot, window, tmp_path / "film", format=kind, over=over, scale=scale, seconds=0.2)
    with PIL.Image.open(path) as moving:
        assert moving.n_frames > 3
    if alone:
        path.with_name(f"{path.name}.json").unlink()
    window.store.update(layer=0, head="mean", query=None, direction="from", opacity=0.9, limits="all", colormap="magma")
    demo("demo-swin")
    assert shown(window)[0] != state
    drop_and_wait(qtbot, window, path)
    assert window.pane.opened.model.name == "demo"
    again, drawn = shown(window)
    assert again == state and np.array_equal(drawn, pixels)
    # The dialog would write the same film, byte for byte.
    second = film(qtbot, window, tmp_path / "second", format=kind, over=over, scale=scale, seconds=0.2)
    assert second.read_bytes() == path.read_bytes()


def test_a_gif_without_its_recipe_is_a_picture(qtbot, demo, tmp_path):
    window = demo("demo")
    path = film(qtbot, window, tmp_path / "film.gif", format="gif", over="layers", scale="figure")
    recipe = path.with_name("film.gif.json")
    assert json.loads(recipe.read_text())["file"]["over"] == "layers"
    recipe.unlink()
    with qtbot.waitSignal(window.opened, timeout=60_000):
        drop(window, path)
    assert window.pane.opened.image.name == "film.gif"
