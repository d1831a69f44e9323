"""A file is written whole, or the old one stays whole and one sentence says why."""

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitviz.atomic import slug, write_bytes
from vitviz.errors import FileError


def run_python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("data", [b"", b"new", bytearray(b"new"), memoryview(b"new"), b"x" * 3_000_000])
def test_content_replaces_what_was_there(tmp_path, data):
    target = tmp_path / "figure.png"
    target.write_bytes(b"old and longer")
    write_bytes(target, data)
    assert target.read_bytes() == bytes(data)
    assert os.listdir(tmp_path) == ["figure.png"]


def test_typed_memory_is_written_as_its_bytes(tmp_path):
    memory = memoryview(bytes(range(16))).cast("I", shape=[2, 2])
    write_bytes(tmp_path / "a", memory)
    assert (tmp_path / "a").read_bytes() == bytes(range(16))


def test_short_writes_are_continued(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:3]))
    write_bytes(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


@pytest.mark.skipif(os.name == "nt", reason="no umask there")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_mode_is_that_of_the_umask(tmp_path, umask, mode):
    old = os.umask(umask)
    try:
        write_bytes(tmp_path / "a", b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "real"
    target.write_bytes(b"old")
    (tmp_path / "link").symlink_to(target)
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT", "EIO", "EROFS", "EACCES"])
@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace"])
def test_failure_at_any_step_leaves_the_old_file_alone(tmp_path, monkeypatch, step, code):
    target = tmp_path / "figure.png"
    target.write_bytes(b"old")

    def fail(*_arguments):
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(FileError) as caught:
            write_bytes(target, b"new")
    assert "figure.png" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["figure.png"]


def test_interrupt_removes_the_temporary_file(tmp_path, monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_bytes(tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == []


def test_file_system_without_fsync_is_written_all_the_same(tmp_path, monkeypatch):
    def unsupported(_handle):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", unsupported)
    write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing/a.png", "folder does not exist"),
        ("folder", "a folder has that name"),
        ("file/a.png", "not a folder"),
        ("x" * 300, "too long"),
        ("a\0b", "no file name"),
        ("circle", "circle"),
    ],
)
def test_impossible_targets_are_refused_with_the_reason(tmp_path, name, says):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(FileError, match=says):
        write_bytes(tmp_path / name, b"new")
    assert sorted(os.listdir(tmp_path)) == before


def test_longest_possible_name_can_be_written(tmp_path):
    write_bytes(tmp_path / ("x" * 255), b"new")
    assert (tmp_path / ("x" * 255)).read_bytes() == b"new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
def test_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="not an ordinary file"):
        write_bytes(tmp_path / "pipe", b"new")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full there")
def test_device_is_not_replaced():
    with pytest.raises(FileError, match="not an ordinary file"):
        write_bytes("/dev/full", b"new")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full there")
def test_full_disk_is_named(tmp_path, monkeypatch):
    target = tmp_path / "a"
    target.write_bytes(b"old")
    real_open = os.open

    def open_on_full_disk(path, flags, *rest):
        handle = real_open(path, flags, *rest)
        if str(path).endswith(".tmp"):
            full = real_open("/dev/full", os.O_WRONLY)
            os.dup2(full, handle)
            os.close(full)
        return handle

    monkeypatch.setattr(os, "open", open_on_full_disk)
    with pytest.raises(FileError, match="disk is full"):
        write_bytes(target, b"new")
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("locked", ["folder", "file"])
def test_write_protection_is_respected(tmp_path, locked, bound_by_modes):
    target = tmp_path / "a"
    target.write_bytes(b"old")
    place = tmp_path if locked == "folder" else target
    mode = place.stat().st_mode
    place.chmod(0o555)
    try:
        with pytest.raises(FileError, match="may not write"):
            write_bytes(target, b"new")
    finally:
        place.chmod(mode)
    assert target.read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="no RLIMIT_FSIZE there")
def test_file_size_limit_is_a_sentence_and_the_old_file_stays(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    code = """
        import resource, sys
        from vitviz.atomic import write_bytes
        from vitviz.errors import FileError
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_bytes(sys.argv[1], bytes(5000))
        except FileError as error:
            print(error)
    """
    done = run_python(code, tmp_path / "a")
    assert "larger than this system lets a file be" in done.stdout, done.stderr
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_kill_between_write_and_rename_leaves_the_old_file(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    code = """
        import os, signal, sys
        from vitviz.atomic import write_bytes
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        write_bytes(sys.argv[1], b"new")
    """
    assert run_python(code, tmp_path / "a").returncode == -signal.SIGKILL
    assert (tmp_path / "a").read_bytes() == b"old"
    write_bytes(tmp_path / "a", b"new")  # what the killed process left is in nobody's way
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Egyptian cat, tabby", "egyptian-cat-tabby"),
        ("../../etc/passwd", "etc-passwd"),
        ("CON", "con-"),
        ("", "unnamed"),
        ("///", "unnamed"),
        ("vit_base_patch16_224.augreg", "vit_base_patch16_224-augreg"),
        ("猫", "猫"),
    ],
)
def test_slug_of_known_labels(text, name):
    assert slug(text) == name


@given(st.text(st.characters(), max_size=400))
def test_slug_is_always_one_short_harmless_name(text):
    name = slug(text)
    assert 0 < len(name.encode()) <= 81
    assert not set(name) & set('/\\:*?"<>|. \0')
