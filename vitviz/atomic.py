"""Files written whole or not at all: beside their target, flushed to the disk, then renamed over it."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from vitviz.errors import FileError

_REASONS: dict[int, str] = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "your quota on this disk is used up; free some space or choose another folder",
    errno.EFBIG: "it is larger than this system lets a file be; choose another folder or write less",
    errno.EACCES: "you may not write there; choose another folder or close the program that has it open",
    errno.EPERM: "you may not write there; choose another folder",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOENT: "its folder does not exist; create the folder or choose another one",
    errno.ENOTDIR: "its folder is not a folder; choose another one",
    errno.EISDIR: "a folder has that name; choose another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "its links lead in a circle; choose another name",
}
# Windows takes these for devices, whatever the extension.
_DEVICE_NAME = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


def write_bytes(path: str | os.PathLike[str], data: bytes | bytearray | memoryview) -> None:
    """Write `data` to `path`, or leave what is there whole.

    A link is followed, so the file it names is replaced and the link stays. A killed process may leave a
    hidden `.vitviz-*.tmp` behind, never a half-written target. Raises FileError with one sentence.
    """
    with _said(path):
        target = _checked(path)
        _write_and_rename(target, memoryview(data).cast("B"))


def check_writable(path: str | os.PathLike[str]) -> None:
    """FileError where `write_bytes` could only fail: said before the work whose result goes there."""
    with _said(path):
        folder = _checked(path).parent
        if not folder.is_dir():
            raise FileError(f"There is no folder {folder} to write to: create it or choose another.")
        if not os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def slug(text: str, *, limit: int = 80) -> str:
    """`text` as part of a file name on any system: word characters and hyphens, at most `limit` bytes of UTF-8."""
    words = re.sub(r"[^\w]+", "-", unicodedata.normalize("NFKC", text).casefold()).strip("-_")
    words = words.encode("utf-8", "ignore")[:limit].decode("utf-8", "ignore").strip("-_")
    if _DEVICE_NAME.fullmatch(words):
        words += "-"
    return words or "unnamed"


@contextlib.contextmanager
def _said(path: str | os.PathLike[str]) -> Iterator[None]:
    """FileError with the path, the reason and what to do for what the system refuses."""
    try:
        yield
    except OSError as error:
        raise FileError(f"Could not write {os.fspath(path)!r}: {_reason(error)}.") from error
    except ValueError as error:  # a null character or a lone surrogate in the name
        raise FileError(f"Could not write {os.fspath(path)!r}: that is no file name; choose another one.") from error


def _checked(path: str | os.PathLike[str]) -> Path:
    """The file that a path leads to; no folder, device, pipe or write-protected file, which a rename would replace."""
    # realpath, because renaming over a link would replace the link.
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return target
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not an ordinary file; choose another name")
    if not os.access(target, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return target


def _write_and_rename(target: Path, data: memoryview) -> None:
    # A name of its own length: the target's name may already be as long as names can be.
    temporary = target.parent / f".vitviz-{secrets.token_hex(8)}.tmp"
    # os.open and 0o666 rather than tempfile, whose files are 0o600 whatever the umask.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    handle = os.open(temporary, flags, 0o666)
    try:
        try:
            _write_all(handle, data)
            _sync(handle)
        finally:
            os.close(handle)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _write_all(handle: int, data: memoryview) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _sync(handle: int) -> None:
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network and user-space file systems have no fsync; a full disk still counts.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last; the file is already whole, so nothing here is an error."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _reason(error: OSError) -> str:
    return _REASONS.get(error.errno or 0) or error.strerror or "the system gave no reason; choose another folder"
