"""From wishes to what is shown: the newest wins, a failure changes nothing, nothing is loaded twice."""

import dataclasses
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from vitviz.attention import trace as tracing
from vitviz.errors import Cancelled, ModelError
from vitviz.images import Image
from vitviz.models import loading
from vitviz.models.report import Report
from vitviz.models.wish import ModelWish
from vitviz.ui import opening
from vitviz.ui.jobs import THREAD_NAME
from vitviz.ui.opening import Opener, Wish


class Stage:
    """Stands for the slow libraries: says what was loaded, and waits where a test tells it to."""

    def __init__(self):
        self.loaded, self.traced, self.read, self.threads = [], [], [], set()
        self.gates = {}
        self.entered = threading.Event()

    def hold(self, name):
        self.gates[name] = threading.Event()
        return self.gates[name]

    def _wait(self, name, cancel):
        self.entered.set()
        gate = self.gates.get(name)
        while gate is not None and not gate.is_set():
            if cancel():
                raise Cancelled("given up")
            time.sleep(0.001)

    def load_model(self, source, *, progress, cancel, choose_network, **options):
        self.threads.add(threading.current_thread().name)
        progress(0.5, f"Loading {source}")
        self._wait(source, cancel)
        if source == "bad":
            raise ModelError("bad is no model.")
        self.loaded.append(source)
        return SimpleNamespace(source=source, options=options, report=Report())

    def trace(self, model, image, *, progress, cancel):
        progress(1.0, "Layer 0")
        self._wait(image.name, cancel)
        self.traced.append((model.source, image.name))
        return SimpleNamespace(model=model, image=image)

    def read_image(self, path):
        self.read.append(path.name)
        if path.name == "broken.png":
            raise ModelError("broken.png is damaged.")
        return Image.from_array(PIXELS, name=path.name)


PIXELS = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)


@pytest.fixture
def stage(monkeypatch):
    made = Stage()
    monkeypatch.setattr(loading, "load_model", made.load_model)
    monkeypatch.setattr(tracing, "trace", made.trace)
    monkeypatch.setattr(opening, "read_image", made.read_image)
    yield made
    for gate in made.gates.values():
        gate.set()


@pytest.fixture
def opener(worker):
    return Opener(worker)


@pytest.fixture
def log(opener):
    entries = []
    opener.opened.connect(lambda opened: entries.append(("opened", opened.model.source, opened.image.name)))
    opener.failed.connect(lambda wish, error: entries.append(("failed", wish.model.source, str(error))))
    return entries


def settle(qtbot, worker):
    qtbot.waitUntil(lambda: not worker.is_busy(), timeout=30000)


def entered(stage):
    assert stage.entered.wait(5)
    stage.entered.clear()


def path(tmp_path, name):
    return tmp_path / f"{name}.png"


def test_wish_is_fulfilled_in_the_worker(qtbot, stage, worker, opener, log, tmp_path):
    opener.open(picture=path(tmp_path, "cat"), model=ModelWish("a", device="cpu", image_size=(32, 48)))
    settle(qtbot, worker)
    assert log == [("opened", "a", "cat.png")]
    assert stage.threads == {THREAD_NAME}


def test_every_field_of_the_wish_reaches_the_loader(qtbot, stage, worker, opener, tmp_path):
    fields = {
        "architecture": "vit", "pretrained": False, "image_size": (32, 48), "patch_size": 8, "crop": "squash",
        "num_heads": 3, "network": "teacher", "mean": (0.1, 0.2, 0.3), "std": (1.0, 2.0, 3.0), "norm_eps": 1e-3,
        "labels": tmp_path / "labels.txt", "device": "cpu", "precision": "bfloat16",
    }  # fmt: skip
    wish = ModelWish("a", **fields)
    assert set(fields) == {f.name for f in dataclasses.fields(ModelWish)} - {"source"}
    with qtbot.waitSignal(opener.opened) as signal:
        opener.open(picture=path(tmp_path, "cat"), model=wish)
    assert signal.args[0].wish == Wish(path(tmp_path, "cat"), wish)
    assert signal.args[0].model.options == fields


def test_model_stays_when_the_picture_changes_and_the_other_way_round(qtbot, stage, worker, opener, log, tmp_path):
    opener.open(picture=path(tmp_path, "cat"), model=ModelWish("a"))
    settle(qtbot, worker)
    opener.open(picture=path(tmp_path, "dog"))
    settle(qtbot, worker)
    opener.open(model=ModelWish("b"))
    settle(qtbot, worker)
    assert [entry[1:] for entry in log] == [("a", "cat.png"), ("a", "dog.png"), ("b", "dog.png")]
    assert stage.loaded == ["a", "b"]
    assert stage.read == ["cat.png", "dog.png"]


def test_same_source_with_other_options_is_another_model(qtbot, stage, worker, opener, tmp_path):
    for wish in (ModelWish("a"), ModelWish("a", patch_size=8), ModelWish("a", patch_size=8)):
        opener.open(picture=path(tmp_path, "cat"), model=wish)
        settle(qtbot, worker)
    assert stage.loaded == ["a", "a"]


def test_newest_wish_wins(qtbot, stage, worker, opener, log, tmp_path):
    stage.hold("a")
    opener.open(picture=path(tmp_path, "cat"), model=ModelWish("a"))
    entered(stage)
    for name in "bcd":
        opener.open(model=ModelWish(name))
    settle(qtbot, worker)
    assert log == [("opened", "d", "cat.png")]
    assert stage.loaded == ["d"]


def test_model_that_is_being_loaded_is_not_loaded_twice_when_the_picture_changes(
    qtbot, stage, worker, opener, log, tmp_path
):
    gate = stage.hold("a")
    opener.open(picture=path(tmp_path, "cat"), model=ModelWish("a"))
    entered(stage)
    opener.open(picture=path(tmp_path, "dog"))
    gate.set()
    settle(qtbot, worker)
    assert stage.loaded == ["a"]
    assert log == [("opened", "a", "dog.png")]
    assert stage.traced == [("a", "dog.png")]


def test_picture_that_takes_long_gives_way_to_the_next(qtbot, stage, worker, opener, log, tmp_path):
    stage.hold("cat.png")
    opener.open(picture=path(tmp_path, "cat"), model=ModelWish("a"))
    qtbot.waitUntil(lambda: stage.loaded == ["a"])
    opener.open(picture=path(tmp_path, "dog"))
    settle(qtbot, worker)
    assert log == [("opened", "a", "dog.png")] and stage.loaded == ["a"]


def test_failure_keeps_what_was_shown(qtbot, stage, worker, opener, log, tmp_path):
    opener.open(picture=path(tmp_path, "cat"), model=ModelWish("a"))
    settle(qtbot, worker)
    good = opener.wish
    opener.open(model=ModelWish("bad"))
    settle(qtbot, worker)
    assert log[-1] == ("failed", "bad", "bad is no model.")
    assert opener.wish == good
    opener.open(picture=path(tmp_path, "broken"))
    settle(qtbot, worker)
    assert log[-1][0] == "failed" and opener.wish == good
    opener.open(picture=path(tmp_path, "dog"))
    settle(qtbot, worker)
    assert log[-1] == ("opened", "a", "dog.png")
    assert stage.loaded == ["a"]


def test_failure_at_the_start_can_be_followed_by_a_good_wish(qtbot, stage, worker, opener, log, tmp_path):
    opener.open(picture=path(tmp_path, "cat"), model=ModelWish("bad"))
    settle(qtbot, worker)
    opener.open(model=ModelWish("a"))
    settle(qtbot, worker)
    assert [entry[0] for entry in log] == ["failed", "opened"]


def test_cancel_is_quick_and_keeps_what_was_shown(qtbot, stage, worker, opener, log, tmp_path):
    opener.open(picture=path(tmp_path, "cat"), model=ModelWish("a"))
    settle(qtbot, worker)
    good = opener.wish
    stage.entered.clear()
    stage.hold("slow")
    opener.open(model=ModelWish("slow"))
    entered(stage)
    start = time.monotonic()
    opener.cancel()
    settle(qtbot, worker)
    assert time.monotonic() - start < 0.25
    assert opener.wish == good and len(log) == 1 and "slow" not in stage.loaded
    opener.open(picture=path(tmp_path, "dog"))
    settle(qtbot, worker)
    assert log[-1] == ("opened", "a", "dog.png")


def test_cancel_of_the_very_first_load_is_quick_too(qtbot, stage, worker, opener, log, tmp_path):
    stage.hold("slow")
    opener.open(picture=path(tmp_path, "cat"), model=ModelWish("slow"))
    entered(stage)
    start = time.monotonic()
    opener.cancel()
    settle(qtbot, worker)
    assert time.monotonic() - start < 0.25
    assert log == [] and stage.loaded == []


def test_cancel_with_nothing_running_is_harmless(qtbot, stage, worker, opener, log, tmp_path):
    opener.cancel()
    opener.open(picture=path(tmp_path, "cat"), model=ModelWish("a"))
    settle(qtbot, worker)
    assert log == [("opened", "a", "cat.png")]


def test_pasted_picture_needs_no_file(qtbot, stage, worker, opener, log):
    opener.open(picture=Image.from_array(PIXELS, name="pasted picture"), model=ModelWish("a"))
    settle(qtbot, worker)
    assert log == [("opened", "a", "pasted picture")] and stage.read == []


def test_progress_runs_from_0_to_1_without_going_back(qtbot, stage, worker, opener, tmp_path):
    seen = []
    worker.progressed.connect(lambda number, kind, fraction, text: seen.append(fraction))
    stage.hold("a")
    opener.open(picture=path(tmp_path, "cat"), model=ModelWish("a"))
    qtbot.waitUntil(lambda: 0.3 in [round(f, 3) for f in seen])
    stage.gates["a"].set()
    settle(qtbot, worker)
    known = [fraction for fraction in seen if fraction >= 0]
    assert known == sorted(known) and all(fraction <= 1 for fraction in known)


def test_the_first_picture_is_shown_while_its_model_loads(stage, worker, qtbot, tmp_path):
    gate = stage.hold("slow")
    opener = Opener(worker)
    with qtbot.waitSignal(opener.pictured, timeout=30000) as told:
        opener.open(picture=tmp_path / "cat.png", model=ModelWish("slow"))
    image, pixels = told.args
    assert image.name == "cat.png" and stage.loaded == []
    assert np.array_equal(
        pixels[::85, ::85], image.pixels
    )  # tiny as it is, each of its pixels is drawn 85 times as large
    with qtbot.waitSignal(opener.opened, timeout=30000):
        gate.set()
    assert stage.read == ["cat.png"]  # once for both
    with qtbot.assertNotEmitted(opener.pictured), qtbot.waitSignal(opener.opened, timeout=30000):
        opener.open(picture=tmp_path / "dog.png")


def test_changed_files_are_read_again_where_they_are_opened(qtbot, stage, worker, opener, log, tmp_path):
    model, cat = tmp_path / "last.pth", path(tmp_path, "cat")
    model.write_text("epoch 1")
    cat.write_text("a cat")
    for _ in range(2):
        opener.open(picture=cat, model=ModelWish(str(model)))
        settle(qtbot, worker)
    assert (stage.loaded, stage.read) == ([str(model)], ["cat.png"])
    cat.write_text("an edited cat")
    model.write_text("epoch 10")
    opener.open(picture=cat)
    settle(qtbot, worker)
    assert (stage.loaded, stage.read) == ([str(model)], ["cat.png"] * 2), "the model is the one that is looked into"
    opener.open(model=ModelWish(str(model)))
    settle(qtbot, worker)
    assert (stage.loaded, stage.read) == ([str(model)] * 2, ["cat.png"] * 2)
    cat.unlink()
    opener.open(model=ModelWish("b"))
    settle(qtbot, worker)
    assert stage.read == ["cat.png"] * 2 and log[-1] == ("opened", "b", "cat.png")
