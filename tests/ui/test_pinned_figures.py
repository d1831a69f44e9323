"""A dropped figure pins what was pinned when it was exported, and nothing else."""

import json
from dataclasses import replace

import pytest
from drop_cases import drop_and_wait
from PySide6.QtWidgets import QApplication

import vitviz
from vitviz import cli
from vitviz.attention.values import Place, Selection
from vitviz.render.codec import to_json
from vitviz.render.plan import Plan
from vitviz.ui.samples import pictures

PLACE = Place(100.0, 90.0)


def exported(qtbot, window, path):
    QApplication.processEvents()
    with qtbot.waitSignal(window.exporter.exported, timeout=60_000):
        window.exporter.export(path)
    return path


@pytest.mark.parametrize("query", [None, "cls", "mean", PLACE], ids=["nothing", "cls", "mean", "patch"])
@pytest.mark.parametrize("method", ["attention", "rollout", "relevance"])
def test_what_was_pinned_comes_back_pinned(qtbot, demo, tmp_path, method, query):
    window = demo("demo")
    window.store.update(layer=2, method=method, query=query)
    qtbot.waitUntil(lambda: window.pane.map is not None and window.pane.map.selection.method == method, timeout=60_000)
    path = exported(qtbot, window, tmp_path / "figure.png")
    for other in ("reg0", PLACE, None):
        window.store.update(query=other, method="attention")
    drop_and_wait(qtbot, window, path)
    assert (window.store.state.query, window.store.state.method) == (query, method)


def test_hovered_patch_comes_back_pinned_because_the_figure_shows_it(qtbot, demo, tmp_path):
    window = demo("demo")
    window.store.update(hover=PLACE)
    path = exported(qtbot, window, tmp_path / "figure.png")
    window.store.update(hover=None)
    drop_and_wait(qtbot, window, path)
    assert window.store.state.query == PLACE
    assert "pinned" not in json.loads(path.with_name("figure.png.json").read_text())


@pytest.mark.parametrize(
    ("model", "layer", "query"),
    [("demo", 2, "cls"), ("demo", 2, "mean"), ("demo", 2, (3, 1)), ("demo-swin", 0, "mean"), ("demo-swin", -1, (1, 0))],
)
def test_figure_of_the_command_line_pins_only_what_must_be_to_show_it(qtbot, demo, tmp_path, model, layer, query):
    asked = query if isinstance(query, str) else "{},{}".format(*query)
    where = ["--model", model, "--layer", str(layer), "--query", asked, "--device", "cpu", "--out", str(tmp_path)]
    assert cli.main(["export", str(pictures()[0]), *where]) == 0
    (path,) = tmp_path.glob("*.png")
    window = demo(model)
    drop_and_wait(qtbot, window, path)
    pinned, trace = window.store.state.query, window.pane.opened.trace
    wanted = vitviz.attention_map(trace, layer=layer, query=query)
    assert window.pane.map.values.tolist() == wanted.values.tolist() and window.pane.map.query_cell == wanted.query_cell
    if query == trace.default_query:
        assert pinned is None
    elif isinstance(query, str):
        assert pinned == query
    else:
        assert isinstance(pinned, Place)  # as a click holds it, so that a click frees it


def test_panes_of_a_comparison_come_back_pinned_and_drawn_as_each_was(qtbot, demo, tmp_path):
    window = demo("demo")
    window.linking.update(cursor=False, colours=False)
    window.comparing.add.trigger()
    first, second = window.panes.columns
    first.store.update(query="cls")
    second.store.update(query=None, colormap="magma", limits="layer")
    QApplication.processEvents()
    states = [replace(each.store.state, hover=None) for each in (first, second)]
    with qtbot.waitSignal(window.comparing.exported, timeout=60_000):
        window.comparing.export_to(tmp_path / "two.png")
    first.store.update(query=None)
    second.store.update(query=PLACE, colormap="viridis", limits="map")
    drop_and_wait(qtbot, window, tmp_path / "two.png")
    assert [replace(each.store.state, hover=None) for each in window.panes] == states


def test_plan_with_nothing_pinned_is_what_it_was_before_pins_were_told():
    assert "pinned" not in to_json(Plan())
    assert to_json(Plan(Selection(2, query="cls"), pinned="cls"))["pinned"] == "cls"


@pytest.mark.parametrize("query", [None, "cls", PLACE])
def test_figure_with_a_pin_is_made_again_byte_for_byte(qtbot, demo, tmp_path, query):
    window = demo("demo")
    window.store.update(query=query, layer=1)
    path = exported(qtbot, window, tmp_path / "figure.png")
    out = tmp_path / "again"
    out.mkdir()
    assert cli.main(["export", "--recipe", f"{path}.json", "--out", str(out), "--device", "cpu"]) == 0
    (again,) = out.glob("*.png")
    assert again.read_bytes() == path.read_bytes()
