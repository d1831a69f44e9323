"""Every hostile or wrong file gives one sentence in bounded time, and nothing of it runs, connects or starts."""

import os
import sys
import time

import hostile
import pytest

from vitviz.errors import SourceError
from vitviz.models.reading.containers import read_checkpoint

# Seconds of the processor, not of the clock, so that a busy machine is no failure.
BOUND = 2

WATCH = {"on": False, "seen": []}
FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "pty.",
    "ctypes.",
    "shutil.",
)


def hook(event, arguments):
    if not WATCH["on"]:
        return
    bad = event.startswith(FORBIDDEN)
    bad |= event in ("exec", "compile")
    bad |= event == "import" and arguments[0] not in sys.modules
    bad |= event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
    bad |= event in ("os.remove", "os.rename", "os.mkdir", "pickle.find_class")
    if bad:
        WATCH["seen"].append((event, str(arguments)[:200]))
        raise RuntimeError(f"forbidden while a file is opened: {event}")


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """Opens a path under the audit hook. The hook stays in the process, since none can be taken out, but sleeps."""
    sys.addaudithook(hook)
    warm = tmp_path_factory.mktemp("warm") / "w.pth"
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        hostile.torch.save(hostile.weights(), warm, **options)
        read_checkpoint(warm)  # imports what torch imports on first use

    def open_(path):
        WATCH.update(on=True, seen=[])
        try:
            return read_checkpoint(path)
        finally:
            WATCH["on"] = False

    return open_


def test_the_corpus_is_large():
    assert len(hostile.CORPUS) >= 60


@pytest.mark.parametrize("kind", hostile.CORPUS)
def test_it_is_refused_in_one_sentence(kind, watched, tmp_path):
    write, says = hostile.CORPUS[kind]
    path = tmp_path / "weights.pt"
    write(path)
    (tmp_path / "ran").unlink(missing_ok=True)
    start = time.process_time()
    with pytest.raises(SourceError) as error:
        watched(path)
    seconds = time.process_time() - start
    sentence = str(error.value)
    assert says in sentence
    assert "weights.pt" in sentence or str(path) in sentence or ".json" in sentence
    assert "\n" not in sentence and sentence.endswith(".") and len(sentence) < 600
    assert seconds < BOUND, f"{seconds:.1f} s"
    assert not WATCH["seen"] and not (tmp_path / "ran").exists()
    assert error.value.__cause__ is None and error.value.__context__ is None


@pytest.mark.parametrize("kind", hostile.INERT)
def test_weights_open_and_their_payload_stays_inert(kind, watched, tmp_path):
    path = tmp_path / "weights.pt"
    hostile.INERT[kind](path)
    start = time.process_time()
    checkpoint = watched(path)
    assert time.process_time() - start < BOUND
    assert checkpoint.networks[0].tensors
    assert not WATCH["seen"] and not (tmp_path / "ran").exists()


def test_the_payload_would_run_and_the_hook_would_see_it(watched, tmp_path):
    path = tmp_path / "weights.pt"
    WATCH.update(on=True, seen=[])
    try:
        with pytest.raises(RuntimeError, match="forbidden"):
            hostile.pickle.loads(hostile.pickle.dumps(hostile.payload(path)))
    finally:
        WATCH["on"] = False
    hostile.pickle.loads(hostile.pickle.dumps(hostile.payload(path)))
    assert (tmp_path / "ran").exists()
