"""The menus of recent pictures and models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QMenu

from vitviz.ui.settings import Settings

_LONGEST = 60  # letters of a path in a menu


class Recents(QObject):
    """Keeps both menus as the settings have them; a click opens the picture or the model of that name."""

    def __init__(
        self, file: QMenu, settings: Settings, open_picture: Callable[[str], None], open_model: Callable[[str], None]
    ) -> None:
        super().__init__(file)
        self._settings, self._open = settings, (open_picture, open_model)
        self.pictures, self.models = file.addMenu("Recent pictures"), file.addMenu("Recent models")
        settings.changed.connect(self._fill)
        self._fill()

    @Slot()
    def _fill(self) -> None:
        value = self._settings.value
        named = zip((self.pictures, self.models), (value.recent_pictures, value.recent_models), self._open, strict=True)
        for menu, names, run in named:
            menu.clear()
            for name in names:
                shown = name if len(name) < _LONGEST else "…" + name[1 - _LONGEST :]
                menu.addAction(shown.replace("&", "&&"), partial(run, name))
            menu.setEnabled(bool(names))
