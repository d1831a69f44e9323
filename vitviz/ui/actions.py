"""Every command of the window as an action: name, shortcut, tooltip, place in a menu and in the palette."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

GESTURES = [
    ("Hover a picture", "the patch under the mouse (dashed frame) is the query: atlas, map and status bar follow"),
    ("Click a patch", "pin the query (its frame gets handles); click it again or press Esc to free it"),
    ("Click a tile of the atlas", "choose layer and head"),
    ("Hover a tile of the atlas", "enlarge it"),
    ("Right click a tile of the atlas", "switch the head off, or on again; on the number of a row: the layer"),
    ("Click a chip (CLS, REG0, MEAN)", "that token is the query"),
    ("Wheel, drag, double click", "zoom, pan, fit; the pictures stay linked"),
    ("Drop a picture, a checkpoint or a folder", "open it; a model in the pane that it is dropped on, which is framed"),
    ("Drop a checkpoint with Shift", "open it in a pane of its own, beside what is shown"),
    ("Click another pane, or its title", "make it current: docks and toolbar speak of it"),
]


def action(
    parent: QWidget,
    name: str,
    run: Callable[..., object],
    *,
    shortcut: str | QKeySequence.StandardKey | Sequence[str] | None = None,
    tip: str = "",
    checked: bool | None = None,
) -> QAction:
    """A command of the window; `checked` makes it a switch whose state is passed to `run`."""
    made = QAction(name, parent)
    if isinstance(shortcut, QKeySequence.StandardKey | str):
        made.setShortcut(QKeySequence(shortcut))
    elif shortcut is not None:
        made.setShortcuts([QKeySequence(keys) for keys in shortcut])
    plain = name.replace("&", "")
    keys = made.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
    made.setToolTip(f"{tip or plain}{f' ({keys})' if keys else ''}")
    made.setStatusTip("")
    if checked is not None:
        made.setCheckable(True)
        made.setChecked(checked)
        made.toggled.connect(run)
    else:
        made.triggered.connect(lambda _=False: run())
    parent.addAction(made)
    return made


def choices(
    parent: QObject, menu: QMenu, options: Sequence[tuple[str, str]], current: str, chosen: Callable[[str], object]
) -> QActionGroup:
    """A group of (title, value) in a menu of which one holds."""
    group = QActionGroup(parent)
    for title, value in options:
        made = menu.addAction(title)
        made.setCheckable(True)
        made.setChecked(value == current)
        made.setData(value)
        made.triggered.connect(partial(chosen, value))
        group.addAction(made)
    return group
