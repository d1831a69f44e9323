"""Device and precision of a run: named at its start or in the menu, else as an earlier run had them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vitviz.models.wish import ModelWish

if TYPE_CHECKING:
    from vitviz.models.devices import Device
    from vitviz.ui.settings import Preferences

USUAL = {"device": "auto", "precision": "float32"}


class RunOptions:
    """What models are opened with, shared by all panes.

    What is only remembered gives way where it is not to be had here; what was named is an error there.
    """

    def __init__(self) -> None:
        self.now = dict(USUAL)
        self._remembered: dict[str, str] = {}

    def begin(self, wish: ModelWish, given: Sequence[str], value: Preferences) -> None:
        """Take what the program was started with; of that `given` names what was said, be it the usual or not."""
        for name, usual in USUAL.items():
            said, remembered = getattr(wish, name), getattr(value, name)
            if name in given or said != usual:
                self.now[name] = said
            else:
                self.now[name] = self._remembered[name] = remembered

    def on(self, wish: ModelWish) -> ModelWish:
        """The wish with these."""
        return replace(wish, **self.now)  # type: ignore[arg-type]

    def choose(self, **fields: str) -> None:
        """Name others from now on."""
        for name, value in fields.items():
            self.now[name] = value
            self._remembered.pop(name, None)

    def here(self, wish: ModelWish, devices: Sequence[Device]) -> tuple[ModelWish, str]:
        """The wish with the usual for what is remembered and not to be had, and a note on that; for the worker."""
        from vitviz.models.devices import DTYPES, matches

        known = {"device": any(matches(wish.device, d) for d in devices), "precision": wish.precision in DTYPES}
        notes = []
        for name, usual in USUAL.items():
            value = getattr(wish, name)
            if value != usual and not known[name] and value == self._remembered.get(name):
                wish = replace(wish, **{name: usual})  # type: ignore[arg-type]
                notes.append(f"The {name} {value!r}, chosen in an earlier run, is not here: it is {usual!r} now.")
        return wish, " ".join(notes)

    def follow(self, wished: ModelWish, had: ModelWish) -> None:
        """Open the next models as one was opened for which something remembered gave way."""
        for name in self._remembered:
            if getattr(wished, name) != getattr(had, name):
                self.now[name] = getattr(had, name)
