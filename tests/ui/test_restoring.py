"""Sessions, dropped figures, the session after a crash, and a view as lines of Python."""

import json
import os
import runpy
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import shiboken6
from cli_cases import ARCHITECTURE, write_checkpoint, write_picture
from drop_cases import drop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMessageBox

import vitviz
from vitviz.attention.methods import METHODS
from vitviz.attention.values import Ablation, Place
from vitviz.errors import Cancelled, FileError
from vitviz.models import loading
from vitviz.models.wish import ModelWish
from vitviz.ui.messages import ErrorBox
from vitviz.ui.sessions import MAX_BYTES, SUFFIX, decode, encode, named, read_session


def settle():
    QApplication.processEvents()


@pytest.fixture(scope="module")
def files(tmp_path_factory, sharp):
    folder = tmp_path_factory.mktemp("files with ü")
    picture, other = write_picture(folder / "cat 猫.png"), write_picture(folder / "dog.png", seed=8)
    return picture, other, write_checkpoint(folder / "weights.safetensors", sharp)


@pytest.fixture
def real(qtbot, bare_window, files):
    """The window with a picture and a checkpoint from files in it."""
    wish = ModelWish(str(files[2]), ARCHITECTURE, device="cpu")
    with qtbot.waitSignal(bare_window.opened, timeout=60_000):
        bare_window.panes.open(picture=files[0], model=wish)
    settle()
    return bare_window


def chosen(window):
    return replace(window.store.state, hover=None)


def export(qtbot, window, path):
    with qtbot.waitSignal(window.exporter.exported):
        window.exporter.export(path)
    return path


def ran(lines, folder):
    """What a script leaves behind."""
    script = folder / "copied.py"
    script.write_text(lines, encoding="utf-8")
    return runpy.run_path(str(script))


def errors(window):
    return [box.text() for box in window.findChildren(ErrorBox) if box.isVisible()]


@pytest.mark.parametrize("alone", [False, True], ids=["with the file beside", "PNG alone"])
def test_dropped_figure_brings_its_view_back(qtbot, real, tmp_path, alone):
    real.store.update(layer=3, head=1, query=Place(62.0, 42.0), direction="to", opacity=0.4, colormap="magma")
    settle()
    wanted, pixels = chosen(real), real.map_view.view.image.image.copy()
    path = export(qtbot, real, tmp_path / "figure.png")
    if alone:
        path.with_name("figure.png.json").unlink()
    real.store.update(layer=0, head="mean", query=None, direction="from", opacity=0.9, colormap="viridis")
    with qtbot.waitSignal(real.restorer.restored, timeout=60_000):
        drop(real, path)
    settle()
    assert chosen(real) == wanted and not errors(real)
    assert np.array_equal(real.map_view.view.image.image, pixels)


def test_last_word_on_a_dropped_figure_is_that_its_view_is_back(qtbot, real, tmp_path):
    path = export(qtbot, real, tmp_path / "figure.png")
    with qtbot.waitSignal(real.restorer.restored, timeout=60_000):
        drop(real, path)
    qtbot.waitUntil(lambda: real.status.currentMessage() == "The view is back.")


@pytest.mark.parametrize(
    ("typed", "made"),
    [
        ("work", "work.vitviz.json"),
        ("work.vitviz", "work.vitviz.json"),
        ("work.vitviz.json", "work.vitviz.json"),
        ("work.json", "work.json"),
    ],
)
def test_session_is_called_as_it_was_typed(tmp_path, typed, made):
    assert named(tmp_path / typed) == tmp_path / made


def test_dropped_figure_opens_its_picture_and_model(qtbot, real, files, tmp_path):
    real.store.update(layer=2, head=0, query="cls")
    settle()
    wanted, path = chosen(real), export(qtbot, real, tmp_path / "figure.png")
    with qtbot.waitSignal(real.opened, timeout=60_000):
        real.panes.open(picture=files[1], model=ModelWish("demo", device="cpu"))
    with qtbot.waitSignal(real.restorer.restored, timeout=60_000):
        drop(real, path)
    opened = real.pane.opened
    assert opened.image.name == files[0].name and opened.wish.model.source == str(files[2])
    assert chosen(real) == wanted and not errors(real)


def test_figure_of_switched_off_heads_comes_back_altered(qtbot, real, tmp_path):
    ablation = Ablation(frozenset({(1, 0), (2, 1)}))
    real.store.update(ablation=ablation, layer=4)
    qtbot.waitUntil(lambda: real.pane.opened.trace.ablation == ablation, timeout=30_000)
    path = export(qtbot, real, tmp_path / "figure.png")
    values = real.pane.map.values.copy()
    real.store.update(ablation=Ablation(), layer=0)
    qtbot.waitUntil(lambda: not real.pane.opened.trace.ablation, timeout=30_000)
    with qtbot.waitSignal(real.restorer.restored, timeout=60_000):
        drop(real, path)
    qtbot.waitUntil(lambda: real.pane.opened.trace.ablation == ablation, timeout=30_000)
    settle()
    assert np.array_equal(real.pane.map.values, values)


def test_missing_picture_is_said_and_nothing_changes(qtbot, real, files, tmp_path):
    moved = tmp_path / "gone.png"
    shutil.copy(files[1], moved)
    with qtbot.waitSignal(real.opened, timeout=60_000):
        real.panes.open(picture=moved)
    path = export(qtbot, real, tmp_path / "sub.png")
    with qtbot.waitSignal(real.opened, timeout=60_000):
        real.panes.open(picture=files[0])
    moved.unlink()
    before = chosen(real)
    with qtbot.waitSignal(real.worker.failed):
        drop(real, path)
    (said,) = errors(real)
    assert "gone.png" in said and "was not found" in said and chosen(real) == before
    assert real.pane.opened.image.name == files[0].name


def test_other_weights_are_said(qtbot, real, files, tmp_path, sharp):
    path = export(qtbot, real, tmp_path / "figure.png")
    sidecar = path.with_name("figure.png.json")
    weights = write_checkpoint(tmp_path / "weights.safetensors", lambda module: sharp(module, seed=5))
    content = json.loads(sidecar.read_text())
    content["model"]["source"] = str(weights)
    sidecar.write_text(json.dumps(content))
    with qtbot.waitSignal(real.opened, timeout=60_000):
        real.panes.open(model=ModelWish("demo", device="cpu"))
    with qtbot.waitSignal(real.restorer.restored, timeout=60_000):
        drop(real, sidecar)
    assert "other ones now" in errors(real)[0]


def test_model_of_the_hub_is_not_fetched_without_asking(qtbot, real, tmp_path, monkeypatch):
    path = export(qtbot, real, tmp_path / "figure.png")
    sidecar = path.with_name("figure.png.json")
    content = json.loads(sidecar.read_text())
    content["model"] |= {"source": "vit_tiny_patch16_224", "sha256": "0" * 64}
    sidecar.write_text(json.dumps(content))
    shown = real.pane.opened
    monkeypatch.setattr("vitviz.models.hub.fetch_repository", lambda *a, **k: pytest.fail("fetched"))
    with qtbot.waitSignal(real.worker.finished):
        drop(real, sidecar)
    (box,) = [b for b in real.findChildren(QMessageBox) if b.isVisible()]
    assert "vit_tiny_patch16_224" in box.text() and "hub" in box.text()
    box.button(QMessageBox.StandardButton.No).click()
    settle()
    assert real.pane.opened is shown and not real.worker.is_busy()


@pytest.mark.parametrize("data", [b"", b"[]", b'{"format": "vitviz figure"}', b"\x89PNG\r\n\x1a\n", b"{" * 10_000])
def test_foreign_files_are_one_sentence(qtbot, window, tmp_path, data):
    path = tmp_path / "foreign.json"
    path.write_bytes(data)
    with qtbot.waitSignal(window.worker.failed):
        drop(window, path)
    (said,) = errors(window)
    assert "foreign.json" in said and "\n" not in said and "File > Save session" in said and "figure" in said


def test_session_of_two_panes_comes_back(qtbot, real, tmp_path):
    first = real.panes.columns[0]
    real.linking.update(layer="own", head=False)
    real.store.update(layer=3, head=1, query=Place(62.0, 42.0))
    with qtbot.waitSignal(real.opened, timeout=60_000):
        second = real.panes.add(ModelWish("demo", device="cpu"))
    real.store.update(layer=1, head="max", colormap="inferno")
    settle()
    states = [replace(c.store.state, hover=None) for c in (first, second)]
    with qtbot.waitSignal(real.restorer.told):
        real.restorer.save(tmp_path / "mine")
    path = tmp_path / f"mine{SUFFIX}"
    real.panes.close_column(second)
    real.linking.update(layer="depth", head=True)
    real.store.update(layer=0, head="mean", query=None, colormap="viridis")
    with qtbot.waitSignal(real.restorer.restored, timeout=60_000):
        drop(real, path)
    settle()
    assert [replace(c.store.state, hover=None) for c in real.panes] == states
    assert [c.pane.opened.model.name for c in real.panes][1] == "demo"
    assert (real.linking.links.layer, real.linking.links.head) == ("own", False)
    assert real.panes.current_column is real.panes.columns[1] and not errors(real)


def test_dropped_comparison_brings_its_panes_back(qtbot, real, tmp_path):
    real.linking.update(layer="own", head=False, cursor=False, scale=True)
    real.store.update(layer=3, head=1, query=Place(62.0, 42.0))
    with qtbot.waitSignal(real.opened, timeout=60_000):
        real.panes.add(ModelWish("demo", device="cpu", patch_size=32))
    real.store.update(layer=1, head="max", query="cls", colormap="inferno")
    settle()
    states = [replace(c.store.state, hover=None) for c in real.panes]
    with qtbot.waitSignal(real.comparing.exported, timeout=60_000):
        real.comparing.export_to(tmp_path / "two.png")
    limits = {c.map_view.bar.limits for c in real.panes}
    real.linking.update(scale=False)
    real.panes.close_column(real.panes.columns[0])
    with qtbot.waitSignal(real.opened, timeout=60_000):
        real.panes.open(model=ModelWish("demo-swin", device="cpu"))
    real.store.update(layer=0, head="mean", query=None, colormap="viridis")
    with qtbot.waitSignal(real.restorer.restored, timeout=60_000):
        drop(real, tmp_path / "two.png")
    settle()
    assert not errors(real)
    assert [(c.pane.opened.wish.model.patch_size, replace(c.store.state, hover=None)) for c in real.panes] == [
        (None, states[0]), (32, states[1])
    ]  # fmt: skip
    assert (real.linking.links.layer, real.linking.links.head) == ("own", False)
    assert real.linking.links.scale and {c.map_view.bar.limits for c in real.panes} == limits and len(limits) == 1


def test_panes_of_a_dropped_comparison_show_what_it_says_though_links_are_on(qtbot, real, tmp_path):
    pinned = Place(61.0, 41.5)  # not in the middle of a patch
    real.linking.update(layer="own", head=False)
    real.store.update(layer=4, head=1, query=pinned)
    for layer, head in ((4, 1), (2, 0)):
        real.panes.add()
        real.store.update(layer=layer, head=head)
    settle()
    states = [replace(c.store.state, hover=None) for c in real.panes]
    assert [(s.layer, s.head, s.query) for s in states] == [(4, 1, pinned), (4, 1, pinned), (2, 0, pinned)]
    with qtbot.waitSignal(real.comparing.exported, timeout=60_000):
        real.comparing.export_to(tmp_path / "three.png")
    real.linking.update(layer="depth", head=True)
    real.store.update(layer=0, head="mean", query=None)
    assert len({c.store.state for c in real.panes}) == 1
    with qtbot.waitSignal(real.restorer.restored, timeout=60_000):
        drop(real, tmp_path / "three.png")
    settle()
    assert [replace(c.store.state, hover=None) for c in real.panes] == states and not errors(real)
    assert [(c.pane.map.selection.layer, c.pane.map.selection.head) for c in real.panes] == [(4, 1), (4, 1), (2, 0)]
    links = real.linking.links
    assert (links.layer, links.head) == ("own", False) and links.cursor and links.colours and links.zoom
    assert not real.comparing.switches["head"].isChecked() and real.comparing.switches["cursor"].isChecked()
    assert real.status.currentMessage() == "The view is back. Its panes differ: no longer linked are layer, head."


def test_dropped_comparison_whose_panes_agree_leaves_all_links_on(qtbot, real, tmp_path):
    before = real.linking.links
    real.store.update(layer=4, head=1, query=Place(61.0, 41.5))
    with qtbot.waitSignal(real.opened, timeout=60_000):
        real.panes.add(ModelWish("demo", device="cpu", patch_size=32))
    settle()
    states = [replace(c.store.state, hover=None) for c in real.panes]
    with qtbot.waitSignal(real.comparing.exported, timeout=60_000):
        real.comparing.export_to(tmp_path / "two.png")
    real.store.update(layer=0, head="mean", query=None)
    with qtbot.waitSignal(real.restorer.restored, timeout=60_000):
        drop(real, tmp_path / "two.png")
    settle()
    assert real.linking.links == before and [replace(c.store.state, hover=None) for c in real.panes] == states
    assert real.status.currentMessage() == "The view is back."


def test_weights_that_are_nowhere_are_said_and_not_looked_for_on_the_hub(qtbot, real, tmp_path):
    path = export(qtbot, real, tmp_path / "figure.png")
    path.with_name("figure.png.json").unlink()
    with qtbot.waitSignal(real.opened, timeout=60_000):
        real.panes.open(model=ModelWish("demo", device="cpu"))
    with qtbot.waitSignal(real.panes.failed, timeout=60_000):
        drop(real, path)
    (said,) = errors(real)
    assert "'weights.safetensors'" in said and real.pane.opened.model.name == "demo"


def test_session_is_offered_after_a_kill_and_not_after_a_good_end(qtbot, real, config_dir, files):
    real.store.update(layer=2, head=1, query=Place(62.0, 42.0))
    wanted = chosen(real)
    real.autosave.flush()
    real.autosave._thread.join()
    (kept,) = config_dir.glob("running-*.json")
    assert real.autosave.offer() is None, "this very window is alive"
    # A process that was killed leaves its file and its lock.
    left = config_dir / "running-1-1.json"
    shutil.copy(kept, left)
    code = "import os, sys; from PySide6.QtCore import QLockFile as L; l = L(sys.argv[1]); l.setStaleLockTime(0);"
    code += "assert l.tryLock(0); os.kill(os.getpid(), 9)"
    killed = subprocess.run([sys.executable, "-c", code, f"{left}.lock"], check=False)
    assert killed.returncode != 0 and left.with_name("running-1-1.json.lock").exists()
    real.store.update(layer=0, head="mean", query=None)
    real.map_view.view.setFocus()
    offer = real.autosave.offer()
    assert offer is not None and offer.isVisible() and files[0].name in offer.words.toolTip() + offer.words.text()
    # It waits: no key that is meant for the window answers, and nothing is in the way of it.
    assert not QApplication.activeModalWidget() and real.focusWidget() is real.map_view.view
    for key in (Qt.Key.Key_Space, Qt.Key.Key_Return):
        qtbot.keyClick(real.map_view.view, key)
    real.browsing.play(False)
    assert offer.isVisible() and left.exists()
    with qtbot.waitSignal(real.restorer.restored, timeout=60_000):
        offer.restore.click()
    assert not shiboken6.isValid(offer) or not offer.isVisible()
    assert chosen(real) == wanted and not left.exists()
    real.close()
    assert not list(config_dir.glob("running-*"))


def test_session_that_is_dismissed_is_gone_and_one_that_is_not_answered_is_not(real, config_dir):
    left = config_dir / "running-1-1.json"
    left.write_bytes(encode(real.restorer.session()))
    offer = real.autosave.offer()
    assert offer is not None and left.exists()
    assert real.autosave.offer() is None, "it is offered once at a time"
    offer.dismiss.click()
    assert not left.exists() and not offer.isVisible() and real.autosave.offer() is None
    left.write_bytes(encode(real.restorer.session()))
    assert real.autosave.offer() is not None
    real.close()
    assert left.exists()


def test_copied_python_makes_the_shown_picture(qtbot, real, tmp_path, monkeypatch):
    real.store.update(layer=3, head=1, query=Place(62.0, 42.0), opacity=0.4, limits="layer")
    settle()
    real.menus.copy_python.trigger()
    lines = QGuiApplication.clipboard().text()
    monkeypatch.chdir(tmp_path)
    scope = ran(lines, tmp_path)
    shown = real.map_view.view.image.image[..., :3]
    assert np.array_equal(scope["rgb"], shown)
    assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / "figure.png")), shown)


@pytest.mark.parametrize("altered", [False, True], ids=["whole", "without heads"])
@pytest.mark.parametrize("method", METHODS)
def test_copied_python_makes_the_shown_map_of_every_method(qtbot, real, tmp_path, monkeypatch, method, altered):
    ablation = Ablation({(1, 0), (4, 1)}) if altered else Ablation()
    real.store.update(ablation=ablation, method=method, target=3, layer=4, head="max", query=Place(62.0, 42.0))

    def shown():
        found = real.pane.map
        return found is not None and found.selection.method == method and found.ablation == ablation

    qtbot.waitUntil(shown, timeout=60_000)
    settle()
    monkeypatch.chdir(tmp_path)
    real.menus.copy_python.trigger()
    scope = ran(QGuiApplication.clipboard().text(), tmp_path)
    assert np.array_equal(scope["m"].values, real.pane.map.values)
    assert scope["m"].selection == real.pane.map.selection and scope["m"].ablation == ablation
    assert np.array_equal(scope["rgb"], real.map_view.view.image.image[..., :3])


def test_sessions_survive_json_and_damage_is_one_sentence(real, tmp_path):
    session = real.restorer.session()
    data = encode(session)
    assert decode(data, "s") == session
    path = tmp_path / "large.json"
    path.write_bytes(data + b" " * MAX_BYTES)
    with pytest.raises(FileError, match="larger"):
        read_session(path)
    for where, value in (("panes", []), ("current", 9), ("links", {"eval": 1}), ("picture", 7), ("theme", "pink")):
        content = json.loads(data) | {where: value}
        with pytest.raises(FileError, match="no session"):
            decode(json.dumps(content).encode(), "s")

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, len(data) - 1), st.binary(max_size=8))
    def damaged(at, noise):
        try:
            decode(data[:at] + noise + data[at + len(noise) :], "s")
        except FileError as error:
            assert "\n" not in str(error)

    damaged()


def test_script_of_a_rollout_runs(tmp_path, files, monkeypatch):
    from vitviz.attention.values import RolloutOptions, Selection
    from vitviz.render.plan import Plan
    from vitviz.render.script import python_of
    from vitviz.render.style import Style

    image = vitviz.read_image(files[0])
    selection = Selection(query="cls", method="rollout", options=RolloutOptions(fusion="max", discard=0.5))
    plan = Plan(selection, Style(limits=(0.0, 0.1)))
    lines = python_of(plan, image, str(files[2]), {"architecture": ARCHITECTURE, "device": "cpu"}, Ablation({(1, 0)}))
    monkeypatch.chdir(tmp_path)
    scope = ran(lines, tmp_path)
    assert scope["m"].selection.options.fusion == "max" and scope["trace"].ablation == Ablation({(1, 0)})


@pytest.mark.parametrize("end", ["cancel", "close", "another"])
def test_session_that_is_given_up_half_way_leaves_its_links_and_awaits_nothing(qtbot, real, monkeypatch, end):
    real.linking.update(layer="number")
    with qtbot.waitSignal(real.opened, timeout=60_000):
        real.panes.add(ModelWish("demo", device="cpu"))
    session, links = real.restorer.session(), real.linking.links
    load, hold = loading.load_model, threading.Event()

    def slow(source, **how):
        while source == "slow" and not hold.is_set():
            if how["cancel"]():
                raise Cancelled("given up")
            time.sleep(0.005)
        return load("demo" if source == "slow" else source, **how)

    monkeypatch.setattr(loading, "load_model", slow)
    monkeypatch.setattr("vitviz.ui.fetching.needs_network", lambda wish: False)
    slowly = replace(session.panes[1], model=ModelWish("slow", device="cpu"))
    with qtbot.waitSignal(real.opened, timeout=60_000):
        real.restorer.apply(replace(session, panes=(session.panes[0], slowly), links=links))
    qtbot.waitUntil(lambda: real.worker.running == "open 1", timeout=60_000)
    assert real.linking.links != links
    second = real.panes.columns[1]
    if end == "cancel":
        qtbot.waitUntil(real.status.cancel.isVisible, timeout=20_000)
        real.status.cancel.click()
    elif end == "close":
        real.panes.close_column(second)
    else:
        second.opener.open(model=ModelWish("demo", device="cpu"))
    qtbot.waitUntil(lambda: not real.worker.is_busy(), timeout=60_000)
    assert real.linking.links == links and not real.restorer._waiting
    hold.set()
    if end != "close":
        before = second.store.state
        with qtbot.waitSignal(real.opened, timeout=60_000):
            second.opener.open(model=slowly.model)
        assert second.store.state.layer == before.layer and not errors(real)


def test_session_keeps_a_name_that_is_no_unicode(real):
    session = replace(real.restorer.session(), picture=Path(os.fsdecode(b"/tmp/caf\xe9.png")))
    assert decode(encode(session), "s") == session


@pytest.mark.parametrize(("field", "value"), [("layout", "abc"), ("geometry", "***"), ("method", "token norm")])
def test_session_that_no_window_can_show_is_refused_before_it_changes_one(real, field, value):
    content = json.loads(encode(real.restorer.session()))
    (content["panes"][0]["state"] if field == "method" else content)[field] = value
    with pytest.raises(FileError, match=r"s is no session of vitviz"):
        decode(json.dumps(content).encode(), "s")
