"""Models in memory: shared, bounded in bytes, oldest unloaded; and what is given up, step by step, when memory ends."""

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import vitviz
from vitviz.attention import layer
from vitviz.attention import trace as tracing
from vitviz.errors import ModelError
from vitviz.models import loading
from vitviz.models.report import Report
from vitviz.models.wish import ModelWish
from vitviz.ui.fallback import is_out_of_memory
from vitviz.ui.loaded import Loaded, stamp_of
from vitviz.ui.opening import Opener

KB = 1000


def model(kilobytes):
    return SimpleNamespace(module=torch.nn.Linear(kilobytes * KB // 4, 1, bias=False))


def wish(name, **fields):
    return ModelWish(name, **fields)


def test_model_in_memory_is_not_loaded_again():
    loaded, one = Loaded(), model(1)
    assert loaded.get(wish("a"), lambda: one) is one
    assert loaded.get(wish("a"), lambda: pytest.fail("loaded twice")) is one
    assert loaded.bytes == KB and loaded.text() == "1 model in memory, 1.00 kB of at most 4.00 GB"


def test_oldest_goes_where_there_are_too_many_bytes():
    loaded = Loaded(most=5 * KB)
    for name in "abc":
        loaded.get(wish(name), lambda: model(2))
    assert list(loaded._models) == [wish("b"), wish("c")] and loaded.bytes == 4 * KB
    loaded.get(wish("b"), lambda: pytest.fail("gone"))
    loaded.get(wish("d"), lambda: model(2))
    assert list(loaded._models) == [wish("b"), wish("d")]


def test_unloaded_weights_are_really_freed():
    loaded = Loaded(most=3 * KB)
    gone = weakref.ref(loaded.get(wish("a"), lambda: model(2)).module)
    loaded.get(wish("b"), lambda: model(2))
    gc.collect()
    assert gone() is None


def test_what_a_pane_shows_stays_and_so_does_what_is_larger_than_the_bound():
    loaded = Loaded(most=3 * KB)
    shown = loaded.get(wish("a"), lambda: model(2))
    loaded.shown = lambda: [shown]
    loaded.get(wish("b"), lambda: model(2))
    loaded.get(wish("large"), lambda: model(9))
    assert list(loaded._models) == [wish("a"), wish("large")]
    assert loaded.drop() == 1 and list(loaded._models) == [wish("a")]


def test_other_crop_shares_the_weights_and_sees_what_a_load_would(picture):
    loaded = Loaded()
    first = loaded.get(wish("demo"), lambda: vitviz.load_model("demo"))
    second = loaded.get(wish("demo", crop="squash"), lambda: pytest.fail("loaded twice"))
    fresh = vitviz.load_model("demo", crop="squash")
    assert second.module is first.module and second.preprocessing == fresh.preprocessing != first.preprocessing
    assert second.identity == fresh.identity
    assert np.array_equal(second.preprocess(picture), fresh.preprocess(picture))
    assert loaded.bytes == sum(p.numel() * p.element_size() for p in first.module.parameters())
    assert first.preprocessing.crop_mode == "center"


@pytest.mark.parametrize("fields", [{"patch_size": 8}, {"image_size": (64, 64)}, {"precision": "bfloat16"}])
def test_other_network_is_another_model(fields):
    loaded = Loaded()
    one, other = model(1), model(1)
    loaded.get(wish("a"), lambda: one)
    assert loaded.get(wish("a", **fields), lambda: other) is other


@pytest.fixture
def short(monkeypatch, picture):
    """Models that need more memory than there is, until the test is content with how they were asked for."""
    tried = []
    state = SimpleNamespace(tried=tried, enough=lambda options: False, freed=[])

    def load_model(source, *, precision, device, **options):
        found = model(1)
        found.asked = (precision, device)
        state.freed.append(weakref.ref(found.module))
        return found

    def trace(found, image, *, progress, cancel):
        tried.append(found.asked)
        if not state.enough(found.asked):
            held = torch.zeros(1000)  # what the failed attempt has allocated
            try:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
            except torch.OutOfMemoryError as error:
                assert held.numel()
                raise ModelError("The GPU has not enough memory.") from error
        return SimpleNamespace(image=image)

    monkeypatch.setattr(loading, "load_model", load_model)
    monkeypatch.setattr(tracing, "trace", trace)
    monkeypatch.setattr(layer, "_CHUNK_BYTES", layer._CHUNK_BYTES)
    return state


def outcome(qtbot, worker, opener, picture, **fields):
    with qtbot.waitSignal(worker.busy, check_params_cb=lambda busy: not busy, timeout=60000):
        opener.open(picture=picture, model=ModelWish("large", device="cuda:0", **fields))


def test_memory_that_ends_is_answered_step_by_step(qtbot, worker, short, picture):
    opener, log = Opener(worker), []
    opener.opened.connect(lambda opened: log.append(opened.note))
    chunks = layer._CHUNK_BYTES
    short.enough = lambda asked: asked == ("float32", "cpu")
    outcome(qtbot, worker, opener, picture)
    gpu = ("float32", "cuda:0")
    assert short.tried == [gpu, gpu, gpu, ("bfloat16", "cuda:0"), ("float32", "cpu")]
    assert log == ["Memory ran out: it runs on the CPU."] and chunks // 4 == layer._CHUNK_BYTES
    # The next picture does not fail all over again.
    short.tried.clear()
    outcome(qtbot, worker, opener, vitviz.Image.from_array(picture.pixels[::2].copy(), name="other"))
    assert short.tried == [("float32", "cpu")]


def test_half_precision_is_enough(qtbot, worker, short, picture):
    opener, log = Opener(worker), []
    opener.opened.connect(lambda opened: log.append((opened.note, opened.wish.model.precision)))
    short.enough = lambda asked: asked[0] == "bfloat16"
    outcome(qtbot, worker, opener, picture)
    assert log == [("Memory ran out: it runs in half precision (bfloat16).", "float32")]  # the wish is what it was


def test_cached_models_go_first(qtbot, worker, short, picture):
    opener = Opener(worker)
    gone = weakref.ref(opener.loaded.get(wish("cached"), lambda: model(1)).module)
    alive = []
    short.enough = lambda asked: gc.collect() is not None and (alive.append(gone() is not None) or gone() is None)
    outcome(qtbot, worker, opener, picture)
    assert alive == [True, False] and len(short.tried) == 2


def test_nothing_left_to_give_up_is_one_sentence_and_the_next_wish_works(qtbot, worker, short, picture):
    opener, log = Opener(worker), []
    opener.failed.connect(lambda wish, error: log.append(str(error)))
    opener.opened.connect(lambda opened: log.append("opened"))
    outcome(qtbot, worker, opener, picture)
    assert "Choose a smaller view or model" in log[0] and "on the CPU" in log[0]
    short.enough = lambda asked: True
    outcome(qtbot, worker, opener, picture)
    assert log[1:] == ["opened"]


def test_other_errors_are_no_want_of_memory(qtbot, worker, short, picture, monkeypatch):
    opener, log = Opener(worker), []
    opener.failed.connect(lambda wish, error: log.append(str(error)))
    monkeypatch.setattr(tracing, "trace", lambda *args, **how: (_ for _ in ()).throw(ModelError("It is broken.")))
    outcome(qtbot, worker, opener, picture)
    assert log == ["It is broken."]


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (torch.OutOfMemoryError("x"), True), (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"), True),
        (RuntimeError("shape mismatch"), False), (ModelError("x"), False),
    ],
)  # fmt: skip
def test_want_of_memory_is_told_apart(error, wanted):
    assert is_out_of_memory(error) is wanted


def test_chunks_shrink_only_so_far(monkeypatch):
    monkeypatch.setattr(layer, "_CHUNK_BYTES", 8 * 2**20)
    assert layer.shrink_chunks() and layer._CHUNK_BYTES == 2 * 2**20
    assert not layer.shrink_chunks() and layer._CHUNK_BYTES == 2 * 2**20


def written(path, text):
    path.write_text(text)
    return path


def test_file_that_has_changed_is_read_again_when_it_is_opened_and_not_for_another_picture(tmp_path):
    path, loaded = written(tmp_path / "last.pth", "epoch 1"), Loaded()
    one, other = (SimpleNamespace(module=model(1).module, report=Report()) for _ in range(2))
    assert loaded.get(wish(str(path)), lambda: one, current=True) is one
    assert loaded.get(wish(str(path)), lambda: pytest.fail("read twice"), current=True) is one
    written(path, "epoch 10")
    assert loaded.get(wish(str(path)), lambda: pytest.fail("not asked for")) is one
    assert loaded.get(wish(str(path), crop="squash"), lambda: other, current=True) is other
    assert "has changed since it was opened" in str(other.report)
    assert loaded.get(wish(str(path), crop="squash"), lambda: pytest.fail("read twice"), current=True) is other
    path.unlink()
    assert loaded.get(wish(str(path), crop="squash"), lambda: pytest.fail("it is gone"), current=True) is other


def test_folder_has_changed_when_a_file_in_it_has(tmp_path):
    written(tmp_path / "config.json", "{}")
    before = stamp_of(tmp_path)
    assert before and stamp_of(tmp_path) == before
    written(tmp_path / "config.json", '{"a": 1}')
    assert stamp_of(tmp_path) != before
    assert stamp_of(tmp_path / "nothing") == () == stamp_of(tmp_path / ("x" * 300))
