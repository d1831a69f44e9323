"""What lies at a path; ordinary files are read, and nothing that opening would wait for or act on."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from vitviz.errors import FileError


def is_there(path: Path) -> bool:
    """Whether there is anything; what the system won't say, as of a folder that is shut, counts as no.

    Path.exists() raises then below Python 3.14, and so do is_file() and is_dir().
    """
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: Path) -> bool:
    """Whether there is a file, as `is_there` asks."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether there is a folder, as `is_there` asks."""
    return os.path.isdir(path)  # noqa: PTH112


class NotOrdinaryError(ValueError):
    """A folder, pipe, socket or device where a file was expected."""

    def __init__(self) -> None:
        super().__init__("not an ordinary file")


def open_ordinary(path: Path) -> BinaryIO:
    """An ordinary file, open for reading; NotOrdinaryError for anything else, OSError as `open` raises it.

    Told apart before opening, since opening a device may act on it; and again after, without blocking, should the file
    have become a pipe since.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise NotOrdinaryError
    file = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotOrdinaryError
    return file


def read_ordinary(path: Path, most: int, what: str) -> bytes:
    """All of an ordinary file that should be `what` ("figure", "session") of ours.

    FileError where it is no ordinary file, can't be read, or has more than `most` bytes.
    """
    try:
        with open_ordinary(path) as file:
            data = file.read(most + 1)
    except NotOrdinaryError as error:
        raise FileError(f"{path} can't be read: it is no ordinary file.") from error
    except (OSError, ValueError) as error:
        raise FileError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}.") from error
    if len(data) > most:
        raise FileError(f"{path.name} is larger than {most // 2**20} MB: it is no {what} of vitviz.")
    return data
