"""What the program remembers between runs: one frozen value, kept as validated JSON in the configuration folder."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, QStandardPaths, QTimer, Signal, Slot

from vitviz.atomic import write_bytes
from vitviz.errors import FileError
from vitviz.ordinary import open_ordinary

SIZE_LIMIT = 1_000_000  # bytes of the file
RECENT_LIMIT = 12
SAVE_DELAY = 500  # milliseconds


@dataclass(frozen=True, slots=True)
class Preferences:
    """The remembered choices. A name that is legal here may still be unknown to its reader, which then uses its own."""

    recent_pictures: tuple[str, ...] = ()  # newest first
    recent_models: tuple[str, ...] = ()
    picture_folder: str = ""
    model_folder: str = ""
    export_folder: str = ""
    export_plan: str = ""  # JSON of the last figure; read back by its own schema
    colormap: str = "viridis"
    opacity: float = 0.6
    interpolation: str = "nearest"
    device: str = "auto"
    precision: str = "float32"
    theme: str = "system"
    geometry: bytes = b""  # of the window, as QWidget.saveGeometry made it
    dock_state: bytes = b""  # as QMainWindow.saveState made it


def _text(value: object, *, limit: int = 4096) -> str:
    if not isinstance(value, str) or len(value) > limit or "\0" in value:
        raise ValueError(f"expected text of at most {limit} characters")
    return value


def _recent(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError("expected a list of texts")
    return tuple(dict.fromkeys(_text(each) for each in value if each))[:RECENT_LIMIT]


def _name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[\w.:+-]{1,64}", value):
        raise ValueError("expected a name")
    return value


def _one_of(*choices: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return value

    return read


def _fraction(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1 or math.isnan(value):
        raise ValueError("expected a number between 0 and 1")
    return float(value)


def _state(value: object) -> bytes:
    """Bytes that Qt made of a window; base64 in the file."""
    if isinstance(value, str) and value.isascii():
        value = base64.b64decode(value, validate=True)
    if not isinstance(value, bytes) or len(value) > 100_000:
        raise ValueError("expected at most 100 kB in base64")
    return value


_READERS: dict[str, Callable[[object], Any]] = {
    "recent_pictures": _recent,
    "recent_models": _recent,
    "picture_folder": _text,
    "model_folder": _text,
    "export_folder": _text,
    "export_plan": _text,
    "colormap": _name,
    "opacity": _fraction,
    "interpolation": _name,
    "device": _name,
    "precision": _name,
    "theme": _one_of("system", "light", "dark"),
    "geometry": _state,
    "dock_state": _state,
}


def settings_path() -> Path:
    """Where the settings lie: VITVIZ_CONFIG_DIR, else the platform's configuration folder."""
    folder = os.environ.get("VITVIZ_CONFIG_DIR")
    if folder:
        return Path(folder) / "settings.json"
    location = QStandardPaths.StandardLocation.GenericConfigLocation
    return Path(QStandardPaths.writableLocation(location)) / "vitviz" / "settings.json"


def read_preferences(path: Path) -> tuple[Preferences, list[str]]:
    """The preferences in a file, and a note on each field that was ignored. Never raises."""
    fields, problems = _read_fields(path)
    return Preferences(**fields or {}), problems


def _read_fields(path: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """The fields that a file holds, None where there is no file, and a note on each that was ignored."""
    try:
        content = json.loads(_read_capped(path), parse_constant=_refuse_constant)
        if not isinstance(content, dict):
            raise ValueError("expected an object")
    except FileNotFoundError:
        return None, []
    except (OSError, ValueError, RecursionError) as error:
        return {}, [f"{path} was ignored: {error}"]
    fields: dict[str, Any] = {}
    problems = []
    for key, value in content.items():
        reader = _READERS.get(key)
        if reader is None:
            problems.append(f"{key[:64]!r} in the settings was ignored: no such setting")
            continue
        try:
            fields[key] = reader(value)
        except ValueError as error:
            problems.append(f"{key!r} in the settings was ignored: {error}")
    return fields, problems


def _read_capped(path: Path) -> bytes:
    # A pipe of that name would otherwise hold the start for ever.
    with open_ordinary(path) as file:
        content = file.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise ValueError(f"larger than {SIZE_LIMIT} bytes")
    return content


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


class Settings(QObject):
    """The preferences of this run; saved half a second after the last change, and by `flush`.

    Other windows have the same file: only what this one changed is written, what others wrote meanwhile stays.
    `changed(old, new)` is emitted with two Preferences whenever a field has another value.
    `problems` says what was ignored on reading and what could not be saved.
    """

    changed = Signal(object, object)

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = settings_path() if path is None else path
        self.value, self.problems = read_preferences(self.path)
        self._timer = QTimer(self, singleShot=True, interval=SAVE_DELAY)
        self._timer.timeout.connect(self.flush)
        self._saved = self.value

    @property
    def export_folder(self) -> Path:
        """Where the last figure went; the home folder before there was one."""
        return Path(self.value.export_folder or Path.home())

    def update(self, **fields: object) -> None:
        """Change fields of `value`; ValueError for a value that could not be read back."""
        new = dataclasses.replace(self.value, **{key: _READERS[key](value) for key, value in fields.items()})
        if new != self.value:
            old, self.value = self.value, new
            self._timer.start()
            self.changed.emit(old, new)

    def add_recent(self, kind: Literal["pictures", "models"], name: str) -> None:
        """Put a picture or model at the head of its list."""
        key = f"recent_{kind}"
        self.update(**{key: (name, *getattr(self.value, key))})

    @Slot(result=bool)
    def flush(self) -> bool:
        """Save now what has changed; a failure is noted in `problems`, not raised."""
        self._timer.stop()
        if self.value == self._saved:
            return True
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(self.path, _encode(self._merged()))
        except (OSError, FileError) as error:
            self.problems.append(f"The settings were not saved: {error}")
            return False
        self._saved = self.value
        return True

    def _merged(self) -> Preferences:
        """What the file holds by now, with what was changed here since it was read or written last."""
        held, _ = _read_fields(self.path)
        there = Preferences() if held is None else dataclasses.replace(self._saved, **held)
        changed: dict[str, Any] = {}
        for key, reader in _READERS.items():
            ours, before = getattr(self.value, key), getattr(self._saved, key)
            if ours != before:
                changed[key] = reader((*_added(ours, before), *getattr(there, key))) if reader is _recent else ours
        return dataclasses.replace(there, **changed)

    def reset(self) -> None:
        """Forget everything, on the disk too."""
        self.problems.clear()
        self.update(**dataclasses.asdict(Preferences()))
        self._timer.stop()
        self._saved = self.value
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            self.problems.append(f"The settings were not removed: {error}")


def _added(recent: tuple[str, ...], before: tuple[str, ...]) -> tuple[str, ...]:
    """What was put at the head of a list of recents since it was `before`, be it new in it or moved there."""
    for count in range(len(recent)):
        kept = [each for each in before if each not in recent[:count]]
        if list(recent[count:]) == kept[: len(recent) - count]:
            return recent[:count]
    return recent


def _encode(value: Preferences) -> bytes:
    fields = dataclasses.asdict(value)
    for key in ("geometry", "dock_state"):
        fields[key] = base64.b64encode(fields[key]).decode("ascii")
    return json.dumps(fields, indent=1).encode()
