"""Files on their way in and out of the window: dialogs and drops."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from vitviz.ordinary import is_folder, is_there, open_ordinary
from vitviz.picture_files import PICTURE_SUFFIXES
from vitviz.ui.messages import message_box

Kind = Literal["picture", "checkpoint", "folder", "unknown"]

MODEL_KINDS = ("checkpoint", "folder")
CHECKPOINT_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".npz", ".ckpt")
PICTURE_FILTER = f"Pictures ({' '.join('*' + each for each in PICTURE_SUFFIXES)})"
CHECKPOINT_FILTER = f"Checkpoints ({' '.join('*' + each for each in CHECKPOINT_SUFFIXES)})"
ALL_FILTER = "All files (*)"

_PICTURE_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*")
_CHECKPOINT_MAGIC = (b"PK\x03\x04", *(bytes((0x80, protocol)) for protocol in range(2, 6)))


def kind_of(path: str | os.PathLike[str]) -> Kind:
    """What a path names, by its extension, then by its first bytes. Opens ordinary files only; never raises."""
    path = Path(path)
    try:
        if path.is_dir():
            return "folder"
        suffix = path.suffix.lower()
        if suffix in PICTURE_SUFFIXES:
            return "picture"
        if suffix in CHECKPOINT_SUFFIXES:
            return "checkpoint"
        return _kind_of_bytes(*_head(path))
    except (OSError, ValueError):
        return "unknown"


def dropped_paths(mime: QMimeData) -> list[Path]:
    """The files on this machine that a drop or a paste names, in its order."""
    # A host makes it a network share, which nothing but the user's own word may open.
    local = [url for url in mime.urls() if url.isLocalFile() and not url.host()]
    return [Path(url.toLocalFile()) for url in local]


def ask_open(
    parent: QWidget,
    kind: Literal["picture", "checkpoint", "folder"],
    *,
    folder: str = "",
    then: Callable[[list[Path]], object],
) -> QFileDialog:
    """Ask for pictures, for one checkpoint or for one folder without blocking; `then` gets what was chosen."""
    titles = {"picture": "Open pictures", "checkpoint": "Open model", "folder": "Open model folder"}
    dialog = QFileDialog(parent, titles[kind], folder)
    if kind == "folder":
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    else:
        many = kind == "picture"
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles if many else QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters([PICTURE_FILTER if many else CHECKPOINT_FILTER, ALL_FILTER])
    return _open(dialog, then)


def ask_labels(parent: QWidget, then: Callable[[Path], object]) -> QFileDialog:
    """Ask for a file with the names of classes."""
    dialog = QFileDialog(parent, "Names of the classes")
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.setNameFilters(["Names (*.txt *.json)", ALL_FILTER])
    return _open(dialog, lambda paths: then(paths[0]))


def ask_save(
    parent: QWidget,
    suggestion: Path,
    filters: list[str],
    *,
    title: str = "Export",
    then: Callable[[Path], object],
    named: Callable[[Path], Path] | None = None,
) -> QFileDialog:
    """Ask for one file to write without blocking; `then` gets it with its suffix, and may write over what is there.

    `named` completes a name, where that is not the suggestion's suffix behind one that has none of the filters'.
    """
    suffixes = [each.lower() for line in filters for each in re.findall(r"\*(\.[^\s*)]+)", line)]
    ending = (each for each in sorted(suffixes, key=len, reverse=True) if suggestion.name.lower().endswith(each))
    suffix = next(ending, "")

    def ask_again(path: Path) -> None:
        ask_save(parent, path, filters, title=title, then=then, named=named)

    def take(path: Path) -> None:
        if named is not None:
            path = named(path)
        elif not path.name.lower().endswith(tuple(suffixes)):
            path = path.with_name(path.name + suffix)
        # A folder can't be written over: whoever is to write into it says so.
        if not is_there(path) or is_folder(path):
            then(path)
            return
        box = message_box(parent, title, f"{path} is there already. Replace it?", QMessageBox.Icon.Question)
        box.addButton("Replace", QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        box.accepted.connect(lambda: then(path))
        box.rejected.connect(lambda: ask_again(path))
        box.open()

    dialog = QFileDialog(parent, title, str(suggestion.parent))
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setFileMode(QFileDialog.FileMode.AnyFile)
    dialog.setNameFilters(filters)
    dialog.selectFile(suggestion.name)
    dialog.setDefaultSuffix(suffix)
    # Qt asks about the name as it was typed, and where it has a dot, as in "figure 1.2", that is not the whole name.
    dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
    return _open(dialog, lambda paths: take(paths[0]))


def _open(dialog: QFileDialog, then: Callable[[list[Path]], object]) -> QFileDialog:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.filesSelected.connect(lambda names: then([Path(each) for each in names]))
    dialog.open()
    return dialog


def _head(path: Path) -> tuple[bytes, int]:
    """The first 16 bytes of an ordinary file, and its size; ValueError for anything else."""
    with open_ordinary(path) as file:
        return file.read(16), os.fstat(file.fileno()).st_size


def _kind_of_bytes(head: bytes, size: int) -> Kind:
    if head.startswith(_PICTURE_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "picture"
    # safetensors: the length of a JSON header, then the header.
    is_safetensors = head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= size - 8
    return "checkpoint" if head.startswith(_CHECKPOINT_MAGIC) or is_safetensors else "unknown"
